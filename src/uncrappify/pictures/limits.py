"""How small a picture may be, and opening without Pillow's own limit of size, in whose place memory is counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Lock
from typing import IO

from PIL import ExifTags, Image, ImageFile

from uncrappify.pictures import png

SMALLEST_SIDE = 16
"""Pixels; a picture of the user's with a shorter side is unusable. What a recipe makes of it may be smaller."""

_changing = Lock()


def open_picture(file: IO[bytes], format: str) -> ImageFile.ImageFile:
    """Open a picture whatever its size is; nothing but its header is read.

    Args:
        file: The file.
        format: The one format that is tried, by Pillow's name.

    Returns:
        The picture, of any size: whoever decodes it counts the memory first.
    """
    with _without_pillows_limit():
        return Image.open(file, formats=(format,))


def open_to_decode(content: bytes, kind: str) -> ImageFile.ImageFile:
    """Open a picture whose pixels are wanted: of a PNG, loading them finds out whether they are all there.

    Args:
        content: The file's bytes; of a PNG those that :func:`~uncrappify.pictures.png.check` gave.
        kind: Its format, by Pillow's name.
    """
    return png.open_whole(content) if kind == "PNG" else open_picture(BytesIO(content), kind)


def read_orientation(image: Image.Image) -> int:
    """Read how a camera held a picture, from 1 (upright) to 8, before its pixels are loaded.

    Of a PNG they may be loaded, because its EXIF may stand behind them.
    """
    if image.format == "PNG" and "exif" not in image.info:
        image.load()  # as getexif does, whose errors are those of the EXIF alone
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF says nothing about the pixels
        return 1
    return orientation if orientation in range(2, 9) else 1


def prepare_tiff(image: ImageFile.ImageFile) -> None:
    """Allocate a TIFF's pixels, whose memory is counted; Pillow asks its own limit again where it does so itself."""
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
