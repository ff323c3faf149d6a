"""PNG pictures: whether they are whole, their text left aside, and samples of 16 bits with their transparent colour."""

import struct
import zlib
from io import BytesIO
from math import ceil
from typing import Any

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin

from uncrappify.pictures.samples import Samples, round_to_bytes
from uncrappify.pictures.unusable import UnusablePicture

_SIGNATURE = 8
_BEGIN = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2
# All that pixels, frames and orientation depend on.
_NEEDED = frozenset(b"IHDR PLTE IEND tRNS eXIf acTL fcTL fdAT".split())
# Bytes at once. With less, glibc keeps what the pixels took, for each thread: measured by the test of the budget.
_INFLATED = 1 << 18
_CHANNELS = {_GREY: 1, _RGB: 3, 3: 1, 4: 2, 6: 4}
# First column and row of each pass, and the steps to the next ones.
_INTERLACED = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def check(content: bytes) -> bytes:
    """Verify the checksum of every chunk, and leave out those that do not change a pixel, such as text and profiles.

    Pillow does not look at most checksums, and takes more than 1 MiB of text or profile for damage.

    Args:
        content: The file's bytes.

    Returns:
        The bytes of a PNG with the same pixels, orientation and frames, the pixels in one chunk, as
        :func:`open_whole` needs them.

    Raises:
        UnusablePicture: A checksum is wrong, or the end is missing.
    """
    view, place, name = memoryview(content), _SIGNATURE, b""
    kept: list[bytes | memoryview] = [view[:_SIGNATURE]]
    pixels: list[bytes | memoryview] = []
    before = 0
    while name != b"IEND":
        if place + 12 > len(content):
            raise UnusablePicture("truncated")
        length, name = struct.unpack_from(">I4s", content, place)
        if place == _SIGNATURE and name == b"CgBI":
            raise UnusablePicture("not supported: PNG for iOS (CgBI)")
        start, end = place, place + 12 + length
        if end > len(content):
            raise UnusablePicture("truncated")
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise UnusablePicture("damaged: a checksum is wrong")
        if name == b"IDAT":
            before = before or len(kept)
            pixels.append(view[start + 8 : end - 4])
        elif name in _NEEDED or _tells_orientation(name, content[start + 8 : end - 4]):
            kept.append(view[start:end])
        place = end
    if not any(pixels):
        raise UnusablePicture("truncated")
    if len(pixels) == 1 and sum(map(len, kept)) + len(pixels[0]) + 12 == place:
        return content
    kept[before:before] = _make_chunk(b"IDAT", pixels)
    return b"".join(kept)


def _make_chunk(name: bytes, data: list[bytes | memoryview]) -> list[bytes | memoryview]:
    checksum = zlib.crc32(name)
    for part in data:
        checksum = zlib.crc32(part, checksum)
    return [struct.pack(">I", sum(map(len, data))), name, *data, struct.pack(">I", checksum)]


def open_whole(content: bytes) -> ImageFile.ImageFile:
    """Open a PNG that :func:`check` gave, which cannot be loaded where its pixels are damaged or not all there."""
    image = _WholePng(BytesIO(content))
    start = image.tile[0].offset
    image.packed = memoryview(content)[start : start + int.from_bytes(content[start - 8 : start - 4])]
    # Pillow verifies the pixels' own checksum if it reads it with the last row: of equal blocks, none is tiny.
    image.decodermaxblock = ceil(len(image.packed) / ceil(len(image.packed) / ImageFile.MAXBLOCK))
    image.header = content[16:29]
    return image


class _WholePng(PngImagePlugin.PngImageFile):
    """A PNG that is refused where its rows end early; Pillow leaves the others black."""

    header: bytes
    packed: memoryview

    def load(self) -> Any:
        first = bool(self.tile)
        access = super().load()
        # To inflate every picture a second time would take half of the time of decoding.
        if first and (self.info.get("interlace") or self._ends_in_black()):
            _check_length(self.header, self.packed)
        return access

    def _ends_in_black(self) -> bool:
        return not any(self.crop((0, self.height - 1, self.width, self.height)).tobytes())


def _check_length(header: bytes, packed: memoryview) -> None:
    """Check that the pixels that a PNG stores are as many as its header says."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    passes = _INTERLACED if interlaced else ((0, 0, 1, 1),)
    sides = [(ceil((width - x) / across), ceil((height - y) / down)) for x, y, across, down in passes]
    bits = depth * _CHANNELS[colour]
    # Each row begins with the number of its filter.
    missing = sum(rows * (1 + ceil(columns * bits / 8)) for columns, rows in sides if columns)
    inflater = zlib.decompressobj()
    for start in range(0, len(packed), _INFLATED):
        block: bytes | memoryview = packed[start : start + _INFLATED]
        while block and missing > 0:
            missing -= len(inflater.decompress(block, _INFLATED))
            block = inflater.unconsumed_tail
    if missing > len(inflater.flush()):
        raise UnusablePicture("truncated")


def count_pixels(content: bytes) -> int:
    """Count the pixels that the header of a PNG says, at its usual place; 0 for other files, or with two headers."""
    if content[:_SIGNATURE] != _BEGIN or content[12:16] != b"IHDR" or content.count(b"IHDR") > 1:
        return 0
    return int.from_bytes(content[16:20]) * int.from_bytes(content[20:24])


def read(content: bytes, image: ImageFile.ImageFile) -> Image.Image:
    """Read a PNG to channels of 8 bits, its transparent colour applied as the file has it.

    Pillow gives the upper byte of 16-bit colours alone, and compares a transparent grey or colour with values that it
    has scaled before.

    Args:
        content: The file's bytes.
        image: The same, opened.

    Returns:
        The picture, with what its file says of its orientation.
    """
    depth, colour = content[24], content[25]
    transparent = image.info.get("transparency") if colour in {_GREY, _RGB} else None
    if depth < 16 and transparent is None:
        return image
    samples = read_samples(content, image)
    pixels = round_to_bytes(samples, 0, (1 << depth) - 1)
    if transparent is not None:
        # Only as many of a transparent colour's 16 bits count as a sample has.
        differs = samples != np.atleast_1d(transparent) & (1 << depth) - 1
        opacity = np.where(differs.any(-1, keepdims=True), np.uint8(255), np.uint8(0))
        pixels = np.concatenate([pixels, opacity], axis=-1)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return picture


def read_samples(content: bytes, image: ImageFile.ImageFile) -> Samples:
    """Read all samples of a PNG without a palette, as they are stored: (H, W, channels), uint8 or uint16."""
    depth, colour = content[24], content[25]
    if depth == 16 and colour != _GREY:
        upper, lower = (_read_bytes(content, ending) for ending in ("B", "L"))
        return upper.astype(np.uint16) << 8 | lower
    values = np.asarray(image)
    values = values.reshape(*values.shape[:2], -1)
    if depth == 1:
        return values.astype(np.uint8)
    # Pillow scales greys of 2 and 4 bits to 8.
    return values // (255 // ((1 << depth) - 1)) if depth < 8 else values


def _read_bytes(content: bytes, ending: str) -> Samples:
    """Read the upper ("B") or the lower ("L") byte of each 16-bit sample."""
    image = open_whole(content)
    if image.tile[0].args == "LA;16B":
        # There is no reader for the lower bytes of these, but one for any four bytes.
        image.tile = [tile._replace(args="RGBA") for tile in image.tile]
        four: Samples = np.asarray(image)
        return four[..., 0 if ending == "B" else 1 :: 2]
    image.tile = [tile._replace(args=f"{image.mode};16{ending}") for tile in image.tile]
    return np.asarray(image)


def _tells_orientation(name: bytes, data: bytes) -> bool:
    """Whether a text may say how the picture is turned: EXIF or XMP of a length that Pillow reads."""
    keyword, _, rest = data.partition(b"\0")
    if keyword == b"Raw profile type exif" and name == b"zTXt":
        packed = rest[1:]
    elif keyword == b"XML:com.adobe.xmp" and name == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].split(b"\0", 2)[-1]
    else:
        return (name, keyword) in {(b"tEXt", b"Raw profile type exif"), (b"iTXt", b"XML:com.adobe.xmp")}
    inflater = zlib.decompressobj()
    try:
        inflater.decompress(packed, PngImagePlugin.MAX_TEXT_CHUNK)
    except zlib.error:
        return False
    return not inflater.unconsumed_tail
