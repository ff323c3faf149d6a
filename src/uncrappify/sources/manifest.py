"""The manifest: a table of a source's pictures, each decoded once, with the reason if it is unusable."""

import hashlib
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from uncrappify.errors import UserError
from uncrappify.names import escape
from uncrappify.pictures import (
    OVER_A_LIMIT,
    SMALLEST_SIDE,
    UNSUPPORTED,
    UnusablePicture,
    decode,
    read_within_limit,
)
from uncrappify.pictures.jpeg import MOST_SCANS, count_scans
from uncrappify.progress import track
from uncrappify.sources.layout import TEST_PREFIX, match_globs, name_files
from uncrappify.sources.parameters import PictureSource
from uncrappify.walking import find_pictures

logger = logging.getLogger(__name__)

_BAR_FROM = 50
_SHOWN_NAMES = 3

SAME_CONTENT = "same content as "
"""What the reason begins with, before a name, for which a second file with the same bytes is not used."""

Row = dict[str, Any]


def list_pictures(source: PictureSource, smallest: int = SMALLEST_SIDE) -> pd.DataFrame:
    """List a source's pictures, each decoded once, by a thread pool.

    A picture that cannot be used stays in the table with the reason and is counted in a warning; it never stops a run.

    The pictures of a test source have names that begin with ``test_source/``, and an absolute ``file``. Of two files
    with the same content, one in each source, the test keeps its own. A pair is usable when both of its pictures are.

    Args:
        source: Where the pictures are.
        smallest: Pixels; a picture with a shorter side is unusable.

    Returns:
        One row a picture, sorted by ``name``: ``name`` (relative path without suffix; with it where files differ in
        nothing else), ``file`` (relative to the root, forward slashes), ``width`` and ``height``
        (pixels, upright; 0 when unusable), ``mode`` (Pillow's, of the file), ``bytes``, ``sha256``, ``usable``,
        ``reason`` (empty when usable) and ``notes`` (what changed its pixels when it was read; comma separated). Where
        there are pairs, also ``degraded`` (file), ``degraded_sha256``, ``degraded_width`` and ``degraded_height``,
        which are empty where a recipe makes the degraded picture.

    Raises:
        UserError: No picture can be used; the message counts the reasons.
    """
    rows = _examine_all(source, source.test, smallest)
    # Pictures of the test source come first, because of duplicates the first is kept.
    rows.sort(key=lambda row: (not row["name"].startswith(TEST_PREFIX), row["name"]))
    manifest = sorted(_mark_duplicates(rows), key=lambda row: str(row["name"]))
    _report(manifest)
    if not any(row["usable"] for row in manifest):
        raise UserError(_explain_nothing_usable(source.root, manifest, smallest))
    return pd.DataFrame(manifest)


def find_good_pictures(source: PictureSource) -> dict[str, str]:
    """Find the good pictures of a source, without its test source.

    Args:
        source: Where the pictures are.

    Returns:
        Name to file, relative to the source's root.
    """
    return name_files(match_globs(find_pictures(source.root), source.good))


def with_test_source(source: PictureSource, test: PictureSource) -> PictureSource:
    """Take the test split from another source: all of its pictures, and no others.

    Args:
        source: Pictures for training and validation; its own test split, if any, becomes part of the training.
        test: Pictures for the test.

    Returns:
        The source with its test source.
    """
    names = [TEST_PREFIX + name for name in find_good_pictures(test)]
    return source.model_copy(update={"test": test, "own_split": {**source.own_split, "test": names}})


def _examine_all(source: PictureSource, test: PictureSource | None, smallest: int) -> list[Row]:
    entries = [(name, file, source.degraded.get(name, "")) for name, file in find_good_pictures(source).items()]
    if test:
        entries += [
            (TEST_PREFIX + name, _join(test.root, file), _join(test.root, test.degraded.get(name, "")))
            for name, file in find_good_pictures(test).items()
        ]
    paired = bool(source.degraded or (test and test.degraded))
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        rows: Iterable[Row] = pool.map(partial(_make_row, source.root, paired, smallest), entries)
        return list(track(rows, "listing pictures", len(entries)) if len(entries) > _BAR_FROM else rows)
    finally:
        # Otherwise Ctrl-C would wait until every picture of a large folder was read.
        pool.shutdown(cancel_futures=True)


def _join(root: Path, file: str) -> str:
    return file and (root / file).as_posix()


def _make_row(root: Path, paired: bool, smallest: int, entry: tuple[str, str, str]) -> Row:
    name, file, degraded = entry
    row = _examine(root, name, file, smallest)
    if not paired:
        return row
    row |= {"degraded": degraded, "degraded_sha256": "", "degraded_width": 0, "degraded_height": 0}
    if not degraded:
        return row
    twin = _examine(root, name, degraded, smallest)
    if row["usable"] and not twin["usable"]:
        row |= {"usable": False, "reason": f"degraded picture: {twin['reason']}"}
    return row | {f"degraded_{key}": twin[key] for key in ("sha256", "width", "height")}


def _examine(root: Path, name: str, file: str, smallest: int) -> Row:
    row: Row = {"name": name, "file": escape(file), "width": 0, "height": 0, "mode": "", "bytes": 0}
    row |= {"sha256": "", "usable": False, "reason": "", "notes": ""}
    try:
        if row["file"] != file:
            raise UnusablePicture("name is not valid unicode")
        with read_within_limit(root / file) as content:
            row |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            row |= _look_at(content, smallest)
    except UnusablePicture as reason:
        return row | {"reason": _name_kind(str(reason), file)}
    return row


def _look_at(content: bytes, smallest: int) -> Row:
    """Decode a picture, and give what its row says of it.

    Raises:
        UnusablePicture: It cannot be decoded, or is over one of the limits of what a user may bring.
    """
    scans = count_scans(content)
    if scans > MOST_SCANS:
        raise UnusablePicture(f"{OVER_A_LIMIT}: a JPEG of {scans} scans, the limit is {MOST_SCANS}")
    picture, mode, notes = decode(content)
    width, height = picture.size
    if min(width, height) < smallest:
        raise UnusablePicture(f"{width}x{height}, smaller than {smallest}x{smallest}")
    return {"width": width, "height": height, "mode": mode, "usable": True, "notes": ", ".join(notes)}


def _name_kind(reason: str, file: str) -> str:
    """Name the kind by the suffix where the content does not tell it, as Targa's."""
    kind = UNSUPPORTED.get(Path(file).suffix.lower())
    return f"not supported: {kind}" if kind and reason == "not a picture" else reason


def _mark_duplicates(rows: list[Row]) -> list[Row]:
    first: dict[str, str] = {}
    for row in rows:
        if row["usable"] and first.setdefault(row["sha256"], row["name"]) != row["name"]:
            row |= {"usable": False, "reason": f"{SAME_CONTENT}{first[row['sha256']]}"}
    return rows


def _classify(reason: str) -> str:
    """Remove the details of a single picture: ``1x1, smaller than 16x16`` to ``smaller than 16x16``."""
    if OVER_A_LIMIT in reason:
        return OVER_A_LIMIT
    return "same content as another" if reason.startswith(SAME_CONTENT) else reason.rpartition(", ")[2]


def _report(rows: list[Row]) -> None:
    unusable = defaultdict(list)
    for row in rows:
        if not row["usable"]:
            unusable[_classify(row["reason"])].append(row["file"])
    for kind, files in sorted(unusable.items()):
        shown = ", ".join(files[:_SHOWN_NAMES]) + (", ..." if len(files) > _SHOWN_NAMES else "")
        logger.warning("%s left out, %s: %s", _format_count(len(files)), kind, shown)
    notes = Counter(note for row in rows if row["usable"] and row["notes"] for note in row["notes"].split(", "))
    if notes:
        said = ", ".join(f"{note} ({_format_count(number)})" for note, number in sorted(notes.items()))
        logger.info("read as 8-bit RGB: %s", said)


def _format_count(number: int) -> str:
    return f"{number} picture{'' if number == 1 else 's'}"


def _explain_nothing_usable(root: Path, rows: list[Row], smallest: int) -> str:
    if not rows:
        return f"there are no pictures in {root}. Give a folder with pictures (jpg, png, webp, tiff, bmp, gif, avif)."
    reasons = Counter(_classify(row["reason"]) for row in rows)
    counted = ", ".join(f"{number} {kind}" for kind, number in sorted(reasons.items()))
    return (
        f"none of the pictures in {root} can be used ({counted}). Give a folder with whole pictures of at least "
        f"{smallest}x{smallest} pixels (jpg, png, webp, tiff, bmp, gif, avif), for example\n"
        "  --params pictures=~/Pictures"
    )
