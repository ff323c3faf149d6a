"""What a picture file says beside its pixels, for whom it is kept: EXIF, profile, XMP, resolution, captions, text."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

from PIL import Image, ImageFile, TiffImagePlugin

from uncrappify.pictures.exif import EXIF_IFD, GPS_IFD, INTEROP_IFD, upright_exif, upright_xmp
from uncrappify.pictures.limits import open_picture
from uncrappify.pictures.tiff_layout import Layout

_PHOTOSHOP = b"Photoshop 3.0\0"
# Of a TIFF's directory, what is said of the picture and not of how it is stored.
_DESCRIPTIVE = frozenset(
    {0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x013B, 0x013C, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F}
    | {0x0132, 0x011A, 0x011B, 0x0128, 0x4746, 0x4749, EXIF_IFD, GPS_IFD}
)


@dataclass(frozen=True)
class Metadata:
    """What a picture file says beside its pixels.

    Attributes:
        exif: TIFF structure, without ``Exif`` before it.
        icc: Colour profile.
        xmp: XML packet.
        dpi: Pixels an inch, across and down.
        iptc: Photoshop's resources, in which programs for archives keep captions.
        comment: Of a JPEG.
        text: Of a PNG.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    text: Mapping[str, str] = field(default_factory=dict)

    def resized(self, width: int, height: int) -> Metadata:
        """Give what the metadata of an upright picture of another size say; a broken EXIF is left out."""
        exif = upright_exif(self.exif, width, height) if self.exif else None
        xmp = upright_xmp(self.xmp, width, height) if self.xmp else None
        return replace(self, exif=exif, xmp=xmp)

    def turned(self, orientation: int) -> Metadata:
        """Give those of a picture that is turned upright: what was across is down then, from orientation 5 on."""
        return replace(self, dpi=self.dpi[::-1]) if self.dpi and orientation >= 5 else self


def read_metadata(content: bytes, image: ImageFile.ImageFile, kind: str) -> Metadata:
    """Read what a picture file says beside its pixels.

    Args:
        content: The file's bytes.
        image: The opened picture.
        kind: Pillow's name of the file's format; for a TIFF see :func:`read_tiff_metadata`.
    """
    # A PNG's text was left out of what is decoded; too much of it is an error in Pillow.
    opened = image
    if kind == "PNG":
        with suppress(Exception):
            opened = open_picture(BytesIO(content), kind)
            # What stands behind the pixels is read with them.
            opened.load()
    info = opened.info
    dpi = info.get("dpi")
    text = {
        name: str(value)
        for name, value in getattr(opened, "text", {}).items()
        if name != "XML:com.adobe.xmp" and not name.startswith("Raw profile type")
    }
    segments = dict(getattr(opened, "applist", []))
    comment = info.get("comment")
    return Metadata(
        exif=(info.get("exif") or _unpack(info, "exif") or b"").removeprefix(b"Exif\0\0") or None,
        icc=info.get("icc_profile") or None,
        xmp=_as_bytes(info.get("xmp") or info.get("XML:com.adobe.xmp") or _unpack(info, "xmp")),
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and all(float(value) > 0 for value in dpi) else None,
        iptc=(segments.get("APP13") or _unpack(info, "iptc") or b"").removeprefix(_PHOTOSHOP) or None,
        comment=comment if kind == "JPEG" and isinstance(comment, bytes) else None,
        text=text,
    )


def _unpack(info: Mapping[Any, Any], name: str) -> bytes | None:
    """Give what ImageMagick has put into a PNG's text: a line with a name, one with the length, lines of digits."""
    with suppress(ValueError):
        return bytes.fromhex("".join(str(info.get(f"Raw profile type {name}", "")).split("\n")[3:])) or None
    return None


def read_tiff_metadata(content: bytes, layout: Layout) -> Metadata:
    """Read what a TIFF says beside its pixels, in its first directory.

    Args:
        content: The file's bytes.
        layout: What its directory says.
    """
    tags = layout.tags
    return Metadata(
        exif=_take_exif(content),
        iptc=_as_bytes(tags.get(TiffImagePlugin.PHOTOSHOP_CHUNK)),
        icc=_as_bytes(tags.get(TiffImagePlugin.ICCPROFILE)),
        xmp=_as_bytes(tags.get(TiffImagePlugin.XMP)),
        dpi=_read_tiff_dpi(tags),
    )


def _take_exif(content: bytes) -> bytes | None:
    """Take out of a TIFF's directory what is said of the picture, with the directories of EXIF and GPS."""
    try:
        given, kept = Image.Exif(), Image.Exif()
        given.load(content)
        kept.endian = given.endian
        for tag in sorted(_DESCRIPTIVE & set(given)):
            kept[tag] = dict(given.get_ifd(tag)) if tag in (EXIF_IFD, GPS_IFD) else given[tag]
        if isinstance(inner := kept.get(EXIF_IFD), dict) and INTEROP_IFD in inner:
            inner[INTEROP_IFD] = dict(given.get_ifd(INTEROP_IFD))
        return kept.tobytes().removeprefix(b"Exif\0\0") if len(kept) else None
    except Exception:  # broken EXIF says nothing about the pixels
        return None


def _read_tiff_dpi(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    unit = {2: 1.0, 3: 2.54}.get(tags.get(TiffImagePlugin.RESOLUTION_UNIT, 2))
    across, down = (tags.get(tag) for tag in (TiffImagePlugin.X_RESOLUTION, TiffImagePlugin.Y_RESOLUTION))
    if not unit or not across or not down:
        return None
    return float(across) * unit, float(down) * unit


def _as_bytes(value: Any) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    return bytes(value) if value else None
