"""PNG pictures: their checksums, their text left aside, and samples of 16 bits with their transparent colour."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin

from uncrappify.pictures.limits import open_picture
from uncrappify.pictures.samples import Samples, round_to_bytes
from uncrappify.pictures.unusable import UnusablePicture

_SIGNATURE = 8
_BEGIN = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2
# All that pixels, frames and orientation depend on.
_NEEDED = frozenset(b"IHDR PLTE IDAT IEND tRNS eXIf acTL fcTL fdAT".split())


def check(content: bytes) -> bytes:
    """Verify the checksum of every chunk, and leave out those that do not change a pixel, such as text and profiles.

    Pillow does not look at most checksums, and takes more than 1 MiB of text or profile for damage.

    Args:
        content: The file's bytes.

    Returns:
        The bytes of a PNG with the same pixels, orientation and frames.

    Raises:
        UnusablePicture: A checksum is wrong, or the end is missing.
    """
    view, place, name = memoryview(content), _SIGNATURE, b""
    kept = [view[:_SIGNATURE]]
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
        if name in _NEEDED or _tells_orientation(name, content[start + 8 : end - 4]):
            kept.append(view[start:end])
        place = end
    return content if sum(map(len, kept)) == place else b"".join(kept)


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
    image = open_picture(BytesIO(content), "PNG")
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
