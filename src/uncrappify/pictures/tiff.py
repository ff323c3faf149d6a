"""TIFF pictures that Pillow does not read, or not to the right values: more than 8 bits, signed, planar, floats.

What Pillow reads right (8 bits and less, unsigned) is left to it; see :func:`describe`. tifffile, which scikit-image
brings, would need a further library for LZW and for samples of 12 bits.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image, TiffImagePlugin, TiffTags

from uncrappify.pictures.budget import BYTES_A_PIXEL
from uncrappify.pictures.limits import open_picture, prepare_tiff
from uncrappify.pictures.samples import Bytes, Samples, guess_range, round_to_bytes
from uncrappify.pictures.unusable import UnusablePicture

_GREY_INVERTED, _GREY, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_CHANNELS = {_GREY_INVERTED: 1, _GREY: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4}
_PHOTOMETRICS = {
    4: "transparency mask",
    _YCBCR: "YCbCr",
    8: "CIELAB",
    9: "ICCLAB",
    10: "ITULAB",
    32803: "camera raw",
    32844: "LogL",
    32845: "LogLuv",
    34892: "camera raw",
}
_UNSIGNED, _SIGNED, _FLOAT, _VOID = 1, 2, 3, 4
_NONE = 1
_DEFLATE = frozenset({8, 32946})
# What libtiff unpacks to bytes without a look at the picture: LZW, PackBits, LZMA, ZSTD.
_BYTEWISE = frozenset({5, 32773, 34925, 50000})
_UNPACKED = frozenset({_NONE, *_DEFLATE, *_BYTEWISE})
_ASSOCIATED, _UNASSOCIATED = 1, 2
_ORIENTATION, _SUB_IFDS, _DNG_VERSION, _SUBSAMPLING, _INK_SET = 274, 330, 50706, 530, 332
_LARGEST_PALETTE_OF_BYTES = 255
_MOST_PAGES = 10_000

Order = Literal["<", ">"]


@dataclass(frozen=True)
class Layout:
    """What a TIFF's first directory says of its pixels.

    Attributes:
        tags: All tags of the directory.
        order: ``<`` or ``>``.
        width: Pixels.
        height: Pixels.
        photometric: What the samples mean, TIFF's number.
        bits: Of each sample.
        kind: Unsigned, signed or float, TIFF's number.
        samples: Of each pixel.
        extra: What the samples beyond the colours mean.
        planar: Each channel is stored on its own.
        compression: TIFF's number.
        pages: How many pictures the file has.
    """

    tags: TiffImagePlugin.ImageFileDirectory_v2
    order: Order
    width: int
    height: int
    photometric: int
    bits: tuple[int, ...]
    kind: int
    samples: int
    extra: tuple[int, ...]
    planar: bool
    compression: int
    pages: int

    @property
    def is_plain(self) -> bool:
        """Whether Pillow reads it right, if it reads it at all: at most 8 bits, unsigned, a sound palette."""
        if max(self.bits) > 8 or self.kind != _UNSIGNED:
            return False
        return self.photometric != _PALETTE or self.compression not in _UNPACKED or self.fill_order != 1

    @property
    def decoded_bytes(self) -> int:
        """Memory that :func:`read` takes: samples as unpacked, as numbers and as bytes, and Pillow's copies."""
        item = math.ceil(max(self.bits) / 8)
        tile = int(self.tags.get(TiffImagePlugin.TILEWIDTH, 0)) * int(self.tags.get(TiffImagePlugin.TILELENGTH, 0))
        whole = self.width * self.height * (self.samples * (2 * item + 1) + BYTES_A_PIXEL)
        return whole + 3 * item * self.samples * tile

    @property
    def fill_order(self) -> int:
        """2 where the bits of each byte are reversed, else 1."""
        return int(self.tags.get(TiffImagePlugin.FILLORDER, 1))


class Deep(NamedTuple):
    """A TIFF's picture, with channels of 8 bits.

    Attributes:
        picture: Mode L, LA, RGB, RGBA or CMYK, as it lies in the file.
        mode: Pillow's name of the file's pixel format, or the nearest that it has.
        notes: What changed its pixels.
    """

    picture: Image.Image
    mode: str
    notes: list[str]


def describe(content: bytes) -> Layout:
    """Read the first directory of a TIFF.

    Args:
        content: The file's bytes.

    Returns:
        What it says of the pixels.

    Raises:
        UnusablePicture: It is truncated or damaged, too small or large, a camera's raw file, or of a kind that neither
            Pillow nor this module gets right.
    """
    tags, order, pages = _read_directory(content)
    try:
        bits = tuple(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        layout = Layout(
            tags,
            order,
            width=int(tags[TiffImagePlugin.IMAGEWIDTH]),
            height=int(tags[TiffImagePlugin.IMAGELENGTH]),
            photometric=int(tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, _GREY_INVERTED)),
            bits=bits,
            kind=_only(tags.get(TiffImagePlugin.SAMPLEFORMAT, (_UNSIGNED,)), "sample formats"),
            samples=int(tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)),
            extra=tuple(tags.get(TiffImagePlugin.EXTRASAMPLES, ())),
            planar=tags.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 2,
            compression=int(tags.get(TiffImagePlugin.COMPRESSION, _NONE)),
            pages=pages,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnusablePicture("truncated or damaged") from error
    _refuse_what_pillow_gets_wrong(layout)
    if layout.width < 1 or layout.height < 1:
        raise UnusablePicture("truncated or damaged")
    return layout


def read(content: bytes, layout: Layout) -> Deep:
    """Read the first picture of a TIFF, whatever its samples are.

    Integers of up to 16 bits have the range of their type, as the format says: 0 to 2^bits - 1, or -32768 to 32767.
    For floats and longer integers the range is guessed (:func:`~uncrappify.pictures.samples.guess_range`).

    Args:
        content: The file's bytes.
        layout: What its directory says.

    Returns:
        The picture, whose orientation is in its EXIF.

    Raises:
        UnusablePicture: It is truncated or damaged, or not supported; the message says what is not.
    """
    _refuse_what_is_not_read(layout)
    samples = _read_samples(content, layout)
    channels = _CHANNELS[layout.photometric]
    colours = samples[..., :channels]
    notes, (black, white) = _find_range(layout, colours)
    alpha = next((n for n, meaning in enumerate(_find_extra(layout), channels) if meaning in {1, 2}), None)
    if layout.photometric == _PALETTE:
        pixels, notes = _look_up(layout, colours[..., 0]), ["palette"]
    else:
        inverted = layout.photometric == _GREY_INVERTED
        pixels = round_to_bytes(colours, *((white, black) if inverted else (black, white)))
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[pixels.shape[2]]
    picture = Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode=mode)
    if alpha is not None and mode != "CMYK":
        opacity = round_to_bytes(samples[..., alpha], black, white)
        if _find_extra(layout)[alpha - channels] == _ASSOCIATED:
            picture = _divide_by_alpha(pixels, opacity, mode)
        picture.putalpha(Image.fromarray(opacity))
    picture.getexif()[_ORIENTATION] = layout.tags.get(_ORIENTATION, 1)
    return Deep(picture, _name_mode(layout, picture.mode), notes)


def _read_directory(content: bytes) -> tuple[TiffImagePlugin.ImageFileDirectory_v2, Order, int]:
    """Read the tags of the first directory; also return the byte order and the number of directories."""
    order: Order = "<" if content[:2] == b"II" else ">"
    big = 43 in content[2:4]
    try:
        # Pillow knows a BigTIFF by the third byte, where a big-endian one has a 0.
        header = b"II+\0" + content[4:16] if big else content[:8]
        tags = TiffImagePlugin.ImageFileDirectory_v2(header, prefix=content[:2])
        file = BytesIO(content)
        file.seek(tags.next)
        tags.load(file)
        return tags, order, _count_directories(content, order, big)
    except Exception as error:  # Pillow's exceptions for broken directories differ
        raise UnusablePicture("truncated or damaged") from error


def _count_directories(content: bytes, order: str, big: bool) -> int:
    """Count the directories by following them from one to the next, as far as they go, and never in a circle."""
    count, offset, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    place = struct.unpack_from(order + offset, content, 8 if big else 4)[0]
    seen: set[int] = set()
    while place and place not in seen and len(seen) < _MOST_PAGES:
        seen.add(place)
        try:
            entries = struct.unpack_from(order + count, content, place)[0]
            place = struct.unpack_from(order + offset, content, place + struct.calcsize(count) + entries * entry)[0]
        except (struct.error, OverflowError):
            break
    return len(seen)


def _only(values: Any, what: str) -> int:
    if len(set(values)) > 1:
        raise UnusablePicture(f"not supported: TIFF of several {what}")
    return int(values[0])


def _refuse_what_pillow_gets_wrong(layout: Layout) -> None:
    """Refuse raw files, whose first picture is a thumbnail, and what Pillow would decode to wrong pixels."""
    if layout.photometric in {32803, 34892} or _DNG_VERSION in layout.tags:
        raise UnusablePicture("not supported: camera raw")
    thumbnail = int(layout.tags.get(TiffImagePlugin.OSUBFILETYPE, 0)) & 1
    if thumbnail and _SUB_IFDS in layout.tags:
        raise UnusablePicture("not supported: camera raw")
    subsampled = layout.photometric == _YCBCR and tuple(layout.tags.get(_SUBSAMPLING, (2, 2))) != (1, 1)
    if subsampled and layout.compression == _NONE and layout.samples > 1:
        raise UnusablePicture("not supported: uncompressed TIFF with subsampled colours")
    if layout.photometric == _CMYK and int(layout.tags.get(_INK_SET, 1)) != 1:
        raise UnusablePicture("not supported: TIFF of other inks than CMYK")


def _refuse_what_is_not_read(layout: Layout) -> None:
    bits = _only(layout.bits, "sample sizes")
    if layout.photometric not in _CHANNELS:
        meaning = _PHOTOMETRICS.get(layout.photometric, f"colour space {layout.photometric}")
        raise UnusablePicture(f"not supported: {meaning} TIFF of {bits} bits")
    if layout.samples < _CHANNELS[layout.photometric] or layout.samples > 64:
        raise UnusablePicture(f"not supported: TIFF of {layout.samples} channels")
    if layout.compression not in _UNPACKED:
        name = TiffImagePlugin.COMPRESSION_INFO.get(layout.compression, str(layout.compression))
        raise UnusablePicture(f"not supported: TIFF of {bits} bits compressed by {name}")
    if layout.fill_order != 1:
        raise UnusablePicture(f"not supported: TIFF of {bits} bits with reversed bits")
    known = {_UNSIGNED: range(1, 65), _SIGNED: (8, 16, 32, 64), _FLOAT: (16, 32, 64), _VOID: range(1, 65)}
    if bits not in known.get(layout.kind, ()) or (bits > 16 and bits not in {32, 64}):
        raise UnusablePicture(f"not supported: TIFF of {bits} bits (sample format {layout.kind})")


def _read_samples(content: bytes, layout: Layout) -> Samples:
    """Unpack all strips or tiles: (H, W, samples) of the file's own type."""
    bits, channels = layout.bits[0], 1 if layout.planar else layout.samples
    dtype = np.dtype({_SIGNED: "i", _FLOAT: "f"}.get(layout.kind, "u") + str(_find_item(bits)))
    found = np.zeros((layout.height, layout.width, layout.samples), dtype)
    predictor = int(layout.tags.get(TiffImagePlugin.PREDICTOR, 1)) if layout.compression != _NONE else 1
    for part in _find_parts(content, layout):
        line = math.ceil(part.width * channels * bits / 8)
        data = _unpack(part.data, layout.compression, part.height * line)
        if len(data) < part.height * line:
            raise UnusablePicture("truncated")
        lines = np.frombuffer(data, np.uint8, part.height * line).reshape(part.height, line)
        block = _read_lines(lines, part.width * channels, bits, dtype, layout.order, predictor, channels)
        block = block.reshape(part.height, part.width, channels)
        here = found[part.y : part.y + part.height, part.x : part.x + part.width]
        here = here[..., part.plane : part.plane + 1] if layout.planar else here
        here[...] = block[: here.shape[0], : here.shape[1]]
    return found


class _Part(NamedTuple):
    x: int
    y: int
    plane: int
    width: int
    height: int
    data: bytes


def _find_parts(content: bytes, layout: Layout) -> Iterator[_Part]:
    """Yield strips or tiles in the order in which the directory lists them: planes, then rows, then columns."""
    tags, tiled = layout.tags, TiffImagePlugin.TILEWIDTH in layout.tags
    offsets = tags.get(TiffImagePlugin.TILEOFFSETS if tiled else TiffImagePlugin.STRIPOFFSETS)
    counts = tags.get(TiffImagePlugin.TILEBYTECOUNTS if tiled else TiffImagePlugin.STRIPBYTECOUNTS)
    if tiled:
        width, height = int(tags[TiffImagePlugin.TILEWIDTH]), int(tags.get(TiffImagePlugin.TILELENGTH, 0))
    else:
        width, height = layout.width, min(int(tags.get(TiffImagePlugin.ROWSPERSTRIP, layout.height)), layout.height)
    # A tile may be larger than the picture, but hardly by much: what it says is what will be allocated.
    if width < 1 or height < 1 or width * height > 4 * max(layout.width * layout.height, 1 << 20) or not offsets:
        raise UnusablePicture("truncated or damaged")
    across, down = math.ceil(layout.width / width), math.ceil(layout.height / height)
    parts = across * down * (layout.samples if layout.planar else 1)
    if counts is None and parts == 1:
        counts = (len(content) - offsets[0],)
    if counts is None or len(offsets) < parts or len(counts) < parts:
        raise UnusablePicture("truncated or damaged")
    for number in range(parts):
        plane, place = divmod(number, across * down)
        y, x = (place // across) * height, (place % across) * width
        data = content[offsets[number] : offsets[number] + counts[number]]
        yield _Part(x, y, plane, width, height if tiled else min(height, layout.height - y), data)


def _unpack(data: bytes, compression: int, size: int) -> bytes:
    """Decompress a strip or tile to ``size`` bytes, or fewer where it is cut."""
    if compression == _NONE:
        return data
    if compression in _DEFLATE:
        try:
            return zlib.decompressobj().decompress(data, size + 1)  # one more, so that its checksum is looked at
        except zlib.error as error:
            raise UnusablePicture("truncated or damaged") from error
    # libtiff's codecs, through Pillow: the strip becomes a TIFF of one line of grey bytes.
    tags = {
        TiffImagePlugin.IMAGEWIDTH: size,
        TiffImagePlugin.IMAGELENGTH: 1,
        TiffImagePlugin.BITSPERSAMPLE: 8,
        TiffImagePlugin.COMPRESSION: compression,
        TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: _GREY,
        TiffImagePlugin.STRIPOFFSETS: 8 + 2 + 8 * 12 + 4,
        TiffImagePlugin.ROWSPERSTRIP: 1,
        TiffImagePlugin.STRIPBYTECOUNTS: len(data),
    }
    entries = b"".join(struct.pack("<HHII", tag, TiffTags.LONG, 1, value) for tag, value in tags.items())
    file = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + data
    strip = open_picture(BytesIO(file), "TIFF")
    prepare_tiff(strip)
    return strip.tobytes()


def _find_item(bits: int) -> int:
    """Bytes of the smallest type of number that holds so many bits."""
    return next(size for size in (1, 2, 4, 8) if bits <= 8 * size)


def _read_lines(
    lines: Bytes, count: int, bits: int, dtype: np.dtype[Any], order: Order, predictor: int, channels: int
) -> Samples:
    """Convert packed lines to ``count`` samples each, and undo the predictor.

    A line begins with a whole byte, and samples that are no whole bytes follow each other from the highest bit on.
    """
    if predictor == 3:
        # Bytes of equal significance lie together, the highest first, and each is a difference to the one before it.
        whole = np.add.accumulate(lines.reshape(len(lines), -1, channels), axis=1, dtype=np.uint8)
        parts = whole.reshape(len(lines), dtype.itemsize, count)
        return np.ascontiguousarray(parts.transpose(0, 2, 1)).view(dtype.newbyteorder(">"))[..., 0]
    if bits == 8 * dtype.itemsize:
        values: Samples = np.ascontiguousarray(lines).view(dtype.newbyteorder(order)).astype(dtype)
    else:
        values = _read_odd_bits(lines, count, bits, dtype)
    if predictor == 2:
        pixels = values.reshape(len(lines), -1, channels)
        pixels = pixels.view(f"u{dtype.itemsize}")
        values = np.add.accumulate(pixels, axis=1, dtype=pixels.dtype).view(dtype).reshape(len(lines), -1)
    elif predictor != 1:
        raise UnusablePicture(f"not supported: TIFF with predictor {predictor}")
    return values


def _read_odd_bits(lines: Bytes, count: int, bits: int, dtype: np.dtype[Any]) -> Samples:
    values = np.empty((len(lines), count), dtype)
    weights = 1 << np.arange(bits - 1, -1, -1)
    for number, line in enumerate(lines):
        values[number] = np.unpackbits(line, count=count * bits).reshape(count, bits) @ weights
    return values


def _find_extra(layout: Layout) -> tuple[int, ...]:
    """Meanings of the samples beyond the colours; a fourth one of RGB that is not described is alpha, as in Pillow."""
    beyond = layout.samples - _CHANNELS[layout.photometric]
    if not layout.extra and layout.photometric == _RGB and beyond == 1:
        return (_UNASSOCIATED,)
    return (*layout.extra, *[0] * beyond)[:beyond]


def _find_range(layout: Layout, colours: Samples) -> tuple[list[str], tuple[float, float]]:
    """Find the samples that are black and white, and what to note of it."""
    bits = layout.bits[0]
    notes = ["CMYK"] if layout.photometric == _CMYK else []
    if layout.photometric == _PALETTE or (bits <= 16 and layout.kind != _FLOAT):
        if layout.kind == _SIGNED:
            return [*notes, f"signed {bits} bit to 8"], (-(1 << bits - 1), (1 << bits - 1) - 1)
        return [*notes, *([f"{bits} bit to 8"] if bits > 8 else [])], (0, (1 << bits) - 1)
    black, white = guess_range(colours)
    span = f"white is {white:g}" if black == 0 else f"black is {black:g} and white {white:g}"
    return [*notes, f"{bits} bit to 8 ({span})"], (black, white)


def _look_up(layout: Layout, indices: Samples) -> Bytes:
    """Replace a palette's indices by its colours, which are of 16 bits; some writers wrongly give 8."""
    entries = layout.tags.get(TiffImagePlugin.COLORMAP, ())
    if len(entries) != 3 << layout.bits[0]:
        raise UnusablePicture("truncated or damaged")
    palette = np.array(entries).reshape(3, -1).T
    white = 255 if palette.max() <= _LARGEST_PALETTE_OF_BYTES else 65535
    found: Bytes = round_to_bytes(palette, 0, white)[indices]
    return found


def _divide_by_alpha(pixels: Bytes, opacity: Bytes, mode: str) -> Image.Image:
    """Undo that colours were multiplied by alpha; where alpha is 0 they are black."""
    divisor = np.maximum(opacity, 1)[..., None].astype(np.float32)
    whole = np.rint(pixels * (255 / divisor)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(whole[..., 0] if mode == "L" else whole)


def _name_mode(layout: Layout, mode: str) -> str:
    if layout.photometric == _PALETTE:
        return "P"
    if mode != "L" or layout.bits[0] <= 8:
        return mode
    if layout.kind == _FLOAT:
        return "F"
    return "I;16" if layout.bits[0] <= 16 and layout.kind != _SIGNED else "I"
