"""Decoding of picture files and masks."""

from uncrappify.pictures.budget import OVER_A_LIMIT
from uncrappify.pictures.fitting import fit_picture, is_grey
from uncrappify.pictures.kinds import SUFFIXES, UNSUPPORTED
from uncrappify.pictures.limits import SMALLEST_SIDE, crop_corner, open_picture
from uncrappify.pictures.picture import (
    Reading,
    check_content,
    decode,
    encode,
    is_enlargement,
    read_picture,
    to_rgb,
    write_picture,
)
from uncrappify.pictures.reading import read_content, read_reserved, read_within_limit, reserve_memory
from uncrappify.pictures.unusable import UnusablePicture

__all__ = [
    "OVER_A_LIMIT",
    "SMALLEST_SIDE",
    "SUFFIXES",
    "UNSUPPORTED",
    "Reading",
    "UnusablePicture",
    "check_content",
    "crop_corner",
    "decode",
    "encode",
    "fit_picture",
    "is_enlargement",
    "is_grey",
    "open_picture",
    "read_content",
    "read_picture",
    "read_reserved",
    "read_within_limit",
    "reserve_memory",
    "to_rgb",
    "write_picture",
]
