"""Mask files: the number or colour that every pixel is stored with, upright and never rounded."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError

from uncrappify.pictures import png
from uncrappify.pictures.kinds import recognise_readable
from uncrappify.pictures.limits import open_picture, open_to_decode, prepare_tiff, read_orientation
from uncrappify.pictures.samples import Samples, divide_by_alpha, round_to_bytes
from uncrappify.pictures.tiff import list_colours
from uncrappify.pictures.tiff_layout import (
    CMYK,
    GREY_INVERTED,
    PALETTE,
    UNSIGNED,
    Layout,
    begin_with_picture,
    describe,
    explain_refusal,
)
from uncrappify.pictures.tiff_samples import read_samples
from uncrappify.pictures.unusable import UnfitMask, damage_told

SUFFIXES = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})
"""Suffixes of lossless formats; JPEG would mix the values of neighbouring pixels."""

_FORMATS = frozenset({"PNG", "BMP", "GIF", "TIFF"})
_MODES = frozenset({"1", "L", "LA", "P", "PA", "I", "I;16", "I;16B", "I;16L", "F", "RGB", "RGBA"})
_ORIENTATION_IN_PNG = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
_LOSSY = frozenset({"tiff_jpeg", "jpeg"})
_SAVE_AS_PNG = "Save masks as PNG from the program in which they were drawn."


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
    kind = recognise_readable(content)
    with damage_told(content, kind):
        if kind == "TIFF":
            mask = _parse_tiff(content)
        else:
            mask = _parse(png.check(content) if kind == "PNG" else content, kind)

    def read() -> Pixels:
        with damage_told(content, kind):
            return mask.read()

    return replace(mask, read=read)


def _parse(content: bytes, kind: str) -> MaskFile:
    image = open_to_decode(content, kind)
    _refuse_lossy(image)
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise _tell_pages(frames, "frames")
    # Pillow decodes a PNG to look for an orientation behind the pixels.
    told = kind != "PNG" or any(mark in content for mark in _ORIENTATION_IN_PNG)
    orientation = read_orientation(image) if told else 1
    _refuse_mode(image.mode)
    read = convert_pixels if kind != "PNG" or image.mode == "P" else lambda image: _read_png(content, image)
    return _make(image.size, orientation, lambda: read(image))


def _parse_tiff(content: bytes) -> MaskFile:
    content = begin_with_picture(content)
    layout = describe(content)
    if layout.full_pages > 1:
        raise _tell_pages(layout.full_pages, "pages")
    inverted = layout.bits == (1,) and layout.photometric == GREY_INVERTED
    if refusal := explain_refusal(layout):
        return replace(_parse_by_pillow(content, refusal), inverted=inverted)
    if layout.photometric == CMYK:
        _refuse_mode("CMYK")
    exact = layout.has_range and layout.kind == UNSIGNED
    others = layout.samples - layout.colours
    if (layout.samples > 1 and not exact) or (layout.colours == 1 and others > 1):
        raise UnfitMask(
            f"the mask is a TIFF of {layout.samples} x {layout.bits[0]} bits, photometric {layout.photometric}, which "
            f"is not supported. {_SAVE_AS_PNG}"
        )
    size = layout.width, layout.height
    return replace(_make(size, layout.orientation, lambda: _read_tiff(content, layout)), inverted=inverted)


def _parse_by_pillow(content: bytes, refusal: str) -> MaskFile:
    """Read a TIFF that is left to Pillow, such as a fax, whose white is what it shows, whatever the number."""
    try:
        image = open_picture(BytesIO(content), "TIFF")
    except UnidentifiedImageError as error:
        raise UnfitMask(f"the mask is of a kind that is {refusal}. {_SAVE_AS_PNG}") from error
    _refuse_lossy(image)
    _refuse_mode(image.mode)

    def read() -> Pixels:
        prepare_tiff(image)
        return convert_pixels(image)

    # Pillow turns a TIFF when it loads it, and gives its size upright before.
    return MaskFile(image.size, read_orientation(image), read)


def _make(stored: tuple[int, int], orientation: int, read: Callable[[], Pixels]) -> MaskFile:
    """Put together what turns a mask upright that is ``read`` as it is stored."""
    size = stored[::-1] if orientation >= 5 else stored
    return MaskFile(size, orientation, lambda: _turn(read(), orientation))


def convert_pixels(image: Image.Image) -> Pixels:
    """Take the pixels of a picture in memory, of any mode that a mask may have."""
    samples, shown = np.asarray(image), None
    if image.mode == "1":
        samples, shown = samples.astype(np.uint8), _list_greys(1)
    if image.mode in {"P", "PA"}:
        palette = np.array(image.getpalette("RGB") or [], dtype=np.int64).reshape(-1, 3)
        # A number beyond the palette has no colour.
        shown = np.concatenate([palette, np.full((256 - len(palette), 3), -1)])
    return _divide(np.atleast_3d(samples), 8, shown)


def _read_png(content: bytes, image: ImageFile.ImageFile) -> Pixels:
    depth = content[24]
    return _divide(png.read_samples(content, image), depth, _list_greys(depth) if depth < 8 else None)


def _read_tiff(content: bytes, layout: Layout) -> Pixels:
    """Take the numbers that a TIFF stores, also where white is 0, or where they are signed."""
    samples, bits, colours = read_samples(content, layout), layout.bits[0], layout.colours
    inverted, shown = layout.photometric == GREY_INVERTED, None
    if layout.photometric == PALETTE:
        shown = list_colours(layout).astype(np.int64)
    elif colours == 1 and layout.has_range and layout.kind == UNSIGNED and (inverted or bits < 8):
        shown = _list_greys(bits)[:: -1 if inverted else 1]
    samples = samples[..., : colours + (layout.alpha == colours)]
    if layout.is_premultiplied and samples.shape[2] > colours and layout.photometric != PALETTE:
        opacity, white = samples[..., colours:], (1 << bits) - 1
        colour = divide_by_alpha(samples[..., :colours], round_to_bytes(opacity[..., 0], 0, white), white)
        samples = np.concatenate([colour, opacity], axis=2)
    return _divide(samples, bits, shown)


def _divide(samples: Samples, bits: int, shown: npt.NDArray[np.int64] | None) -> Pixels:
    """Divide samples (H, W, channels) into what tells the class, grey or RGB, and alpha."""
    channels = samples.shape[2]
    values = samples[..., :3] if channels > 2 else samples[..., 0]
    return Pixels(values, shown, None if channels % 2 else round_to_bytes(samples[..., -1], 0, (1 << bits) - 1))


def _list_greys(bits: int) -> npt.NDArray[np.int64]:
    """List the grey that each number of so many bits is shown by, as a colour of 8 bits or of more."""
    greys = np.rint(np.linspace(0, max(255, (1 << bits) - 1), 1 << bits)).astype(np.int64)
    return greys[:, None].repeat(3, axis=1)


def _refuse_lossy(image: ImageFile.ImageFile) -> None:
    kind = "JPEG" if image.format == "MPO" or image.info.get("compression") in _LOSSY else image.format
    if kind not in _FORMATS:
        raise UnfitMask(
            f"the mask is a {kind}, whatever its name says, and that mixes the values of neighbouring pixels: classes "
            f"blur at their edges. {_SAVE_AS_PNG} To convert the {kind} does not bring the classes back."
        )


def _refuse_mode(mode: str) -> None:
    if mode not in _MODES:
        raise UnfitMask(
            f"the mask's pixels are of the kind {mode}, but classes are greys, palette colours or RGB. {_SAVE_AS_PNG}"
        )


def _tell_pages(count: int, kind: str) -> UnfitMask:
    return UnfitMask(
        f"the mask has {count} {kind}, and only a mask of one can be read; a {kind[:-1]} for each class is not "
        "supported. Merge them into one picture whose values are the classes, and save it as PNG."
    )


def _turn(pixels: Pixels, orientation: int) -> Pixels:
    upward, leftward = (-1 if orientation in those else 1 for those in ({3, 4, 7, 8}, {2, 3, 6, 7}))

    def turn(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return (stored.swapaxes(0, 1) if orientation >= 5 else stored)[::upward, ::leftward]

    alpha = None if pixels.alpha is None else turn(pixels.alpha)
    return replace(pixels, values=turn(pixels.values), alpha=alpha)
