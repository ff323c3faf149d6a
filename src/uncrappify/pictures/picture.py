"""Whatever kind of picture file comes in, an upright 8-bit RGB picture comes out, or the reason why not."""

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
# A TIFF that was cut off has lost its directory at the end, and Pillow takes it for no picture at all.
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
_opening = Lock()


class UnusablePicture(Exception):  # noqa: N818 - a finding that is tabulated, not an error of the program
    """A file that gives no picture to learn from; the message is the reason, in lower case."""


class Reading(NamedTuple):
    """A picture and what was done to get it.

    Attributes:
        picture: Upright, mode RGB, without metadata.
        mode: Pillow's name for the file's own pixel format, such as ``RGB``, ``P``, ``CMYK`` or ``I;16``.
        notes: What changed the pixels on the way, such as ``alpha over white``.
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
        UserError: It has gone since then, or cannot be used any more.
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
        path: Where to; a file that exists is replaced.

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
        UnusablePicture: It cannot be read.
    """
    try:
        return path.read_bytes()
    except PermissionError as error:
        raise UnusablePicture("no permission to read it") from error
    except OSError as error:
        raise UnusablePicture(f"cannot be read ({(error.strerror or str(error)).lower()})") from error


def decode(content: bytes) -> Reading:
    """Turn a picture file's bytes into upright 8-bit RGB.

    Orientation from EXIF is applied, a palette resolved, alpha laid over white, grey and CMYK become RGB, 16 bits
    become ``round(v / 257)`` (where Pillow keeps them: of 16-bit *colour* it hands out the upper byte), and of several
    frames the first is taken. Colour profiles are not applied.

    Args:
        content: All bytes of a jpg, png, webp, tiff, bmp or gif file.

    Returns:
        The picture, the file's own mode, and notes on what was changed.

    Raises:
        UnusablePicture: Empty, no picture, truncated, damaged, too small or too large.
    """
    if not content:
        raise UnusablePicture("0 bytes")
    image = _open(content)
    _check_size(image)
    mode = image.mode
    try:
        notes = _notes_on_the_file(image)
        picture, transparent = _converted(image)
    except MemoryError as error:
        raise UnusablePicture("not enough memory to decode it") from error
    except Exception as error:  # what Pillow raises for broken data differs by format and version
        raise UnusablePicture(_damage(error)) from error
    return Reading(picture, mode, [*notes, "alpha over white"] if transparent else notes)


def to_rgb(image: Image.Image) -> Image.Image:
    """Give any picture as upright 8-bit RGB, as :func:`decode` does with a file.

    Args:
        image: Of any mode; it is left as it is.

    Returns:
        Another picture, mode RGB, without metadata.

    Raises:
        TypeError: If it is none of Pillow's pictures.
    """
    if not isinstance(image, Image.Image):
        raise TypeError(
            f"expected a Pillow picture or an array (H, W, 3), uint8, got {type(image).__name__}: {image!r}. "
            "PIL.Image.open opens a file."
        )
    return _converted(image)[0]


def is_enlargement(degraded: Sequence[int], target: Sequence[int], scale: int) -> bool:
    """Say whether a target's sides are ``scale`` times the degraded picture's and less than twice the scale more."""
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
            raise UnusablePicture(_damage(error)) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _damage(error: Exception) -> str:
    return "truncated" if "truncated" in str(error).lower() else "truncated or damaged"


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if min(width, height) < SMALLEST_SIDE:
        raise UnusablePicture(f"{width}x{height}, smaller than {SMALLEST_SIDE}x{SMALLEST_SIDE}")
    if width * height > LARGEST_MEGAPIXELS * 1_000_000:
        raise UnusablePicture(f"{width}x{height}, over {LARGEST_MEGAPIXELS} megapixels")


def _notes_on_the_file(image: ImageFile.ImageFile) -> list[str]:
    """Note what only the opened file knows; decoding forgets the frames, the stored bit depth and the orientation."""
    # A phone's JPEG has a depth map or a preview as second frame (MPO), which is none of its picture.
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
    # Asked before loading: Pillow turns a TIFF while it loads it and then forgets the orientation.
    turned = _is_turned(image)
    image.load()
    return ImageOps.exif_transpose(image) if turned else image


def _converted(image: Image.Image) -> tuple[Image.Image, bool]:
    """Turn upright and convert to RGB without metadata; the second value says whether anything was transparent."""
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
    # Orientation or a profile left here would be written with the picture and applied a second time.
    picture.info = {}
    return picture, transparent


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16 bits by 1/257, and 32-bit modes by the smallest usual white (1, 255, 65535) that holds their peak."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    peak = float(values.max())
    if image.mode.startswith("I;16"):
        white = 65535.0
    else:
        usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        white = next((value for value in usual if peak <= value), peak)
    return Image.fromarray(np.rint(values * (255 / white)).clip(0, 255).astype(np.uint8))
