"""The classes of pictures: read from the folders that they are in, checked, and counted."""

from __future__ import annotations

import logging
from unicodedata import normalize

import pandas as pd

from uncrappify.errors import UserError
from uncrappify.names import shorten_list
from uncrappify.sources.layout import TEST_PREFIX, find_stems, match_globs
from uncrappify.sources.manifest import SAME_CONTENT
from uncrappify.sources.parameters import PictureSource
from uncrappify.sources.split import list_parts_by_hash

log = logging.getLogger(__name__)

_CLASSES_SHOWN = 12


def label_pictures(source: PictureSource, manifest: pd.DataFrame) -> pd.DataFrame:
    """Say of every picture, usable or not, of which class it is.

    That is what the first wildcard of the source's glob stands for; accents are written in one form of Unicode, so that
    the folders of two file systems are the same class. A file with the content of another is unusable already; where
    the two are in different classes, its reason says so, and a warning counts them.

    Args:
        source: Its globs, and those of its test source, are used.
        manifest: As :func:`~uncrappify.sources.manifest.list_pictures` makes it.

    Returns:
        The manifest with ``label``.
    """
    labels = _read_labels(source, manifest)
    by_name = dict(zip(manifest["name"], labels, strict=True))
    reasons = manifest["reason"].tolist()
    elsewhere = []
    for place, (name, reason) in enumerate(zip(manifest["name"], reasons, strict=True)):
        twin = by_name.get(reason.removeprefix(SAME_CONTENT)) if reason.startswith(SAME_CONTENT) else None
        if twin is not None and twin != labels[place]:
            reasons[place] = f"{reason}, in another class"
            elsewhere.append(name)
    if elsewhere:
        log.warning(
            "%s the same content as one of another class, and %s left out: %s",
            "1 picture has" if len(elsewhere) == 1 else f"{len(elsewhere)} pictures have",
            "was" if len(elsewhere) == 1 else "were",
            shorten_list(elsewhere),
        )
    return manifest.assign(label=labels, reason=reasons)


def check_classes(source: PictureSource, manifest: pd.DataFrame) -> None:
    """Check that there are classes to tell apart, and that each has a picture for every split.

    Args:
        source: Which pictures it names for valid and test.
        manifest: One row a picture, with ``label`` and ``usable``.

    Raises:
        UserError: There is one class only; a class has no usable picture, too few, or none for the training.
    """
    classes = manifest["label"].drop_duplicates().sort_values().tolist()
    usable = manifest[manifest["usable"]]
    if unusable := [name for name in classes if name not in set(usable["label"])]:
        reason = manifest.loc[manifest["label"] == unusable[0], "reason"].iloc[0]
        raise UserError(
            f"source: no picture of the class {shorten_list(unusable, _CLASSES_SHOWN)} can be used (the first of "
            f"{unusable[0]}: {reason}). Put whole pictures there, or remove the folder."
        )
    if len(classes) == 1:
        raise UserError(
            f"source: {classes[0]} is the only class, so there is nothing to tell apart. Give pictures of two or more."
        )
    held = usable["name"].isin([name for names in source.own_split.values() for name in names])
    # Files that differ in their suffix alone are in the same split, and count once.
    learnt = usable.assign(stem=find_stems(usable))[~held].groupby("label")["stem"].nunique()
    if untaught := [name for name in classes if name not in learnt]:
        raise UserError(
            f"source: pictures of the class {shorten_list(untaught, _CLASSES_SHOWN)} are for the test or the "
            "validation, and none for the training. Put some there, or take the class out of the others."
        )
    others = list_parts_by_hash(source)
    if few := [f"{name} ({learnt[name]})" for name in classes if learnt[name] <= len(others)]:
        needed = ["training", *({"valid": "validation", "test": "test"}[part] for part in reversed(others))]
        raise UserError(
            f"source: too few usable pictures of the class {shorten_list(few, _CLASSES_SHOWN)}. At least {len(needed)} "
            f"different ones of each are needed, one each for {', '.join(needed)}; for a good model, hundreds."
        )
    tested = set(usable.loc[usable["name"].isin(source.own_split.get("test", [])), "label"])
    if tested and (untested := [name for name in classes if name not in tested]):
        log.warning("the test has no picture of %s", shorten_list(untested, _CLASSES_SHOWN))


def count_classes(split: pd.DataFrame) -> pd.DataFrame:
    """Count the pictures of each class, and log how balanced they are.

    Args:
        split: One row a usable picture, with ``label`` and ``split``.

    Returns:
        One row a class, sorted by name: ``class``, ``train``, ``valid`` and ``test`` (numbers of pictures), and
        ``share`` (of all pictures, 0..1).
    """
    counts = pd.crosstab(split["label"], split["split"])
    counts = counts.reindex(columns=["train", "valid", "test"], fill_value=0).sort_index()
    total = counts.sum(axis=1)
    ordered = total.sort_values(ascending=False, kind="stable")
    log.info(
        "%d classes, the largest %.1f times the smallest (%s with %d, %s with %d): %s",
        len(total),
        ordered.iloc[0] / ordered.iloc[-1],
        ordered.index[0],
        ordered.iloc[0],
        ordered.index[-1],
        ordered.iloc[-1],
        shorten_list([f"{name} {count}" for name, count in total.items()], _CLASSES_SHOWN),
    )
    table = counts.assign(share=total / total.sum()).reset_index(names="class")
    table.columns.name = None
    return table


def _read_labels(source: PictureSource, manifest: pd.DataFrame) -> list[str]:
    """Read the class of each row's picture from its file's path."""
    tested = manifest["name"].str.startswith(TEST_PREFIX) & (source.test is not None)
    texts = match_globs(manifest.loc[~tested, "file"], source.good)
    if source.test:
        root = f"{source.test.root.as_posix()}/"
        files = {file.removeprefix(root): file for file in manifest.loc[tested, "file"]}
        texts |= {files[file]: text for file, text in match_globs(files, source.test.good).items()}
    return [normalize("NFC", texts[file][0]) for file in manifest["file"]]
