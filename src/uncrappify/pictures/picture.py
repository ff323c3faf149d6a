"""Decoding of picture files of any supported kind to upright 8-bit RGB, or the reason why a file is unusable."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
"""Suffixes of picture files, in lower case with their dot."""

SMALLEST_SIDE = 16
"""Pixels; a picture with a shorter side is unusable."""

LARGEST_MEGAPIXELS = 200
"""A picture with more is refused by its header, before anything is decoded."""

# Without this list Pillow would also try formats that start other programs (EPS) whatever a file's suffix is.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
# A truncated TIFF has lost its directory at the end, so that Pillow does not recognise it as a picture.
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
_opening = Lock()


class UnusablePicture(Exception):  # noqa: N818 - a finding that is tabulated, not an error of the program
    """A file that cannot be used as a picture; the message is the reason, in lower case."""


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


def read_picture(path: Path) -> Image.Image:
    """Read a picture that was usable when its source was listed, as upright 8-bit RGB; see :func:`decode`.

    Args:
        path: The file.

    Returns:
        The picture, mode RGB.

    Raises:
        UserError: The file is missing, or has become unusable since it was listed.
    """
    try:
        return decode(read_content(path)).picture
    except UnusablePicture as reason:
        raise UserError(
            f"{path}: {reason}. The picture has gone or changed since it was listed. Put it back, or run again from "
            "the node list (the whole pipeline, without --from-nodes)."
        ) from reason


def write_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG, whole or not at all.

    Compression level 1 takes a quarter to a half of the time of the default level for 5 to 8 % more bytes.

    Args:
        picture: The picture.
        path: Target; an existing file is replaced.

    Raises:
        UserError: The disk is full or the folder does not allow writing.
    """
    with written_whole(path) as temporary:
        picture.save(temporary, format="PNG", compress_level=1)


def read_content(path: Path) -> bytes:
    """Read a picture file's bytes.

    Args:
        path: The file.

    Returns:
        All its bytes.

    Raises:
        UnusablePicture: The file cannot be read.
    """
    try:
        return path.read_bytes()
    except PermissionError as error:
        raise UnusablePicture("no permission to read it") from error
    except OSError as error:
        raise UnusablePicture(f"cannot be read ({(error.strerror or str(error)).lower()})") from error


def decode(content: bytes) -> Reading:
    """Turn a picture file's bytes into upright 8-bit RGB.

    EXIF orientation is applied, palettes are resolved, and an alpha channel is composited over white. Grey and CMYK are
    converted to RGB, and 16 bits to 8 by ``round(v / 257)`` (for 16-bit *colour*, Pillow gives only the upper byte).
    The first of several frames is taken. Colour profiles are not applied.

    Args:
        content: All bytes of a jpg, png, webp, tiff, bmp or gif file.

    Returns:
        The picture, the file's own mode, and notes on what was changed.

    Raises:
        UnusablePicture: The file is empty, not a picture, truncated, damaged, too small or too large.
    """
    if not content:
        raise UnusablePicture("0 bytes")
    image = _open(content)
    _check_size(image)
    mode = image.mode
    try:
        notes = _note_conversions(image)
        picture, transparent = _convert(image)
    except MemoryError as error:
        raise UnusablePicture("not enough memory to decode it") from error
    except Exception as error:  # Pillow's exceptions for broken data differ by format and version
        raise UnusablePicture(_describe_damage(error)) from error
    return Reading(picture, mode, [*notes, "alpha over white"] if transparent else notes)


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


def _open(content: bytes) -> ImageFile.ImageFile:
    # Pillow's own limit warns from 89 megapixels and refuses from 179. It is a global, hence the lock; reading a header
    # is quick, and the limit is back in place before any pixel is decoded.
    with _opening:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            return Image.open(BytesIO(content), formats=_FORMATS)
        except UnidentifiedImageError as error:
            begun = content.startswith(_SIGNATURES)
            raise UnusablePicture("truncated or damaged" if begun else "not a picture") from error
        except Exception as error:  # as in decode
            raise UnusablePicture(_describe_damage(error)) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _describe_damage(error: Exception) -> str:
    return "truncated" if "truncated" in str(error).lower() else "truncated or damaged"


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if min(width, height) < SMALLEST_SIDE:
        raise UnusablePicture(f"{width}x{height}, smaller than {SMALLEST_SIDE}x{SMALLEST_SIDE}")
    if width * height > LARGEST_MEGAPIXELS * 1_000_000:
        raise UnusablePicture(f"{width}x{height}, over {LARGEST_MEGAPIXELS} megapixels")


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
        "32 bit to 8": image.mode in {"I", "F"} and not sixteen,
        "turned by EXIF": _is_turned(image),
    }
    return [note for note, holds in found.items() if holds]


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except Exception:  # broken EXIF says nothing about the pixels
        return False


def _load_upright(image: Image.Image) -> Image.Image:
    # Read before loading: Pillow rotates a TIFF when it loads it, and then drops the orientation.
    turned = _is_turned(image)
    image.load()
    return ImageOps.exif_transpose(image) if turned else image


def _convert(image: Image.Image) -> tuple[Image.Image, bool]:
    """Rotate upright and convert to RGB without metadata; also return whether any pixel was transparent."""
    image = _load_upright(image)
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
    """Scale 16 bits by 1/257, and 32-bit modes by the smallest usual maximum (1, 255, 65535) not below their peak."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    peak = float(values.max())
    if image.mode.startswith("I;16"):
        white = 65535.0
    else:
        usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        white = next((value for value in usual if peak <= value), peak)
    return Image.fromarray(np.rint(values * (255 / white)).clip(0, 255).astype(np.uint8))
