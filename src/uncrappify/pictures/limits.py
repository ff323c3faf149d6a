"""How small and how large a picture may be, and opening without Pillow's own limit, which is another one."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO

from PIL import Image, ImageFile

from uncrappify.pictures.unusable import UnusablePicture

SMALLEST_SIDE = 16
"""Pixels; a picture with a shorter side is unusable."""

LARGEST_MEGAPIXELS = 200
"""A picture with more is refused by its header, before anything is decoded."""

_changing = Lock()


def check_size(width: int, height: int) -> None:
    """Check the size that a picture's header tells.

    Raises:
        UnusablePicture: It is too small or too large.
    """
    if min(width, height) < SMALLEST_SIDE:
        raise UnusablePicture(f"{width}x{height}, smaller than {SMALLEST_SIDE}x{SMALLEST_SIDE}")
    if width * height > LARGEST_MEGAPIXELS * 1_000_000:
        raise UnusablePicture(f"{width}x{height}, over {LARGEST_MEGAPIXELS} megapixels")


def open_picture(file: IO[bytes], format: str) -> ImageFile.ImageFile:
    """Open a picture whatever its size is; nothing but its header is read.

    Args:
        file: The file.
        format: The one format that is tried, by Pillow's name.

    Returns:
        The picture, whose size is still to be checked.
    """
    with _without_pillows_limit():
        return Image.open(file, formats=(format,))


def prepare_tiff(image: ImageFile.ImageFile) -> None:
    """Allocate a TIFF's pixels, whose number is checked; Pillow asks its own limit again where it does so itself."""
    with _without_pillows_limit():
        image.load_prepare()


@contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Lift Pillow's own limit, which warns from 89 megapixels and refuses from 179.

    It is a global, hence the lock; what is done meanwhile is quick, and it is back before any pixel is decoded.
    """
    with _changing:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def crop_corner(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Crop right and bottom to ``width`` x ``height``; unlike ``Image.crop``, also a picture of 190 megapixels."""
    if picture.size == (width, height):
        return picture
    cropped = Image.new(picture.mode, (width, height))
    cropped.paste(picture)
    return cropped
