"""A picture with all that its original brought, as the bytes of a file of any of five formats."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from uncrappify.pictures import png_writing, tiff_writing
from uncrappify.pictures.metadata import Metadata
from uncrappify.pictures.original import Samples
from uncrappify.pictures.samples import round_to
from uncrappify.pictures.unusable import UnusablePicture

FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF", "avif": "AVIF"}
"""The formats that are written, by what a user calls them: Pillow's names."""

_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tiff", ".tif"),
    "AVIF": (".avif",),
}
_OTHERS = {".mpo": "JPEG", ".btf": "TIFF", ".tf8": "TIFF"}
QUALITY = {"JPEG": 95, "WEBP": 95, "AVIF": 90}
_LARGEST = {"JPEG": 65535, "WEBP": 16383, "AVIF": 65535, "TIFF": 2**31, "PNG": 2**31}
# Bytes of a JPEG's segment, and what stands before XMP in it.
_SEGMENT, _XMP_MARK = 65533, 29


@dataclass(frozen=True)
class Finished:
    """A picture that is ready to be written.

    Attributes:
        samples: (H, W, 1 or 3), uint8 or uint16.
        opacity: (H, W) of the same type, or None.
        metadata: Those of the original; orientation and size are brought up to date here.
    """

    samples: Samples
    opacity: Samples | None
    metadata: Metadata


@dataclass(frozen=True)
class Encoded:
    """Bytes of a file, and what was lost on the way."""

    content: bytes
    notes: tuple[str, ...]


def find_format(suffix: str) -> str:
    """Give the format, by Pillow's name, that a file of a suffix is written in: PNG where it is none of the five."""
    suffix = suffix.lower()
    return next((name for name, theirs in _SUFFIXES.items() if suffix in theirs), _OTHERS.get(suffix, "PNG"))


def find_suffix(suffix: str, format: str | None = None) -> str:
    """Give the suffix of a result.

    Args:
        suffix: Of the original, which is kept where it is one of the format's.
        format: The format of the result; None for the original's, or PNG where that is not written.
    """
    format = format or find_format(suffix)
    return suffix if suffix.lower() in _SUFFIXES[format] else _SUFFIXES[format][0]


def encode_finished(picture: Finished, format: str, quality: int | None = None) -> Encoded:
    """Turn a picture into the bytes of a file.

    Args:
        picture: The picture.
        format: Pillow's name, a value of :data:`FORMATS`.
        quality: From 1 to 100, for JPEG, WebP and AVIF.

    Returns:
        The bytes, and a note of each thing that the format cannot hold.

    Raises:
        UnusablePicture: The format cannot hold so large a picture.
    """
    height, width = picture.samples.shape[:2]
    if max(width, height) > _LARGEST[format]:
        raise UnusablePicture(f"{width}x{height}, more than {_LARGEST[format]} pixels a side, which {format} can hold")
    whole = picture.metadata.resized(width, height)
    lost = ("its EXIF is damaged and left out",) if picture.metadata.exif and not whole.exif else ()
    try:
        encoded = _encode(picture, format, quality, whole)
    except (UnusablePicture, MemoryError):
        raise
    except Exception:  # a library does not say which of the metadata it cannot write
        encoded = _encode(picture, format, quality, Metadata(icc=whole.icc))
        lost = ("its metadata are damaged and left out",)
    return Encoded(encoded.content, (*lost, *encoded.notes))


def _encode(picture: Finished, format: str, quality: int | None, metadata: Metadata) -> Encoded:
    if format == "TIFF":
        return Encoded(tiff_writing.write(picture.samples, picture.opacity, metadata), ())
    if format == "PNG":
        return Encoded(png_writing.write(picture.samples, picture.opacity, metadata), ())
    notes: list[str] = []
    image = _to_image(picture, format, notes)
    content = BytesIO()
    image.save(content, format, **_options(format, quality, metadata, notes))
    return Encoded(content.getvalue(), tuple(notes))


def encode_picture(picture: Image.Image, format: str, quality: int | None = None) -> Encoded:
    """Turn a Pillow picture without metadata, such as a mask, into the bytes of a file."""
    content = BytesIO()
    options = {"quality": quality or QUALITY[format]} if format in QUALITY else {}
    picture.save(content, format, **options)
    return Encoded(content.getvalue(), ())


def _to_image(picture: Finished, format: str, notes: list[str]) -> Image.Image:
    if picture.samples.dtype == np.uint16:
        notes.append(f"16 bit to 8, as {format} has no more")
    samples = round_to(np.uint8, picture.samples, 0, np.iinfo(picture.samples.dtype).max)
    height, width, channels = samples.shape
    if format == "JPEG" and picture.opacity is None and (whole := _find_fourth_byte(samples)) is not None:
        # Without a copy: a large picture is there once.
        return Image.frombuffer("RGBX", (width, height), whole, "raw", "RGBX", 0, 1)
    image = Image.fromarray(np.ascontiguousarray(samples[..., 0] if channels == 1 else samples))
    if picture.opacity is None:
        return image
    opacity = Image.fromarray(round_to(np.uint8, picture.opacity, 0, np.iinfo(picture.opacity.dtype).max))
    if format == "JPEG":
        notes.append("alpha over white, as JPEG has none")
        white = Image.new(image.mode, image.size, "white")
        white.paste(image, mask=opacity)
        return white
    image.putalpha(opacity)
    return image


def _find_fourth_byte(samples: Samples) -> Any:
    """Give the array of 4 bytes a pixel, as Pillow keeps colours, that samples (H, W, 3) lie in; None if in none."""
    whole = samples.base
    if isinstance(whole, np.ndarray) and whole.shape == (*samples.shape[:2], 4) and whole.flags.c_contiguous:
        return whole
    return None


def _options(format: str, quality: int | None, metadata: Metadata, notes: list[str]) -> dict[str, Any]:
    """Give what Pillow's ``save`` takes for a format."""
    exif, xmp = metadata.exif, metadata.xmp
    if format in ("WEBP", "AVIF") and metadata.dpi and exif is None:
        # They have no other place for it.
        exif = _tell_resolution(metadata.dpi)
    options: dict[str, Any] = {"exif": b"Exif\0\0" + exif if exif else b"", "icc_profile": metadata.icc}
    if format == "JPEG":
        for name, value, room in (("exif", exif, _SEGMENT - 6), ("xmp", xmp, _SEGMENT - _XMP_MARK)):
            if value and len(value) > room:
                notes.append(f"{name.upper()} left out, as JPEG holds no more than 64 kB")
        options["exif"] = b"Exif\0\0" + exif if exif and len(exif) <= _SEGMENT - 6 else b""
        options["xmp"] = xmp if xmp and len(xmp) <= _SEGMENT - _XMP_MARK else b""
        options |= {"subsampling": 0, "comment": metadata.comment, "extra": _write_iptc(metadata.iptc)}
    else:
        options["xmp"] = xmp or b""
    if format == "WEBP":
        options["exact"] = True  # the colours of what is transparent too
    if format == "JPEG" and metadata.dpi:
        options["dpi"] = metadata.dpi
    return options | ({"quality": quality or QUALITY[format]} if format in QUALITY else {})


def _write_iptc(iptc: bytes | None) -> bytes:
    """Give a JPEG's segment with Photoshop's resources, where they fit into one."""
    content = b"Photoshop 3.0\0" + (iptc or b"")
    if not iptc or len(content) > _SEGMENT:
        return b""
    return b"\xff\xed" + (len(content) + 2).to_bytes(2, "big") + content


def _tell_resolution(dpi: tuple[float, float]) -> bytes:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = dpi[0], dpi[1], 2
    return exif.tobytes().removeprefix(b"Exif\0\0")
