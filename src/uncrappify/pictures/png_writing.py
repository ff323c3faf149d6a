"""PNG files of 8 and 16 bits with metadata (PNG specification, third edition, W3C 2025).

Of 16 bits, Pillow writes grey alone; and it takes a copy of all pixels, which counts for a large picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from uncrappify.pictures.metadata import Metadata
from uncrappify.pictures.original import Samples

_GREY, _RGB, _ALPHA = 0, 2, 4
_METRE = 39.3701
"""Inches."""

_UP = 2
_LINES = 256
"""That are filtered at once."""


def write(samples: Samples, opacity: Samples | None, metadata: Metadata) -> bytes:
    """Write a picture.

    Args:
        samples: (H, W, 1 or 3), uint8 or uint16.
        opacity: (H, W) of the same type, or None.
        metadata: EXIF, profile, XMP, pixels an inch and text are written.

    Returns:
        The file's bytes.
    """
    height, width, channels = samples.shape
    colour = (_GREY if channels == 1 else _RGB) + (_ALPHA if opacity is not None else 0)
    parts = [
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * samples.itemsize, colour, 0, 0, 0)),
    ]
    parts += [_chunk(name, content) for name, content in _list_metadata(metadata)]
    packer = zlib.compressobj(1)
    for lines in _filter_lines(samples, opacity):
        if packed := packer.compress(lines):
            parts.append(_chunk(b"IDAT", packed))
    parts += [_chunk(b"IDAT", packer.flush()), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _list_metadata(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    if metadata.icc:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)
    if metadata.dpi:
        across, down = (round(value * _METRE) for value in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    if metadata.xmp:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp
    for name, value in metadata.text.items():
        # Names are Latin-1, from 1 to 79 signs; what the file had is that already.
        yield b"iTXt", name.encode("latin-1", "replace")[:79] + b"\0\0\0\0\0" + value.encode()


def _filter_lines(samples: Samples, opacity: Samples | None) -> Iterator[bytes]:
    """Give blocks of lines, each line as differences to the one above it."""
    above = np.zeros(0, np.uint8)
    for start in range(0, len(samples), _LINES):
        block = samples[start : start + _LINES]
        if opacity is not None:
            block = np.concatenate([block, opacity[start : start + _LINES, :, None]], axis=-1)
        lines = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(">"))).view(np.uint8).reshape(len(block), -1)
        before = np.concatenate([(above if above.size else np.zeros_like(lines[0]))[None], lines[:-1]])
        above = lines[-1]
        yield np.concatenate([np.full((len(lines), 1), _UP, np.uint8), lines - before], axis=1).tobytes()
