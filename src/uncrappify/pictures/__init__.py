"""Decoding of picture files and masks."""

from uncrappify.pictures.picture import (
    LARGEST_MEGAPIXELS,
    SMALLEST_SIDE,
    SUFFIXES,
    Reading,
    UnusablePicture,
    decode,
    is_enlargement,
    read_content,
    read_picture,
    to_rgb,
    write_picture,
)

__all__ = [
    "LARGEST_MEGAPIXELS",
    "SMALLEST_SIDE",
    "SUFFIXES",
    "Reading",
    "UnusablePicture",
    "decode",
    "is_enlargement",
    "read_content",
    "read_picture",
    "to_rgb",
    "write_picture",
]
