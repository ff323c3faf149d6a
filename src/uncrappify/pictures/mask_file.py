"""Mask files: the number or colour that every pixel is stored with, upright and never rounded."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from uncrappify.pictures import png
from uncrappify.pictures.kinds import is_read, recognise
from uncrappify.pictures.limits import open_picture, prepare_tiff, read_orientation
from uncrappify.pictures.unusable import UnusablePicture

SUFFIXES = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})
"""Suffixes of lossless formats; JPEG would mix the values of neighbouring pixels."""

_FORMATS = frozenset({"PNG", "BMP", "GIF", "TIFF"})
_MODES = frozenset({"1", "L", "LA", "P", "PA", "I", "I;16", "I;16B", "I;16L", "F", "RGB", "RGBA"})
_ORIENTATION_IN_PNG = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
# Of a TIFF's page: a smaller copy of another page, or its transparency.
_COPY_OR_TRANSPARENCY = 0b101
_NEW_SUBFILE_TYPE, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLE_FORMAT = 254, 258, 259, 262, 339
_FAX = frozenset({2, 3, 4})
_LOSSY = frozenset({"tiff_jpeg", "jpeg"})
_TURNS: dict[int, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: np.rot90,
}
_SAVE_AS_PNG = "Save masks as PNG from the program in which they were drawn."


class UnfitMask(Exception):  # noqa: N818 - a finding; the caller says of which file
    """A whole file that is no mask, for a reason that the other masks probably share; the message is a sentence."""


@dataclass(frozen=True)
class Pixels:
    """What a mask's pixels are stored as.

    Args:
        values: Numbers (H, W), integer or float, or colours (H, W, 3), uint8 or uint16.
        shown: The colour (3) by which a picture viewer shows each number, or None where the grey is the number itself.
        alpha: The alpha channel (H, W), uint8, or None.
    """

    values: npt.NDArray[Any]
    shown: npt.NDArray[np.int64] | None = None
    alpha: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class MaskFile:
    """A mask of which only the header has been read.

    Args:
        size: Width and height, upright.
        orientation: By EXIF, from 1 (as stored) to 8.
        read: Decodes the pixels, upright; raises :class:`UnusablePicture` where they are damaged.
        inverted: Whether it is a TIFF of one bit in which white is 0, which programs write in two ways.
    """

    size: tuple[int, int]
    orientation: int
    read: Callable[[], Pixels]
    inverted: bool = False


def parse_mask(content: bytes) -> MaskFile:
    """Read the header of a mask's bytes.

    Raises:
        UnusablePicture: The file is damaged.
        UnfitMask: It is lossy, has several pages, or pixels of a kind that holds no classes.
    """
    if not content:
        raise UnusablePicture("0 bytes")
    try:
        image = _open_image(content)
    except UnusablePicture:
        if recognise(content) != "TIFF":
            raise
        return _parse_tiff(content)
    raw = _find_raw_mode(image)
    with _damage_told():
        _refuse_lossy(image)
        _refuse_pages(image)
        # Pillow decodes a PNG to look for an orientation behind the pixels.
        told = image.format != "PNG" or any(mark in content for mark in _ORIENTATION_IN_PNG)
        orientation = read_orientation(image) if told else 1
    if image.mode not in _MODES:
        raise UnfitMask(
            f"the mask's pixels are of the kind {image.mode}, but classes are greys, palette colours or RGB. "
            f"{_SAVE_AS_PNG}"
        )
    if isinstance(image, TiffImageFile):
        upper_bytes_alone = image.mode in {"RGB", "RGBA"} and max(image.tag_v2.get(_BITS, (8,))) > 8
        swapped_twice = (
            image.mode in {"I", "F"} and content.startswith(b"MM") and image.tag_v2.get(_COMPRESSION, 1) != 1
        )
        if upper_bytes_alone or swapped_twice:
            # What Pillow would make of them.
            return _parse_tiff(content)
        inverted = image.mode == "1" and image.tag_v2.get(_PHOTOMETRIC) == 0
        # Pillow turns a TIFF when it loads it, and gives its size upright before.
        return MaskFile(image.size, orientation, lambda: _decode_tiff(image), inverted)
    width, height = image.size
    size = (height, width) if orientation >= 5 else (width, height)
    return MaskFile(size, orientation, lambda: _turn(_decode(image, content, raw), orientation))


def convert_pixels(image: Image.Image) -> Pixels:
    """Take the pixels of a picture in memory, of any mode that a mask may have."""
    values = np.asarray(image)
    if image.mode == "1":
        return Pixels(values.astype(np.uint8), _grey([0, 255]))
    if image.mode in {"P", "PA"}:
        palette = np.array(image.getpalette("RGB") or [], dtype=np.int64).reshape(-1, 3)
        # A number beyond the palette has no colour.
        colours = np.concatenate([palette, np.full((256 - len(palette), 3), -1)])
        return Pixels(values, colours) if values.ndim == 2 else Pixels(values[..., 0], colours, values[..., 1])
    if values.ndim == 2:
        return Pixels(values)
    if values.shape[2] == 2:
        return Pixels(values[..., 0], alpha=values[..., 1])
    return Pixels(values[..., :3], alpha=values[..., 3] if values.shape[2] == 4 else None)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except (UnusablePicture, UnfitMask):
        raise
    except MemoryError as error:
        raise UnusablePicture("not enough memory to decode it") from error
    except Exception as error:  # Pillow's and tifffile's exceptions for broken data differ by format and version
        raise UnusablePicture("truncated or damaged") from error


def _open_image(content: bytes) -> ImageFile.ImageFile:
    kind = recognise(content)
    if kind is None:
        raise UnusablePicture("not a picture")
    if not is_read(kind):
        raise UnusablePicture(f"not supported: {kind}")
    with _damage_told():
        return open_picture(BytesIO(png.check(content) if kind == "PNG" else content), kind)


def _refuse_lossy(image: ImageFile.ImageFile) -> None:
    kind = "JPEG" if image.format == "MPO" or image.info.get("compression") in _LOSSY else image.format
    if kind not in _FORMATS:
        raise UnfitMask(
            f"the mask is a {kind}, whatever its name says, and that mixes the values of neighbouring pixels: classes "
            f"blur at their edges. {_SAVE_AS_PNG} To convert the {kind} does not bring the classes back."
        )


def _refuse_pages(image: ImageFile.ImageFile) -> None:
    pages = range(getattr(image, "n_frames", 1))
    if isinstance(image, TiffImageFile) and len(pages) > 1:
        pages = range(sum(not _read_page_kind(image, page) & _COPY_OR_TRANSPARENCY for page in pages))
        image.seek(0)
    if len(pages) > 1:
        raise _tell_pages(len(pages), "pages" if image.format == "TIFF" else "frames")


def _read_page_kind(image: TiffImageFile, page: int) -> int:
    image.seek(page)
    return int(image.tag_v2.get(_NEW_SUBFILE_TYPE, 0))


def _tell_pages(count: int, kind: str) -> UnfitMask:
    return UnfitMask(
        f"the mask has {count} {kind}, and only a mask of one can be read; a {kind[:-1]} for each class is not "
        "supported. Merge them into one picture whose values are the classes, and save it as PNG."
    )


def _find_raw_mode(image: ImageFile.ImageFile) -> str:
    """Give Pillow's name for how the file stores a pixel, which is known until the pixels are loaded."""
    arguments = image.tile[0].args if image.tile else ""
    return arguments if isinstance(arguments, str) else ""


def _decode(image: ImageFile.ImageFile, content: bytes, raw: str) -> Pixels:
    with _damage_told():
        image.load()
        if raw in {"RGB;16B", "RGBA;16B", "LA;16B"}:
            return _join_bytes(image, content, raw)
        if raw in {"L;2", "L;4"}:
            return _unscale(np.asarray(image), bits=int(raw[-1]))
        return convert_pixels(image)


def _join_bytes(image: ImageFile.ImageFile, content: bytes, raw: str) -> Pixels:
    """Take all 16 bits of a PNG's colours: Pillow gives their upper bytes, and their lower by a raw mode of its own."""
    again = _open_image(content)
    again.tile = [tile._replace(args="RGBA" if raw == "LA;16B" else raw.replace("16B", "16L")) for tile in again.tile]
    upper, lower = np.asarray(image).astype(np.uint16), np.asarray(again)
    if raw == "LA;16B":
        # Grey and alpha, the upper and the lower byte of each.
        return Pixels((lower[..., 0].astype(np.uint16) << 8) + lower[..., 1], alpha=lower[..., 2])
    values = (upper << 8) + lower
    return Pixels(values[..., :3], alpha=np.asarray(image)[..., 3] if raw == "RGBA;16B" else None)


def _decode_tiff(image: TiffImageFile) -> Pixels:
    """Take the numbers that a TIFF stores, also where white is 0, or where they are signed."""
    with _damage_told():
        tags = image.tag_v2
        bits, compression = tags.get(_BITS, (1,))[0], tags.get(_COMPRESSION, 1)
        white_zero, signed = tags.get(_PHOTOMETRIC) == 0, tags.get(_SAMPLE_FORMAT, (1,))[0] == 2
        prepare_tiff(image)
        image.load()
        pixels = convert_pixels(image)
        if image.mode == "L" and signed:
            return Pixels(pixels.values.view(np.int8))
        if image.mode == "L":
            return _unscale(pixels.values, bits, white_zero=white_zero)
        if image.mode == "1" and white_zero and compression not in _FAX:
            return Pixels(1 - pixels.values, _grey([255, 0]))
        if image.mode == "I;16" and white_zero:
            return Pixels(pixels.values, _grey(range(65535, -1, -1)))
        return pixels


def _unscale(values: npt.NDArray[np.uint8], bits: int, *, white_zero: bool = False) -> Pixels:
    """Undo that Pillow scales greys of 2 and 4 bits to 255, and inverts those whose white is 0."""
    step = 255 // (2**bits - 1)
    greys = range(0, 256, step)
    return Pixels((255 - values if white_zero else values) // step, _grey(greys[::-1] if white_zero else greys))


def _grey(values: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.repeat(np.array(values, dtype=np.int64)[:, None], 3, axis=1)


def _turn(pixels: Pixels, orientation: int) -> Pixels:
    turn = _TURNS[orientation]
    alpha = None if pixels.alpha is None else turn(pixels.alpha)
    return replace(pixels, values=turn(pixels.values), alpha=alpha)


def _parse_tiff(content: bytes) -> MaskFile:
    """Read a TIFF of a kind that Pillow does not read, such as 64 bits, or not exactly, such as 16-bit colours."""
    # Imported where it is needed: it takes a while, and few masks need it.
    from tifffile import TiffFile, TiffPage

    with _damage_told(), TiffFile(BytesIO(content)) as file:
        pages = [page for page in file.pages if isinstance(page, TiffPage)]
        pages = [page for page in pages if not page.subfiletype & _COPY_OR_TRANSPARENCY]
        if len(pages) > 1:
            raise _tell_pages(len(pages), "pages")
        page = pages[0]
        samples, orientation = page.samplesperpixel, page.tags.valueof(ExifTags.Base.Orientation, default=1)
        kind = f"TIFF of {samples} x {page.bitspersample} bits, photometric {page.photometric:d}, compression "
        kind += f"{page.compression:d}"
        grey = samples == 1 and page.photometric in {0, 1}
        colours = samples in {3, 4} and page.photometric == 2 and str(page.dtype) in {"uint8", "uint16"}
        if not (grey or colours):
            raise UnfitMask(f"the mask is a {kind}, which is not supported. {_SAVE_AS_PNG}")
        width, height = page.imagewidth, page.imagelength
    orientation = orientation if orientation in _TURNS else 1
    size = (height, width) if orientation >= 5 else (width, height)
    return MaskFile(size, orientation, lambda: _turn(_decode_by_tifffile(content, kind), orientation))


def _decode_by_tifffile(content: bytes, kind: str) -> Pixels:
    from tifffile import TiffFile

    with _damage_told(), TiffFile(BytesIO(content)) as file:
        page = file.pages.first
        try:
            values = page.asarray()
        except ValueError as error:
            if "imagecodecs" in str(error):
                raise UnfitMask(f"the mask is a {kind}, which is not supported. {_SAVE_AS_PNG}") from error
            raise
        if page.samplesperpixel == 1:
            return Pixels(values)
        values = np.moveaxis(values, 0, -1) if page.planarconfig == 2 else values
        alpha = (values[..., 3] >> 8 * (values.itemsize - 1)).astype(np.uint8) if values.shape[2] == 4 else None
        return Pixels(values[..., :3], alpha=alpha)
