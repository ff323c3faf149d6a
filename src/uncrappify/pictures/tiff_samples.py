"""The samples that a TIFF stores: strips and tiles unpacked to numbers of the file's own type.

Pillow reads fewer kinds, and some of them to wrong numbers: more than 8 bits, signed, planar. tifffile, which
scikit-image brings, would need a further library for LZW and for samples of 12 bits.
"""

import math
import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import accumulate, groupby
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from PIL import TiffImagePlugin

from uncrappify.pictures.limits import open_picture, prepare_tiff
from uncrappify.pictures.samples import Bytes, Samples
from uncrappify.pictures.tiff_layout import DEFLATE, FLOAT, GREY, NOT_COMPRESSED, SIGNED, Layout, Order, explain_refusal
from uncrappify.pictures.unusable import UnusablePicture

_BLOCK = 1 << 20
# Bytes that libtiff unpacks at once: to call it takes as long as a strip does, and its result is copied twice.
_BATCH = 1 << 24
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def read_samples(content: bytes, layout: Layout) -> Samples:
    """Read all samples of a TIFF's first picture, as they are stored: neither turned, nor scaled, nor inverted.

    Args:
        content: The file's bytes.
        layout: What its directory says.

    Returns:
        (H, W, samples), of the smallest type that holds the file's.

    Raises:
        UnusablePicture: It is truncated or damaged, or not supported; the message says what is not.
    """
    if reason := explain_refusal(layout):
        raise UnusablePicture(reason)
    bits, channels = layout.bits[0], 1 if layout.planar else layout.samples
    item = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    dtype = np.dtype({SIGNED: "i", FLOAT: "f"}.get(layout.kind, "u") + str(item))
    found = np.full((layout.height, layout.width, layout.samples), _find_filling(layout, dtype), dtype)
    predictor = int(layout.tags.get(TiffImagePlugin.PREDICTOR, 1)) if layout.compression != NOT_COMPRESSED else 1
    for plane, parts in groupby(_find_parts(content, layout), attrgetter("plane")):
        for part, lines in _unpack(list(parts), layout.compression, channels * bits):
            block = _read_lines(lines, part.width * channels, bits, dtype, layout.order, predictor, channels)
            block = block.reshape(part.height, part.width, channels)
            here = found[part.y : part.y + part.height, part.x : part.x + part.width]
            here = here[..., plane : plane + 1] if layout.planar else here
            here[...] = block[: here.shape[0], : here.shape[1]]
    return found


def _find_filling(layout: Layout, dtype: np.dtype[Any]) -> float:
    """Give the sample of pixels that a sparse file leaves out.

    Raises:
        UnusablePicture: No sample of the file's type can be it.
    """
    filling = layout.filling if layout.gaps else 0.0
    highest = (1 << layout.bits[0] - (layout.kind == SIGNED)) - 1
    lowest = -highest - 1 if layout.kind == SIGNED else 0
    if dtype.kind != "f" and not (lowest <= filling <= highest and filling.is_integer()):
        raise UnusablePicture(f"not supported: sparse TIFF with {filling:g} for no data")
    return filling


class _Part(NamedTuple):
    x: int
    y: int
    plane: int
    width: int
    height: int
    data: bytes


def _find_parts(content: bytes, layout: Layout) -> Iterator[_Part]:
    """Yield the strips or tiles that are not left out, as the directory lists them: planes, then rows, then columns."""
    tags, offsets, counts, gaps = layout.tags, layout.offsets, layout.counts, layout.gaps
    if layout.is_tiled:
        width, height = int(tags[TiffImagePlugin.TILEWIDTH]), int(tags.get(TiffImagePlugin.TILELENGTH, 0))
    else:
        width, height = layout.width, min(int(tags.get(TiffImagePlugin.ROWSPERSTRIP, layout.height)), layout.height)
    # A tile may be larger than the picture, but hardly by much: what it says is what will be allocated.
    if width < 1 or height < 1 or width * height > 4 * max(layout.width * layout.height, 1 << 20) or not offsets:
        raise UnusablePicture("truncated or damaged")
    across, down = math.ceil(layout.width / width), math.ceil(layout.height / height)
    parts = across * down * (layout.samples if layout.planar else 1)
    if not counts and parts == 1:
        counts = (len(content) - offsets[0],)
    if len(offsets) < parts or len(counts) < parts:
        raise UnusablePicture("truncated or damaged")
    for number in range(parts):
        if number in gaps:
            continue
        if not offsets[number]:  # the header is there
            raise UnusablePicture("truncated")
        plane, place = divmod(number, across * down)
        y, x = (place // across) * height, (place % across) * width
        data = content[offsets[number] : offsets[number] + counts[number]]
        data = data.translate(_REVERSED) if tags.get(TiffImagePlugin.FILLORDER) == 2 else data
        yield _Part(x, y, plane, width, height if layout.is_tiled else min(height, layout.height - y), data)


def _unpack(parts: list[_Part], compression: int, bits: int) -> Iterator[tuple[_Part, Bytes]]:
    """Decompress strips or tiles of so many bits a pixel to lines of whole bytes, (part's height, bytes)."""
    line = math.ceil(parts[0].width * bits / 8)
    if compression not in {NOT_COMPRESSED, *DEFLATE}:
        step = max(1, _BATCH // (parts[0].height * line))
        for first in range(0, len(parts), step):
            batch = parts[first : first + step]
            yield from zip(batch, _unpack_by_libtiff(batch, compression, line), strict=True)
        return
    for part in parts:
        data, size = part.data, part.height * line
        if compression in DEFLATE:
            data = zlib.decompressobj().decompress(data, size + 1)  # one more, so that its checksum is looked at
        if len(data) < size:
            raise UnusablePicture("truncated")
        yield part, np.frombuffer(data, np.uint8, size).reshape(part.height, line)


def _unpack_by_libtiff(parts: list[_Part], compression: int, line: int) -> list[Bytes]:
    """Decompress by libtiff, through Pillow: strips or tiles become the strips of a TIFF of grey bytes."""
    ends = np.cumsum([part.height for part in parts])
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory.update(
        {
            TiffImagePlugin.IMAGEWIDTH: line,
            TiffImagePlugin.IMAGELENGTH: int(ends[-1]),
            TiffImagePlugin.BITSPERSAMPLE: 8,
            TiffImagePlugin.COMPRESSION: compression,
            TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: GREY,
            # Pillow adds the directory's own length.
            TiffImagePlugin.STRIPOFFSETS: tuple(accumulate((len(part.data) for part in parts[:-1]), initial=0)),
            TiffImagePlugin.ROWSPERSTRIP: parts[0].height,
            TiffImagePlugin.STRIPBYTECOUNTS: tuple(len(part.data) for part in parts),
        }
    )
    file = BytesIO()
    directory.save(file)
    file.writelines(part.data for part in parts)
    picture = open_picture(file, "TIFF")
    prepare_tiff(picture)
    return np.split(np.asarray(picture), ends[:-1])


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
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(dtype)
    step = max(1, _BLOCK // (count * bits))
    for first in range(0, len(lines), step):  # in blocks: each bit becomes a byte
        digits = np.unpackbits(lines[first : first + step], axis=1, count=count * bits)
        values[first : first + step] = digits if bits == 1 else digits.reshape(len(digits), count, bits) @ weights
    return values
