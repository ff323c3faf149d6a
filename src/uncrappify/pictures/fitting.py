"""A picture as an array of a given size and number of channels, as a classifier takes it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

GREY, COLOUR = 1, 3
"""Numbers of channels."""


def is_grey(mode: str) -> bool:
    """Whether a file of a mode, as :class:`~uncrappify.pictures.Reading` names it, can hold greys alone."""
    # La is LA with premultiplied alpha; integers and floats of more than 8 bits have one channel.
    return mode in {"1", "L", "LA", "La"} or mode.startswith(("I", "F"))


def fit_picture(picture: Image.Image, size: tuple[int, int] | None, channels: int) -> NDArray[np.uint8]:
    """Bring a picture to a size and a number of channels.

    It is scaled so that it covers the size, and the middle is cut out: nothing is distorted. Pillow's bilinear filter
    reduces it (over all pixels that an output pixel covers), its bicubic one enlarges it.

    Args:
        picture: Upright, mode RGB.
        size: Height and width; None keeps the picture's own.
        channels: 1 for grey (ITU-R 601-2 luma; a picture that is grey already keeps its values) or 3 for RGB.

    Returns:
        (channels, height, width), 0..255.
    """
    if channels == GREY:
        picture = picture.convert("L")
    if size and size != (picture.height, picture.width):
        height, width = size
        enlarged = height * width > picture.height * picture.width
        method = Image.Resampling.BICUBIC if enlarged else Image.Resampling.BILINEAR
        picture = ImageOps.fit(picture, (width, height), method)
    pixels = np.asarray(picture)
    return pixels[np.newaxis] if channels == GREY else np.ascontiguousarray(pixels.transpose(2, 0, 1))
