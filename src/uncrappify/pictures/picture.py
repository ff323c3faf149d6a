"""Decoding of picture files of any supported kind to upright 8-bit RGB, or the reason why a file is unusable."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.pictures import png, tiff
from uncrappify.pictures.kinds import recognise_readable
from uncrappify.pictures.limits import open_to_decode, prepare_tiff, read_orientation
from uncrappify.pictures.reading import read_reserved
from uncrappify.pictures.samples import guess_range, round_to_bytes
from uncrappify.pictures.tiff_layout import begin_with_picture, describe
from uncrappify.pictures.unusable import UnusablePicture, damage_told

LIST_AGAIN = "Put it back, or run again from the node list (the whole pipeline, without --from-nodes)."


class Reading(NamedTuple):
    """A decoded picture and how it was converted.

    Attributes:
        picture: Upright, mode RGB, without metadata.
        mode: Pillow's name for the file's own pixel format, such as ``RGB``, ``P``, ``CMYK`` or ``I;16``.
        notes: Conversions that changed the pixels, such as ``alpha over white``.
    """

    picture: Image.Image
    mode: str
    notes: list[str]


def read_picture(path: Path, sha256: str | None = None) -> Image.Image:
    """Read a picture that was usable when its source was listed, as upright 8-bit RGB; see :func:`decode`.

    Args:
        path: The file.
        sha256: Of its content, in hexadecimal; None where nothing is known of it.

    Returns:
        The picture, mode RGB.

    Raises:
        UserError: The file is missing, or has changed or become unusable since it was listed.
    """
    try:
        with read_reserved(path) as content:
            check_content(path, content, sha256)
            return decode(content).picture
    except UnusablePicture as reason:
        raise UserError(
            f"{path}: {reason}. The picture has gone or changed since it was listed. {LIST_AGAIN}"
        ) from reason


def check_content(path: Path, content: bytes, sha256: str | None) -> None:
    """Check that a file is what it was.

    Args:
        path: The file.
        content: Its bytes.
        sha256: Of the bytes that it had, in hexadecimal; None where nothing is known of them.

    Raises:
        UserError: It has other bytes now.
    """
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{path}: the file has changed since it was listed. {LIST_AGAIN}")


def write_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG, whole or not at all.

    Args:
        picture: The picture.
        path: Target; an existing file is replaced.

    Raises:
        UserError: The disk is full or the folder does not allow writing.
    """
    with written_whole(path) as temporary:
        temporary.write_bytes(encode(picture))


def encode(picture: Image.Image) -> bytes:
    """Turn a picture into the bytes of a PNG file.

    Compression level 1 takes a quarter to a half of the time of the default level for 5 to 8 % more bytes.
    """
    content = BytesIO()
    picture.save(content, format="PNG", compress_level=1)
    return content.getvalue()


def decode(content: bytes) -> Reading:
    """Turn a picture file's bytes into upright 8-bit RGB.

    EXIF orientation is applied, palettes are resolved, and an alpha channel or a transparent colour is composited over
    white. Grey and CMYK are converted to RGB, and integers of more than 8 bits by rounding: 16 bits by
    ``round(v / 257)``. The range of floats and of 32 bits is guessed, and noted
    (:func:`~uncrappify.pictures.samples.guess_range`). The first of several frames is taken. Colour profiles are not
    applied. A PNG's own checksums are verified.

    Args:
        content: All bytes of a jpg, png, webp, tiff, bmp, gif or avif file.

    Returns:
        The picture, the file's own mode, and notes on what was changed.

    Raises:
        UnusablePicture: The file is empty, not a picture, of a kind that is not supported, truncated or damaged.
    """
    kind = recognise_readable(content)
    with damage_told(content, kind):
        if kind == "TIFF":
            return _decode_tiff(content)
        return _decode(png.check(content) if kind == "PNG" else content, kind)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any picture to upright 8-bit RGB, as :func:`decode` does with a file.

    Args:
        image: Picture of any mode; it is not changed.

    Returns:
        A new picture, mode RGB, without metadata.

    Raises:
        TypeError: If ``image`` is not a Pillow picture.
    """
    if not isinstance(image, Image.Image):
        raise TypeError(
            f"expected a Pillow picture or an array (H, W, 3), uint8, got {type(image).__name__}: {image!r}. "
            "PIL.Image.open opens a file."
        )
    return _convert(image)[0]


def is_enlargement(degraded: Sequence[int], target: Sequence[int], scale: int) -> bool:
    """Whether a target's sides are ``scale`` times the degraded picture's, plus less than ``2 * scale`` pixels."""
    return all(0 <= good - bad * scale < 2 * scale for bad, good in zip(degraded, target, strict=True))


def _decode_tiff(content: bytes) -> Reading:
    content = begin_with_picture(content)
    layout = describe(content)
    if layout.is_plain:
        # Pillow does not know every combination of channels.
        with suppress(UnidentifiedImageError):
            return _decode(content, "TIFF")
    picture, mode, notes = tiff.read(content, layout)
    frames = [f"first frame of {len(layout.pages)}"] if len(layout.pages) > 1 else []
    return _finish(picture, mode, [*frames, *notes, *(["turned by EXIF"] if read_orientation(picture) != 1 else [])])


def _decode(content: bytes, kind: str) -> Reading:
    image = open_to_decode(content, kind)
    mode, notes = image.mode, _note_conversions(image)
    if kind == "TIFF":
        prepare_tiff(image)
    if kind == "PNG":
        return _finish(png.read(content, image), mode, notes)
    return _finish(_drop_unset_alpha(image) if kind == "BMP" else image, mode, notes)


def _finish(image: Image.Image, mode: str, notes: list[str]) -> Reading:
    picture, transparent = _convert(image)
    return Reading(picture, mode, [*notes, "alpha over white"] if transparent else notes)


def _drop_unset_alpha(image: Image.Image) -> Image.Image:
    """Take a BMP as opaque whose alpha is 0 everywhere, as browsers do: many programs leave the fourth byte unset."""
    return image.convert("RGB") if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0) else image


def _note_conversions(image: ImageFile.ImageFile) -> list[str]:
    """List the conversions that decoding will make, while frames, bit depth and orientation are still known."""
    # The second frame of a phone's JPEG (MPO) is a depth map or a preview, not part of the picture.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    sixteen = image.mode.startswith("I;16") or any(";16" in str(tile[3]) for tile in image.tile)
    found = {
        f"first frame of {frames}": frames > 1,
        "palette": image.mode in {"P", "PA"},
        "CMYK": image.mode == "CMYK",
        "16 bit to 8": sixteen,
        "turned by EXIF": read_orientation(image) != 1,
    }
    return [note for note, holds in found.items() if holds]


def _convert(image: Image.Image) -> tuple[Image.Image, bool]:
    """Rotate upright and convert to RGB without metadata; also return whether any pixel was transparent."""
    # Read before loading: Pillow rotates a TIFF when it loads it, and then drops the orientation.
    turned = read_orientation(image) != 1
    image.load()
    image = ImageOps.exif_transpose(image) if turned else image
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image)
    transparent = False
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        transparent = alpha.getextrema() != (255, 255)
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        image = white
    picture = image.convert("RGB")
    # An orientation or profile left here would be saved with the picture and applied a second time.
    picture.info = {}
    return picture, transparent


def _to_eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    black, white = (0, 65535) if image.mode.startswith("I;16") else guess_range(values)
    return Image.fromarray(round_to_bytes(values, black, white))
