"""EXIF is changed where it has to be, and nowhere else."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from PIL import Image

from uncrappify.pictures.exif import upright_exif, upright_xmp


def block(order: str = "<", thumbnail: bytes = b"\xff\xd8thumbnail\xff\xd9", behind: bytes = b"") -> bytes:
    """Orientation 6, Exif with sides and a MakerNote, and a second directory with a thumbnail."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    first, inner, second = 8, 8 + 2 + 24 + 4, 8 + 2 + 24 + 4 + 2 + 36 + 4
    note = second + 2 + 24 + 4
    picture = note + 8

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        packed = struct.pack(order + "H", value) + b"\0\0" if kind == 3 else struct.pack(order + "I", value)
        return struct.pack(order + "HHI", tag, kind, count) + packed

    assert first == len(head)
    return b"".join(
        [
            head,
            struct.pack(order + "H", 2)
            + entry(0x0112, 3, 1, 6)
            + entry(0x8769, 4, 1, inner)
            + struct.pack(order + "I", second),
            struct.pack(order + "H", 3)
            + entry(0x927C, 7, 8, note)
            + entry(0xA002, 3, 1, 40)
            + entry(0xA003, 4, 1, 30)
            + struct.pack(order + "I", 0),
            struct.pack(order + "H", 2) + entry(0x0201, 4, 1, picture) + entry(0x0202, 4, 1, len(thumbnail)) + bytes(4),
            b"\x08MAKER\x00\xff",
            thumbnail,
            behind,
        ]
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_picture_is_upright_has_its_new_size_and_no_thumbnail(order: str) -> None:
    changed = upright_exif(b"Exif\0\0" + block(order), 9000, 70000)
    assert changed is not None
    exif = Image.Exif()
    exif.load(changed)
    assert exif[0x0112] == 1
    assert exif.get_ifd(0x8769)[0xA002] == 9000
    assert exif.get_ifd(0x8769)[0xA003] == 70000
    assert exif.get_ifd(1) == {}
    assert b"thumbnail" not in changed


def test_all_else_stays_byte_for_byte() -> None:
    before, behind = block(), b"what a maker points at"
    changed = upright_exif(before + behind, 40, 30)
    assert changed is not None
    assert len(changed) == len(before) + len(behind)
    different = [place for place in range(len(changed)) if changed[place] != (before + behind)[place]]
    # Orientation, the offset to the second directory, and the thumbnail.
    picture = before.index(b"\xff\xd8thumb")
    assert {place for place in different if place < picture} <= {8 + 2 + 8, *range(34, 38)}
    assert changed.endswith(behind)
    assert b"\x08MAKER\x00\xff" in changed


@pytest.mark.parametrize("broken", [b"", b"II", b"XX*\0\x08\0\0\0", b"II*\0\xff\xff\xff\x7f", block()[:30]])
def test_a_broken_block_is_left_out(broken: bytes) -> None:
    assert upright_exif(broken, 1, 1) is None


def test_xmp_is_upright_too() -> None:
    given = b'<x tiff:Orientation="6" exif:PixelXDimension="40"><tiff:ImageLength>30</tiff:ImageLength><b>6</b></x>'
    expected = b'<x tiff:Orientation="1" exif:PixelXDimension="80"><tiff:ImageLength>60</tiff:ImageLength><b>6</b></x>'
    assert upright_xmp(given, 80, 60) == expected


def test_a_camera_picture_of_pillow_reads_back() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 8, "Maker"
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    given = Image.open(file).info["exif"]
    back = Image.Exif()
    back.load(upright_exif(given, 8, 8) or b"")
    assert (back[0x0112], back[0x010F]) == (1, "Maker")
