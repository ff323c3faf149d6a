"""All pictures of a split as one array, decoded once: an epoch over small ones would be spent on opening files."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from uncrappify.errors import UserError
from uncrappify.pictures import fit_picture, is_grey, read_picture
from uncrappify.pictures.fitting import COLOUR, GREY
from uncrappify.progress import track
from uncrappify.sources.parameters import PictureSource

_SHARE_OF_MEMORY = 0.5

LARGEST_SIDE = 1024
"""Of the pictures that a classifier learns from, in pixels."""


def decode_pictures(source: PictureSource, split: pd.DataFrame, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Decode all pictures of a split by a thread pool, fitted by :func:`~uncrappify.pictures.fit_picture`.

    Args:
        source: Where the pictures are.
        split: One row a picture, with ``name``, ``file``, ``sha256``, ``mode``, ``width`` and ``height``.
        size: Height and width; None where all pictures have the same.

    Returns:
        (N, C, height, width), 0..255, in the order of the rows; C is 1 if every file is grey, else 3.

    Raises:
        UserError: The sizes differ and no ``size`` is given; the array would take more than half of the machine's
            memory; or a file is missing, or has changed since it was listed.
    """
    height, width = size or _find_size(split)
    channels = GREY if split["mode"].map(is_grey).all() else COLOUR
    _check_memory(len(split), channels, height, width)
    pixels = np.empty((len(split), channels, height, width), np.uint8)

    def decode(place: int, file: str, sha256: str) -> None:
        pixels[place] = fit_picture(read_picture(source.root / file, sha256), (height, width), channels)

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        done = pool.map(decode, range(len(split)), split["file"], split["sha256"])
        for _ in track(done, "decoding pictures", len(split)):
            pass
    finally:
        # Otherwise Ctrl-C would wait until every picture was decoded.
        pool.shutdown(cancel_futures=True)
    return pixels


def _find_size(split: pd.DataFrame) -> tuple[int, int]:
    """Find the one size of all pictures, height and width."""
    first = split.drop_duplicates(["height", "width"])[["name", "width", "height"]]
    if len(first) > 1:
        told = " and ".join(f"{name} {width}x{height}" for name, width, height in first[:2].itertuples(index=False))
        raise UserError(
            f"size: the pictures have {len(first)} different sizes, such as {told} pixels. Give the size (height, "
            "width) that all are brought to, such as size: [64, 64]."
        )
    height, width = int(first["height"].iloc[0]), int(first["width"].iloc[0])
    if max(height, width) > LARGEST_SIDE:
        raise UserError(
            f"size: the pictures have {width}x{height} pixels, and a network takes at most {LARGEST_SIDE} a side. Give "
            "the size (height, width) that they are brought to, such as size: [128, 128]."
        )
    return height, width


def _check_memory(number: int, channels: int, height: int, width: int) -> None:
    # Here: whoever only uses a model checks no memory.
    import psutil

    limit = int(psutil.virtual_memory().total * _SHARE_OF_MEMORY)
    needed = number * channels * height * width
    if needed > limit:
        # Of the same shape.
        scale = math.sqrt(limit / needed)
        raise UserError(
            f"size: {number} pictures of {width}x{height} pixels and {channels} channel{'s' * (channels > 1)} need "
            f"{needed / 1e9:.1f} GB, more than half of this machine's memory ({limit / 1e9:.1f} GB). At most "
            f"size: [{int(height * scale)}, {int(width * scale)}] is possible."
        )
