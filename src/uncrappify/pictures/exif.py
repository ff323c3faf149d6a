"""The EXIF of a picture that was turned and enlarged: changed in place, so that all else stays byte for byte.

To write it anew would move what only its camera's maker can read (MakerNote, whose offsets nobody knows).
"""

import re
import struct
from dataclasses import dataclass

ORIENTATION, EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x0112, 0x8769, 0x8825, 0xA005
_THUMBNAIL, _THUMBNAIL_BYTES = 0x0201, 0x0202
_WIDTH, _HEIGHT = 0xA002, 0xA003
_SHORT, _LONG = 3, 4
_HEADER = b"Exif\0\0"
_TURNED = re.compile(rb'(tiff:Orientation(?:\s*=\s*["\']|>)\s*)[1-8]')
_SIDES = {
    b"width": re.compile(rb'((?:tiff:ImageWidth|exif:PixelXDimension)(?:\s*=\s*["\']|>)\s*)\d+'),
    b"height": re.compile(rb'((?:tiff:ImageLength|exif:PixelYDimension)(?:\s*=\s*["\']|>)\s*)\d+'),
}


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    count: int
    place: int
    """Of the value, or of the offset to it."""


class _Block:
    """A TIFF structure that is read and changed at its places."""

    def __init__(self, content: bytes) -> None:
        self.content = bytearray(content)
        self.order = {b"II": "<", b"MM": ">"}[content[:2]]

    def get(self, form: str, place: int) -> int:
        return int(struct.unpack_from(self.order + form, self.content, place)[0])

    def put(self, form: str, place: int, value: int) -> None:
        struct.pack_into(self.order + form, self.content, place, value)

    def list_entries(self, place: int) -> tuple[dict[int, _Entry], int]:
        """Give a directory's entries by tag, and the place of the offset to the next directory."""
        count = self.get("H", place)
        entries = {}
        for start in range(place + 2, place + 2 + 12 * count, 12):
            entry = _Entry(self.get("H", start), self.get("H", start + 2), self.get("I", start + 4), start + 8)
            entries[entry.tag] = entry
        return entries, place + 2 + 12 * count

    def value(self, entry: _Entry) -> int:
        return self.get("H" if entry.kind == _SHORT else "I", entry.place)

    def change(self, entry: _Entry | None, value: int) -> None:
        if entry and entry.kind in (_SHORT, _LONG) and entry.count == 1:
            self.put(
                "H" if entry.kind == _SHORT else "I", entry.place, min(value, 65535 if entry.kind == _SHORT else value)
            )


def upright_exif(exif: bytes, width: int, height: int) -> bytes | None:
    """Say in an EXIF block that its picture is upright and has a new size, and drop its thumbnail.

    Args:
        exif: As a file has it, with or without ``Exif`` before it.
        width: Of the picture now, in pixels.
        height: Likewise.

    Returns:
        The block without ``Exif`` before it; None where it is broken.
    """
    exif = exif.removeprefix(_HEADER)
    try:
        block = _Block(exif)
        entries, following = block.list_entries(block.get("I", 4))
        block.change(entries.get(ORIENTATION), 1)
        if EXIF_IFD in entries:
            inner, _ = block.list_entries(block.value(entries[EXIF_IFD]))
            block.change(inner.get(_WIDTH), width)
            block.change(inner.get(_HEIGHT), height)
        _drop_thumbnail(block, following)
    except (KeyError, struct.error):
        return None
    return bytes(block.content)


def _drop_thumbnail(block: _Block, following: int) -> None:
    """Unlink the second directory and cut its picture off, or blank it where something lies behind it."""
    if following + 4 > len(block.content) or not (place := block.get("I", following)):
        return
    try:
        entries, _ = block.list_entries(place)
        start, size = block.value(entries[_THUMBNAIL]), block.value(entries[_THUMBNAIL_BYTES])
    except (KeyError, struct.error):
        start = size = 0
    block.put("I", following, 0)
    if size and start + size >= len(block.content):
        del block.content[start:]
    elif size:
        block.content[start : start + size] = bytes(size)


def upright_xmp(xmp: bytes, width: int, height: int) -> bytes:
    """Say in XMP that its picture is upright and has a new size, where it says something of that."""
    xmp = _TURNED.sub(rb"\g<1>1", xmp)
    xmp = _SIDES[b"width"].sub(rb"\g<1>%d" % width, xmp)
    return _SIDES[b"height"].sub(rb"\g<1>%d" % height, xmp)
