"""TIFF pictures that Pillow does not read, or not to the right values: their samples brought to 8 bits."""

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from uncrappify.pictures.samples import Bytes, Samples, divide_by_alpha, guess_range, round_to_bytes
from uncrappify.pictures.tiff_layout import CMYK, FLOAT, GREY_INVERTED, PALETTE, SIGNED, Layout
from uncrappify.pictures.tiff_samples import read_samples
from uncrappify.pictures.unusable import UnusablePicture

_LARGEST_PALETTE_OF_BYTES = 255


def read(content: bytes, layout: Layout) -> tuple[Image.Image, str, list[str]]:
    """Read the first picture of a TIFF, whatever its samples are.

    Where the file does not give the range, integers of up to 16 bits have that of their type, as the format says: 0 to
    2^bits - 1, or -32768 to 32767. For floats and longer integers it is guessed
    (:func:`~uncrappify.pictures.samples.guess_range`).

    Args:
        content: The file's bytes.
        layout: What its directory says.

    Returns:
        The picture, mode L, LA, RGB, RGBA or CMYK, as it lies in the file, its orientation in its EXIF; Pillow's name
        of the file's pixel format, or the nearest that it has; and notes of what changed the pixels.

    Raises:
        UnusablePicture: It is truncated or damaged, or not supported; the message says what is not.
    """
    samples = read_samples(content, layout)
    colours = samples[..., : layout.colours]
    notes, (black, white) = find_range(layout, colours)
    if layout.photometric == PALETTE:
        pixels, notes = list_colours(layout)[colours[..., 0]], ["palette"]
    else:
        inverted = layout.photometric == GREY_INVERTED
        pixels = round_to_bytes(colours, *((white, black) if inverted else (black, white)))
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[pixels.shape[2]]
    opacity = None
    if layout.alpha is not None and mode != "CMYK":
        opacity = round_to_bytes(samples[..., layout.alpha], black, white)
        pixels = divide_by_alpha(pixels, opacity, 255) if layout.is_premultiplied else pixels
    picture = Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode=mode)
    if opacity is not None:
        picture.putalpha(Image.fromarray(opacity))
    picture.getexif()[ExifTags.Base.Orientation] = layout.orientation
    return picture, _name_mode(layout, picture.mode), notes


def list_colours(layout: Layout) -> Bytes:
    """List a palette's colours, (places, 3): they are of 16 bits; some writers wrongly give 8.

    Raises:
        UnusablePicture: There are more or fewer than the samples have places for.
    """
    entries = layout.tags.get(TiffImagePlugin.COLORMAP, ())
    if len(entries) != 3 << layout.bits[0]:
        raise UnusablePicture("truncated or damaged")
    palette = np.array(entries, np.uint16).reshape(3, -1).T
    # Programs that have colours of 8 bits write them times 256, or times 257.
    return (palette if palette.max() <= _LARGEST_PALETTE_OF_BYTES else palette >> 8).astype(np.uint8)


def find_range(layout: Layout, colours: Samples) -> tuple[list[str], tuple[float, float]]:
    """Find the samples that are black and white, and what to note of it."""
    bits = layout.bits[0]
    notes = ["CMYK"] if layout.photometric == CMYK else []
    if layout.has_range and not layout.given_range:
        if layout.kind == SIGNED:
            return [*notes, f"signed {bits} bit to 8"], (-(1 << bits - 1), (1 << bits - 1) - 1)
        return [*notes, *([f"{bits} bit to 8"] if bits > 8 else [])], (0, (1 << bits) - 1)
    black, white = layout.given_range or guess_range(colours)
    span = f"white is {white:g}" if black == 0 else f"black is {black:g} and white {white:g}"
    return [*notes, f"{bits} bit to 8 ({span})"], (black, white)


def _name_mode(layout: Layout, mode: str) -> str:
    if layout.photometric == PALETTE:
        return "P"
    if mode != "L" or layout.bits[0] <= 8:
        return mode
    if layout.kind == FLOAT:
        return "F"
    return "I;16" if layout.bits[0] <= 16 and layout.kind != SIGNED else "I"
