"""Pictures with masks: matched by name, and every mask checked once."""

import hashlib
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.pictures.masks import FORMATS, SUFFIXES, VOID, Labels, UnlistedValue
from uncrappify.progress import track
from uncrappify.sources.folder import find_folder, find_pairable
from uncrappify.sources.layout import key_by_name, match_twins, shorten_list
from uncrappify.sources.parameters import MaskedFolderOptions, PictureSource, make_absolute

logger = logging.getLogger(__name__)

TWINS = "picture", "mask"
"""What the two files of a pair are called."""

_CLASSES_SHOWN = 12


def point_at(options: MaskedFolderOptions) -> PictureSource:
    """Check the user's two folders and refer to them where they are.

    Args:
        options: The folders; a relative path counts from the current folder.

    Returns:
        The source; its pictures are split by hash.

    Raises:
        UserError: A folder is missing or has no pictures, or a picture has no mask, or a mask no picture.
    """
    root = make_absolute(options.path)
    for name, which in ((options.pictures, "pictures"), (options.masks, "masks")):
        if not (root / name).is_dir():
            missing = f"folder {name} in {root}" if root.is_dir() else f"folder {root}"
            raise UserError(
                f"source.masked_folder.{which}: there is no {missing}. Give a folder with your "
                "pictures in images/ and a mask of the same name for each in masks/, or name the two folders "
                "(source.masked_folder.pictures and .masks)."
            )
    pictures, masks = (
        find_folder(str(root / name), f"source.masked_folder.{which}")
        for name, which in ((options.pictures, "pictures"), (options.masks, "masks"))
    )
    found, theirs = (key_by_name(find_pairable(folder)) for folder in (pictures, masks))
    twins = match_twins(found, theirs, f"source.masked_folder ({pictures} and {masks})", TWINS)
    return PictureSource(
        name=root.name,
        root=pictures,
        licence="the user's own pictures, no licence stated",
        masks={name: str(masks / file) for name, file in twins.items()},
    )


def examine_masks(source: PictureSource, manifest: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check the mask of every usable picture, by a thread pool.

    A mask that cannot be read, or is void everywhere, makes its picture unusable. A mask that does not fit its picture
    or the labels is an error of the whole data set, and stops the run.

    Args:
        source: Where the masks are.
        manifest: One row a picture, as :func:`~uncrappify.sources.manifest.list_pictures` makes it.
        labels: Meaning of the masks' values.

    Returns:
        The manifest with ``mask`` (file) and ``mask_sha256``; and a table of pixel counts with one row a usable
        picture: ``name``, and one column a class.

    Raises:
        UserError: A mask differs in size from its picture, has a value that is not in the labels, or is a JPEG; or no
            mask can be used.
    """
    usable = manifest.loc[manifest["usable"], ["name", "width", "height"]]
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        found: Iterable[dict[str, Any]] = pool.map(
            lambda row: _examine(row.name, source.root / source.masks[row.name], (row.width, row.height), labels),
            usable.itertuples(index=False),
        )
        rows = list(track(found, "looking at masks", len(usable)))
    finally:
        pool.shutdown(cancel_futures=True)
    if all(row["reason"] for row in rows):
        first = source.root / source.masks[rows[0]["name"]]
        raise UserError(f"none of the {len(rows)} masks can be used. The first is {first}: {rows[0]['reason']}.")
    masks = pd.DataFrame(rows).set_index("name")
    _report(masks, labels)
    manifest = manifest.assign(
        mask=manifest["name"].map(source.masks).fillna(""),
        mask_sha256=manifest["name"].map(masks["sha256"]).fillna(""),
    )
    reasons = manifest["name"].map(masks["reason"]).fillna("")
    manifest["usable"] &= reasons == ""
    manifest["reason"] = manifest["reason"].where(reasons == "", reasons)
    counts = masks.loc[masks["reason"] == "", "pixels"]
    return manifest, pd.DataFrame(counts.tolist(), columns=labels.classes).assign(name=counts.index)[
        ["name", *labels.classes]
    ]


def _examine(name: str, path: Path, size: tuple[int, int], labels: Labels) -> dict[str, Any]:
    row = {"name": name, "sha256": "", "reason": "", "pixels": [0] * len(labels.classes)}
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: a mask has to keep every value, which a {path.suffix} file does not. Save it as PNG.")
    try:
        content = path.read_bytes()
        row["sha256"] = hashlib.sha256(content).hexdigest()
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            found, mask_size = labels.decode(image), image.size
    except Exception as error:  # Pillow's exceptions for broken data differ by format and version
        return row | {"reason": f"mask cannot be read ({str(error) or type(error).__name__})"}
    if mask_size != size:
        raise UserError(
            f"{path}: the mask has {mask_size[0]}x{mask_size[1]} pixels and its picture {size[0]}x{size[1]}. "
            "Each mask has the size of its picture (upright, as a camera's orientation says)."
        )
    if isinstance(found, UnlistedValue):
        raise UserError(_explain_unlisted(path, found, labels))
    counts = np.bincount(found.ravel(), minlength=VOID + 1)[: len(labels.classes)]
    return row | {"pixels": counts.tolist(), "reason": "" if counts.any() else "mask is void everywhere"}


def _report(masks: pd.DataFrame, labels: Labels) -> None:
    """Log which pictures are left out, and which classes have no pixel.

    Raises:
        UserError: Only one class has pixels.
    """
    left_out = masks.index[masks["reason"] != ""].tolist()
    if left_out:
        reasons = masks.loc[left_out, "reason"].unique().tolist()
        logger.warning("left out for the mask: %s (%s)", shorten_list(left_out), shorten_list(reasons))
    pixels = np.array(masks["pixels"].tolist()).sum(0)
    missing = [name for name, count in zip(labels.classes, pixels, strict=True) if not count]
    if len(missing) == len(labels.classes) - 1:
        raise UserError(
            f"labels.classes: no mask has a pixel of {', '.join(missing)}, so there is nothing to tell apart. The "
            "place of a class in the list is its value in the masks."
        )
    if missing:
        logger.warning("no mask has a pixel of %s", ", ".join(missing))


def _explain_unlisted(path: Path, found: UnlistedValue, labels: Labels) -> str:
    if labels.colours:
        each = [f"{name} {list(colour)}" for name, colour in zip(labels.classes, labels.colours, strict=True)]
        known = f"colours {shorten_list(each, _CLASSES_SHOWN)}"
        advice = "a class more in labels.classes with its colour in labels.colours, or a colour more in labels.void."
    else:
        each = [f"{value} {name}" for value, name in enumerate(labels.classes)]
        known = f"values {shorten_list(each, _CLASSES_SHOWN)}"
        advice = (
            "the colour of each class goes into labels.colours."
            if found.value.startswith("colour")
            else "a class more in labels.classes, or a value more in labels.void; values that are no places in a list "
            "go into labels.colours, as [7, 7, 7]."
        )
    void = ", ".join(str(list(entry) if isinstance(entry, tuple) else entry) for entry in labels.void) or "none"
    return (
        f"{path}: the mask has {found.value} at x {found.x}, y {found.y} (such pixels: {found.pixels}); labels have "
        f"the {known}, and void {void}. Say in conf/local/parameters.yml what your masks hold: {advice}"
    )
