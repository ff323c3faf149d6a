"""Decoding of picture files and masks."""

from uncrappify.pictures.kinds import SUFFIXES, UNSUPPORTED
from uncrappify.pictures.limits import LARGEST_MEGAPIXELS, SMALLEST_SIDE, crop_corner, open_picture
from uncrappify.pictures.picture import (
    Reading,
    check_content,
    decode,
    encode,
    is_enlargement,
    read_content,
    read_picture,
    to_rgb,
    write_picture,
)
from uncrappify.pictures.unusable import UnusablePicture

__all__ = [
    "LARGEST_MEGAPIXELS",
    "SMALLEST_SIDE",
    "SUFFIXES",
    "UNSUPPORTED",
    "Reading",
    "UnusablePicture",
    "check_content",
    "crop_corner",
    "decode",
    "encode",
    "is_enlargement",
    "open_picture",
    "read_content",
    "read_picture",
    "to_rgb",
    "write_picture",
]
