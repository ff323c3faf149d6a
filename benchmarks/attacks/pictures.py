"""Mutated pictures of every format that is read: each is decoded, or refused with a reason."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, features

from attacks.mutation import Tally, mutate
from uncrappify.pictures import UnusablePicture, decode

_SIZE = 48, 64
_MUTATIONS = 45
_LONGEST = 5.0


def attack(_: Path, seed: int, share: float) -> Tally:
    """Decode mutations of each format; survived is a picture or a reason, soon, and no PNG that its checksums damn."""
    tally = Tally("pictures")
    for number, (name, content) in enumerate(_make_pictures(np.random.default_rng(seed))):
        for way, damaged in mutate(content, seed + number, max(1, round(_MUTATIONS * share))):
            tally.count(f"{name}, {way} ({tally.tried})", partial(_try, damaged))
    return tally


def _try(content: bytes) -> str | None:
    started = time.perf_counter()
    try:
        decode(content)
    except UnusablePicture as reason:
        wrong = None if str(reason) else "no reason is given"
    else:
        wrong = _find_fault(content) if content.startswith(b"\x89PNG\r\n\x1a\n") else None
    took = time.perf_counter() - started
    return wrong or (f"took {took:.1f} s" if took > _LONGEST else None)


def _find_fault(content: bytes) -> str | None:
    """Check a PNG that was read: every chunk to the last, and the checksum of its pixels."""
    place, pixels, name = 8, b"", b""
    while name != b"IEND":
        if place + 12 > len(content):
            return "was read without its end"
        length, name = struct.unpack_from(">I4s", content, place)
        data, checksum = content[place + 8 : place + 8 + length], content[place + 8 + length : place + 12 + length]
        if zlib.crc32(name + data).to_bytes(4, "big") != checksum:
            return f"was read with a wrong checksum in {name!r}"
        pixels += data if name == b"IDAT" else b""
        place += 12 + length
    zlib.decompress(pixels)
    return None


def _make_pictures(random: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of a sound picture for each format and codec."""
    pixels = random.integers(0, 256, (*_SIZE, 3)).astype(np.uint8)
    smooth = np.add.outer(np.arange(_SIZE[0]), np.arange(_SIZE[1]))[..., None] * [1, 2, 1] % 256
    noisy, picture = Image.fromarray(pixels), Image.fromarray(smooth.astype(np.uint8))
    deep = Image.fromarray(smooth[..., 0].astype(np.uint16) * 257)
    kinds: list[tuple[str, Image.Image, str, dict[str, Any]]] = [
        ("png", noisy, "PNG", {}),
        ("png palette", picture.quantize(16), "PNG", {"transparency": 1}),
        ("png 16 bit", deep, "PNG", {}),
        ("apng", picture, "PNG", {"save_all": True, "append_images": [noisy]}),
        ("jpeg", picture, "JPEG", {}),
        ("jpeg progressive", noisy, "JPEG", {"progressive": True, "quality": 90}),
        ("jpeg CMYK", picture.convert("CMYK"), "JPEG", {}),
        ("webp", picture, "WEBP", {}),
        ("webp lossless", picture, "WEBP", {"lossless": True}),
        ("gif", picture.quantize(32), "GIF", {"save_all": True, "append_images": [picture.quantize(8)]}),
        ("bmp", picture, "BMP", {}),
        ("bmp palette", picture.quantize(16), "BMP", {}),
        ("tiff", picture, "TIFF", {}),
        ("tiff LZW", picture, "TIFF", {"compression": "tiff_lzw"}),
        ("tiff jpeg", picture, "TIFF", {"compression": "jpeg"}),
        ("tiff 16 bit", deep, "TIFF", {}),
        ("tiff 16 bit deflate", deep, "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("tiff 16 bit LZW", deep, "TIFF", {"compression": "tiff_lzw", "tiffinfo": {317: 2}}),
        ("tiff float", deep.convert("F"), "TIFF", {"compression": "tiff_lzw", "tiffinfo": {317: 3}}),
        ("tiff palette", picture.quantize(32), "TIFF", {"compression": "packbits"}),
        ("BigTIFF of two pages", picture, "TIFF", {"save_all": True, "append_images": [noisy], "big_tiff": True}),
    ]
    if features.check("avif"):
        kinds.append(("avif", picture, "AVIF", {}))
    for name, sound, format, options in kinds:
        file = BytesIO()
        sound.copy().save(file, format, **options)
        decode(file.getvalue())
        yield name, file.getvalue()
