"""Pictures with masks: matched by name, and every mask checked once."""

import hashlib
import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from uncrappify.errors import UserError
from uncrappify.names import shorten_list
from uncrappify.pictures import UnusablePicture, open_picture, png, read_content, read_within_limit
from uncrappify.pictures.kinds import recognise
from uncrappify.pictures.label_entries import show_entry
from uncrappify.pictures.limits import read_orientation
from uncrappify.pictures.mask_codes import UnlistedValue
from uncrappify.pictures.mask_file import SUFFIXES, MaskFile, Pixels, parse_mask
from uncrappify.pictures.masks import VOID, Labels
from uncrappify.pictures.tiff_layout import begin_with_picture, describe
from uncrappify.pictures.unusable import UnfitMask
from uncrappify.progress import track
from uncrappify.sources.folder import find_folder, find_pairable
from uncrappify.sources.layout import key_by_name, match_twins
from uncrappify.sources.parameters import MaskedFolderOptions, PictureSource, make_absolute
from uncrappify.walking import find_pictures

logger = logging.getLogger(__name__)

TWINS = "picture", "mask"
"""What the two files of a pair are called."""

_CLASSES_SHOWN = 12
# Of values that no label has; a mask was not drawn with as many.
_MANY = 30
_IN_ALPHA = (
    "Pixels of the same colour differ in the alpha channel, which is not read: the classes seem to be in it. Save "
    "masks without alpha, with the classes as values or colours."
)

_DOUBTS = {
    "differently_turned": (
        "the orientation in EXIF turns these pictures and not their masks in the same way, though both are stored with "
        "the same size; see on the sheet whether the classes lie where they belong, else turn the masks"
    ),
    "in_alpha": "the alpha channel of these masks is not read, though it differs between pixels of the same colour",
    "inverted": (
        "these masks of one bit are TIFFs in which white is 0; the number that is stored is taken as the class, else "
        "save them as PNG"
    ),
}


class _Entry(NamedTuple):
    """A picture that can be used, as its row in the manifest has it, and its mask."""

    name: str
    picture: Path
    mask: Path
    size: tuple[int, int]
    turned: bool


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
    where = f"source.masked_folder ({pictures} and {masks})"
    twins = match_twins(found, theirs, where, TWINS, find_pictures(pictures))
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
    usable = manifest.loc[manifest["usable"], ["name", "file", "width", "height", "notes"]]
    entries = [
        _Entry(name, source.root / file, source.root / source.masks[name], (width, height), "turned by EXIF" in notes)
        for name, file, width, height, notes in usable.itertuples(index=False, name=None)
    ]
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        found: Iterable[dict[str, Any]] = pool.map(lambda entry: _examine(entry, labels), entries)
        rows = list(track(found, "looking at masks", len(usable)))
    finally:
        pool.shutdown(cancel_futures=True)
    if all(row["reason"] for row in rows):
        advice = f" labels.void takes out {_list_void(labels)}." if any(row["void"] for row in rows) else ""
        advice += f" {_IN_ALPHA}" if any(row["in_alpha"] for row in rows) else ""
        raise UserError(
            f"none of the {len(rows)} masks can be used. The first is {entries[0].mask}: {rows[0]['reason']}.{advice}"
        )
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


def _examine(entry: _Entry, labels: Labels) -> dict[str, Any]:
    row = {"name": entry.name, "sha256": "", "reason": "", "pixels": [0] * len(labels.classes), "void": 0}
    row |= {"in_alpha": False, "differently_turned": False, "inverted": False}
    path = entry.mask
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: a mask has to keep every value, which a {path.suffix} file does not. Save it as PNG.")
    try:
        with read_within_limit(path) as content:
            return row | _look_at(entry, content, labels)
    except UnusablePicture as reason:
        return row | {"reason": f"mask cannot be read ({reason})"}
    except UnfitMask as reason:
        raise UserError(f"{path}: {reason}") from reason


def _look_at(entry: _Entry, content: bytes, labels: Labels) -> dict[str, Any]:
    """Decode a mask, and give what its row says of it."""
    mask = parse_mask(content)
    turned = _turned_differently(entry, mask)
    if mask.size != entry.size:
        raise UserError(_explain_size(entry, mask, turned))
    pixels = mask.read()
    found, in_alpha = labels.decode(pixels), labels.has_classes_in_alpha(pixels)
    if isinstance(found, UnlistedValue):
        advice = _IN_ALPHA if in_alpha else _advise(found, labels, pixels)
        raise UserError(f"{_explain_unlisted(entry.mask, found, labels)} {advice}")
    counts = np.bincount(found.ravel(), minlength=VOID + 1)
    void, counts = int(counts[VOID]), counts[: len(labels.classes)]
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "pixels": counts.tolist(),
        "void": void,
        "reason": "" if counts.any() else "mask is void everywhere",
        "in_alpha": in_alpha,
        "differently_turned": turned,
        "inverted": mask.inverted,
    }


def _turned_differently(entry: _Entry, mask: MaskFile) -> bool:
    """Tell whether picture and mask are stored with the same size, but are turned in different ways to be upright."""
    if not entry.turned and mask.orientation == 1:
        return False
    orientation = _read_turn(read_content(entry.picture))
    stored = entry.size[::-1] if orientation >= 5 else entry.size
    return orientation != mask.orientation and stored == (mask.size[::-1] if mask.orientation >= 5 else mask.size)


def _read_turn(content: bytes) -> int:
    kind = recognise(content)
    if kind == "TIFF":
        # Also of those that Pillow does not read.
        return describe(begin_with_picture(content)).orientation
    if kind == "PNG":
        # Pillow takes an EXIF behind much text for damage.
        return read_orientation(png.open_whole(png.check(content)))
    return read_orientation(open_picture(BytesIO(content), str(kind)))


def _explain_size(entry: _Entry, mask: MaskFile, turned: bool) -> str:
    reason = (
        " They are stored with the same size, but the orientation of their EXIF turns them differently: turn the mask "
        "as the picture is turned, or give both the same orientation."
        if turned
        else ""
    )
    return (
        f"{entry.mask}: the mask has {mask.size[0]}x{mask.size[1]} pixels and its picture "
        f"{entry.size[0]}x{entry.size[1]}. Each mask has the size of its picture (upright, as a camera's orientation "
        f"says).{reason}"
    )


def _report(masks: pd.DataFrame, labels: Labels) -> None:
    """Log which pictures are left out, which classes have no pixel, and what may be read in two ways.

    Raises:
        UserError: Only one class has pixels.
    """
    left_out = masks.index[masks["reason"] != ""].tolist()
    if left_out:
        reasons = masks.loc[left_out, "reason"].unique().tolist()
        logger.warning("left out for the mask: %s (%s)", shorten_list(left_out), shorten_list(reasons))
    for column, doubt in _DOUBTS.items():
        if names := masks.index[masks[column]].tolist():
            logger.warning("%s: %s", doubt, shorten_list(names))
    pixels = np.array(masks["pixels"].tolist()).sum(0)
    missing = [name for name, count in zip(labels.classes, pixels, strict=True) if not count]
    share = masks["void"].sum() / max(1, masks["void"].sum() + pixels.sum())
    void = f"; labels.void takes out {_list_void(labels)}, {share:.1%} of the pixels" if share else ""
    if len(missing) == len(labels.classes) - 1:
        raise UserError(
            f"labels.classes: no mask has a pixel of {shorten_list(missing, _CLASSES_SHOWN)}, so there is nothing to "
            f"tell apart{void}. {_explain_one_class(masks, labels)}"
        )
    if missing:
        logger.warning("no mask has a pixel of %s%s", shorten_list(missing, _CLASSES_SHOWN), void)


def _explain_one_class(masks: pd.DataFrame, labels: Labels) -> str:
    if masks["in_alpha"].any():
        return _IN_ALPHA
    if masks["void"].any():
        # Beside the void there is one value, or the run would have classes to tell apart.
        two = not labels.colours and len(labels.classes) == len(labels.void) + 1
        swap = ", and say which values the classes have, as colours: [[0, 0, 0], [255, 255, 255]]" if two else ""
        return f"If that is a class, take it out of labels.void{swap}."
    return "The place of a class in the list is its value in the masks."


def _list_void(labels: Labels) -> str:
    return ", ".join(map(show_entry, labels.void)) or "none"


def _explain_unlisted(path: Path, found: UnlistedValue, labels: Labels) -> str:
    if labels.colours:
        each = [f"{name} {list(colour)}" for name, colour in zip(labels.classes, labels.colours, strict=True)]
        known = f"colours {shorten_list(each, _CLASSES_SHOWN)}"
    else:
        each = [f"{value} {name}" for value, name in enumerate(labels.classes)]
        known = f"values {shorten_list(each, _CLASSES_SHOWN)}"
    kind = found.value.split()[0]
    more = (
        f", and {found.others} other {kind}{'s' * (found.others > 1)} that labels do not have" if found.others else ""
    )
    return (
        f"{path}: the mask has {found.value} at x {found.x}, y {found.y} (such pixels: {found.pixels}){more}; labels "
        f"have the {known}, and void {_list_void(labels)}."
    )


def _advise(found: UnlistedValue, labels: Labels, pixels: Pixels) -> str:
    if found.blended:
        return (
            "They lie between those of the labels: the edges are blended (antialiased, resized, or once a JPEG). Save "
            "masks without antialiasing, and resize them by nearest neighbour."
        )
    begin = "Say in conf/local/parameters.yml what your masks hold: "
    many = " So many come from blended edges: save masks without antialiasing." if found.others >= _MANY else ""
    if labels.colours:
        more = "a class more in labels.classes with its colour in labels.colours, or a colour more in labels.void."
        return begin + more + many
    if found.value.startswith("colour"):
        return f"{begin}the colour of each class goes into labels.colours.{many}"
    advice = (
        "a class more in labels.classes, or a value more in labels.void; values that are no places in a list go into "
        "labels.colours, as [7, 7, 7]."
    )
    values = [value for value in labels.list_values(pixels) if value not in labels.void]
    if len(values) == len(labels.classes):
        shown = ", ".join(map(str, values))
        many = f" If {shown} are the classes in their order: colours: {[[value] * 3 for value in values]}."
    return begin + advice + many
