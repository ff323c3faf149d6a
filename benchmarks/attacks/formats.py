"""Pictures with known pixels in every format, bit depth, sign and kind of transparency: are the pixels right?"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, features

from attacks.mutation import Tally
from uncrappify.pictures import UnusablePicture, decode

Pixels = npt.NDArray[Any]
CASES = Path(__file__).parents[3] / "shared" / "cases" / "pictures"
WORST = 1
_SIZE = 24, 37  # odd, so that lines do not end with whole bytes
# Rounding of colour space conversions, and of codecs that lose something even so.
_LOSSY = 6


def attack(_: Path, seed: int, share: float) -> Tally:
    """Decode every case; survived is the right picture, or "not supported" where that is expected."""
    tally = Tally("formats")
    cases = [*_make_cases(np.random.default_rng(seed)), *_find_cases()]
    for name, content, expected, worst in cases[:: max(1, round(1 / share))]:
        tally.count(name, partial(_compare, content, expected, worst))
    return tally


def _compare(content: bytes, expected: Pixels | str, worst: int) -> str | None:
    try:
        found = np.asarray(decode(content).picture).astype(int)
    except UnusablePicture as reason:
        return None if isinstance(expected, str) and str(reason).startswith(expected) else f"refused: {reason}"
    if isinstance(expected, str):
        return f"was read; expected: {expected}"
    if found.shape != expected.shape:
        return f"{found.shape} for {expected.shape}"
    difference = int(np.abs(found - expected).max())
    return f"differs by {difference}" if difference > worst else None


Case = tuple[str, bytes, "Pixels | str", int]


def _make_cases(random: np.random.Generator) -> Iterator[Case]:
    grey = random.integers(0, 256, _SIZE)
    colours = random.integers(0, 256, (*_SIZE, 3))
    alpha = random.integers(0, 256, (*_SIZE, 1))
    yield from _make_tiffs(grey, colours, alpha)
    yield from _make_floats(grey, colours)
    yield from _make_pngs(random)
    yield from _make_others(colours, alpha)
    yield from _make_foreign()


def _grey(values: Pixels) -> Pixels:
    return np.repeat(np.rint(values)[..., None], 3, axis=2).astype(int)


def _over_white(colours: Pixels, alpha: Pixels) -> Pixels:
    return np.rint(255 - (255 - colours) * (alpha / 255)).astype(int)


def _tiff(pixels: Pixels, **options: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def _make_tiffs(grey: Pixels, colours: Pixels, alpha: Pixels) -> Iterator[Case]:
    """Integers whose range is their type's, in every arrangement that tifffile writes without further libraries."""
    byte, word = np.uint8, np.uint16
    arrangements: dict[str, dict[str, Any]] = {
        "": {},
        " big-endian": {"byteorder": ">"},
        " BigTIFF": {"bigtiff": True},
        " big-endian BigTIFF": {"byteorder": ">", "bigtiff": True},
        " strips": {"rowsperstrip": 5},
        " tiles": {"tile": (16, 16)},
        " deflate": {"compression": "zlib"},
        " deflate predictor": {"compression": "zlib", "predictor": 2, "rowsperstrip": 7},
        " big-endian deflate predictor tiles": {
            "compression": "zlib",
            "predictor": 2,
            "tile": (16, 32),
            "byteorder": ">",
        },
    }
    for name, options in arrangements.items():
        for dtype, scale in ((byte, 1), (word, 257)):
            bits = f"{8 * np.dtype(dtype).itemsize} bit{name}"
            grey_n, colours_n, alpha_n = ((part * scale).astype(dtype) for part in (grey, colours, alpha))
            white = 255 * scale
            yield f"tiff grey {bits}", _tiff(grey_n, photometric="minisblack", **options), _grey(grey), WORST
            yield (
                f"tiff grey {bits} white is 0",
                _tiff((white - grey * scale).astype(dtype), photometric="miniswhite", **options),
                _grey(grey),
                WORST,
            )
            yield f"tiff rgb {bits}", _tiff(colours_n, photometric="rgb", **options), colours, WORST
            planes = np.moveaxis(colours_n, -1, 0)
            separate = {"photometric": "rgb", "planarconfig": "separate", **options}
            yield f"tiff rgb {bits} planar", _tiff(planes, **separate), colours, WORST
            rgba = np.concatenate([colours_n, alpha_n], axis=2)
            over = _over_white(colours, alpha)
            for kind, pixels, expected in (
                ("unassalpha", rgba, over),
                ("assocalpha", _premultiply(colours, alpha, scale, dtype), over),
                ("unspecified", rgba, colours),
            ):
                content = _tiff(pixels, photometric="rgb", extrasamples=[kind], **options)
                yield f"tiff rgb {bits} {kind}", content, expected, WORST + (kind == "assocalpha")
            grey_alpha = np.stack([grey_n, alpha_n[..., 0]], axis=2)
            content = _tiff(
                grey_alpha, photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig", **options
            )
            yield f"tiff grey {bits} alpha", content, _over_white(_grey(grey), alpha), WORST
            ink = np.concatenate([255 - colours, np.zeros((*_SIZE, 1))], axis=2) * scale
            yield f"tiff cmyk {bits}", _tiff(ink.astype(dtype), photometric="separated", **options), colours, WORST
            signed = (grey_n.astype(int) - (white // 2 + 1)).astype(f"i{np.dtype(dtype).itemsize}")
            yield f"tiff signed grey {bits}", _tiff(signed, photometric="minisblack", **options), _grey(grey), WORST
    for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd", "lzma"):
        for mode, pixels, expected in (
            ("I;16", (grey * 257).astype(np.uint16), _grey(grey)),
            ("F", (grey / 255).astype(np.float32), _grey(grey)),
            ("RGB", colours.astype(np.uint8), colours),
        ):
            file = BytesIO()
            Image.fromarray(pixels).save(file, "TIFF", compression=compression)
            yield f"tiff {mode} {compression}", file.getvalue(), expected, WORST
    palette = np.random.default_rng(1).integers(0, 65536, (3, 256)).astype(np.uint16)
    looked_up = palette.T[grey]
    content = _tiff(grey.astype(np.uint8), photometric="palette", colormap=palette)
    yield "tiff palette", content, np.rint(looked_up / 257).astype(int), WORST
    content = _tiff(grey.astype(np.uint8), photometric="palette", colormap=palette >> 8)
    yield "tiff palette of bytes", content, (palette >> 8).T[grey].astype(int), WORST
    long_palette = np.random.default_rng(1).integers(0, 65536, (3, 65536)).astype(np.uint16)
    content = _tiff((grey * 257).astype(np.uint16), photometric="palette", colormap=long_palette)
    yield "tiff palette 16 bit", content, np.rint(long_palette.T[grey * 257] / 257).astype(int), WORST
    yield (
        "tiff second page",
        _tiff(np.stack([grey, 255 - grey]).astype(np.uint16) * 257, photometric="minisblack"),
        _grey(grey),
        WORST,
    )
    for depth in (1, 2, 4, 9, 10, 12, 14):
        for order in "<>":
            for meaning in (0, 1):
                yield from _make_odd_tiff(grey, colours, depth, order, meaning)


def _premultiply(colours: Pixels, alpha: Pixels, scale: int, dtype: Any) -> Pixels:
    whole = np.rint(colours * scale * (alpha / 255))
    return np.concatenate([whole, alpha * scale], axis=2).astype(dtype)


def _make_odd_tiff(grey: Pixels, colours: Pixels, bits: int, order: str, photometric: int) -> Iterator[Case]:
    """Samples that are no whole bytes, packed from the highest bit on, each line from a byte on."""
    white = (1 << bits) - 1
    for name, part in (("grey", grey[..., None]), ("rgb", colours)):
        samples = part.shape[2]
        if samples == 3 and (bits < 8 or not photometric):
            continue
        values = np.rint(part * (white / 255)).astype(int)
        stored = values if photometric else white - values
        digits = (stored.reshape(len(stored), -1, 1) >> np.arange(bits - 1, -1, -1)) & 1
        data = np.packbits(digits.reshape(len(stored), -1).astype(np.uint8), axis=1).tobytes()
        content = _pack_tiff(order, data, bits, samples, 2 if samples == 3 else photometric)
        expected = np.rint(values * (255 / white)).astype(int)
        expected = expected if samples == 3 else np.repeat(expected, 3, axis=2)
        yield f"tiff {name} {bits} bit {order} photometric {photometric}", content, expected, WORST


def _pack_tiff(order: str, data: bytes, bits: int, samples: int, photometric: int) -> bytes:
    height, width = _SIZE
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 0), (277, samples)]
    entries += [(278, height), (279, len(data))]
    start = 8 + 2 + 12 * len(entries) + 4
    depths = struct.pack(f"{order}{samples}H", *[bits] * samples)
    packed = b""
    for tag, value in entries:
        if tag == 258 and samples > 1:
            packed += struct.pack(f"{order}HHII", tag, 3, samples, start)
        else:
            packed += struct.pack(f"{order}HHII", tag, 4, 1, start + len(depths) if tag == 273 else value)
    begin = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return begin + struct.pack(f"{order}H", len(entries)) + packed + b"\0\0\0\0" + depths + data


def _make_floats(grey: Pixels, colours: Pixels) -> Iterator[Case]:
    """Samples whose range has to be guessed."""
    unit = grey / 255
    bright = unit.copy()
    bright[0, :3] = 1.02, 40.0, 1000.0
    broken = unit.copy()
    broken[0, :3] = np.inf, -np.inf, np.nan
    expected_broken = grey.copy()
    expected_broken[0, :3] = 255, 0, 0
    clipped = np.minimum(bright, 1) * 255
    for dtype in (np.float16, np.float32, np.float64):
        for name, values, expected in (
            ("0 to 1", unit, grey),
            ("highlights", bright, clipped),
            ("inf and NaN", broken, expected_broken),
            ("0 to 255", grey.astype(float), grey),
        ):
            content = _tiff(values.astype(dtype), photometric="minisblack")
            yield f"tiff {np.dtype(dtype)} {name}", content, _grey(expected), WORST
        yield f"tiff {np.dtype(dtype)} rgb", _tiff((colours / 255).astype(dtype), photometric="rgb"), colours, WORST
        planes = np.moveaxis(colours / 255, -1, 0).astype(dtype)
        content = _tiff(planes, photometric="rgb", planarconfig="separate", compression="zlib")
        yield f"tiff {np.dtype(dtype)} rgb planar", content, colours, WORST
    for compression in ("tiff_lzw", "tiff_adobe_deflate"):
        picture = Image.fromarray(unit.astype(np.float32))
        content = _save(picture, "TIFF", compression=compression, tiffinfo={317: 3})
        yield f"tiff float {compression} predictor", content, _grey(grey), WORST
    over = grey.copy()
    over[0, 0] = 300
    for integer in (np.uint32, np.int32):
        info = np.iinfo(integer)
        span = int(info.max) - int(info.min)
        for name, values, expected in (
            ("0 to 255", grey, grey),
            ("one over 255", over, np.minimum(over, 255)),
            ("0 to 65535", grey * 257, grey),
            ("whole range", grey * (span // 255) + int(info.min), grey),
        ):
            content = _tiff(values.astype(integer), photometric="minisblack")
            yield f"tiff {np.dtype(integer)} {name}", content, _grey(expected), WORST
    yield "tiff below 0", _tiff((unit * 2 - 1).astype(np.float32)), "not supported: samples below 0", 0
    yield "tiff all NaN", _tiff(np.full(_SIZE, np.nan, np.float32)), "not supported: samples without", 0


def _make_pngs(random: np.random.Generator) -> Iterator[Case]:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for colour, count in channels.items():
        for depth in depths[colour]:
            largest = (1 << depth) - 1
            samples = random.integers(0, largest + 1, (*_SIZE, count))
            palette = random.integers(0, 256, (largest + 1, 3))
            for transparent in (False, True) if colour in {0, 2, 3} else (False,):
                samples[:5, :5] = samples[0, 0]
                # A neighbour that differs in its lowest bit alone is not transparent.
                samples[5, 5] = samples[0, 0] ^ 1
                opacity = random.integers(0, 256, largest + 1)
                expected = _expect_png(samples, largest, colour, palette, transparent, opacity)
                chunks = _find_png_chunks(samples, colour, palette, transparent, opacity)
                for interlaced in (False, True):
                    content = _png(samples, depth, colour, chunks, interlaced)
                    name = (
                        f"png colour {colour} {depth} bit" + " transparent" * transparent + " interlaced" * interlaced
                    )
                    yield name, content, expected, WORST
    sound = _png(random.integers(0, 256, (*_SIZE, 3)), 8, 2, b"", False)
    pixels = np.asarray(Image.open(BytesIO(sound)).convert("RGB")).astype(int)
    text = zlib.compress(bytes(3 << 20))
    for name, chunk in (
        ("3 MB of text", _chunk(b"zTXt", b"Comment\0\0" + text)),
        ("3 MB of plain text", _chunk(b"tEXt", b"Comment\0" + b"x" * (3 << 20))),
        ("3 MB of international text", _chunk(b"iTXt", b"Comment\0\1\0\0\0" + text)),
        ("3 MB of XMP", _chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + text)),
        ("3 MB of profile", _chunk(b"iCCP", b"P\0\0" + text)),
        ("an odd cHRM", _chunk(b"cHRM", b"\0" * 3)),
    ):
        yield f"png {name}", sound[:33] + chunk + sound[33:], pixels, 0
        yield f"png {name} at the end", sound[:-12] + chunk + sound[-12:], pixels, 0
    yield "png for iOS", sound[:8] + _chunk(b"CgBI", b"\x50\0\x20\x02") + sound[8:], "not supported", 0
    yield "png without its end", sound[:-12], "truncated", 0


def _expect_png(
    samples: Pixels, largest: int, colour: int, palette: Pixels, transparent: bool, opacity: Pixels
) -> Pixels:
    scaled = samples * (255 / largest)
    if colour == 3:
        colours, alpha = palette[samples[..., 0]], opacity[samples] if transparent else np.full((*_SIZE, 1), 255)
    elif colour in {4, 6}:
        colours, alpha = scaled[..., :-1], scaled[..., -1:]
    else:
        colours = scaled
        hidden = (samples == samples[0, 0]).all(-1, keepdims=True)
        alpha = np.where(hidden & transparent, 0, 255)
    return _over_white(np.broadcast_to(colours, (*_SIZE, 3)), alpha)


def _find_png_chunks(samples: Pixels, colour: int, palette: Pixels, transparent: bool, opacity: Pixels) -> bytes:
    chunks = _chunk(b"PLTE", palette.astype(np.uint8).tobytes()) if colour == 3 else b""
    if transparent:
        chunks += _chunk(b"tRNS", (opacity.astype(np.uint8) if colour == 3 else samples[0, 0].astype(">u2")).tobytes())
    return chunks


def _png(samples: Pixels, depth: int, colour: int, chunks: bytes, interlaced: bool) -> bytes:
    """Encode a PNG, in seven passes if interlaced (Adam7)."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [samples[y::dy, x::dx] for y, x, dy, dx in passes] if interlaced else [samples]
    lines = b""
    for part in (part for part in parts if part.size):
        digits = (part.reshape(len(part), -1, 1) >> np.arange(depth - 1, -1, -1)) & 1
        packed = np.packbits(digits.reshape(len(part), -1).astype(np.uint8), axis=1)
        lines += b"".join(b"\0" + line.tobytes() for line in packed)
    height, width = samples.shape[:2]
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + header + chunks + _chunk(b"IDAT", zlib.compress(lines)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _make_others(colours: Pixels, alpha: Pixels) -> Iterator[Case]:
    rgb, flat = Image.fromarray(colours.astype(np.uint8)), np.full((*_SIZE, 3), (200, 100, 50))
    plain = Image.fromarray(flat.astype(np.uint8))
    rgba = Image.fromarray(np.concatenate([colours, alpha], axis=2).astype(np.uint8))
    over = _over_white(colours, alpha)
    yield "bmp", _save(rgb, "BMP"), colours, 0
    for name, opacity, expected in (
        ("unset", np.zeros_like(alpha), colours),
        ("opaque", np.full_like(alpha, 255), colours),
        ("used", alpha, over),
    ):
        yield f"bmp alpha {name}", _bmp(colours, opacity), expected, WORST
    yield "webp lossless", _save(rgb, "WEBP", lossless=True), colours, 0
    yield "webp alpha", _save(rgba, "WEBP", lossless=True, exact=True), over, WORST
    yield "webp", _save(plain, "WEBP"), flat, _LOSSY
    palette = rgb.quantize(64)
    yield "gif", _save(palette, "GIF"), np.asarray(palette.convert("RGB")).astype(int), 0
    indices = np.asarray(palette)
    seen = np.where((indices == 3)[..., None], 255, np.asarray(palette.convert("RGB")))
    yield "gif transparent", _save(palette, "GIF", transparency=3), seen.astype(int), 0
    for mode in ("L", "RGB", "CMYK"):
        picture = plain.convert(mode)
        yield f"jpeg {mode}", _save(picture, "JPEG", quality=95), np.asarray(picture.convert("RGB")).astype(int), _LOSSY
    yield (
        "jpeg of 12 bits",
        _save(plain, "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        "not supported",
        0,
    )
    yield "jpeg lossless", _save(plain, "JPEG").replace(b"\xff\xc0\0\x11", b"\xff\xc3\0\x11"), "not supported", 0
    if features.check("avif"):
        yield "avif", _save(plain, "AVIF", quality=100, subsampling="4:4:4"), flat, _LOSSY
    lab = _save(plain.convert("RGB"), "TIFF", compression="jpeg", quality=95)
    yield "tiff jpeg", lab, flat, _LOSSY


def _save(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def _bmp(colours: Pixels, alpha: Pixels) -> bytes:
    """A BMP of 32 bits a pixel whose header names the mask of its alpha channel (version 4)."""
    height, width = _SIZE
    data = np.concatenate([colours[..., ::-1], alpha], axis=2).astype(np.uint8)[::-1].tobytes()
    header = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(data), 2835, 2835, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(data), 0, 0, 14 + len(header)) + header + data


def _make_foreign() -> Iterator[Case]:
    """Beginnings of files of other kinds; each is told by its name."""
    box = struct.pack(">I", 24) + b"ftyp"
    for kind, content in {
        "HEIC": box + b"heic\0\0\0\0mif1heic",
        "camera raw": box + b"crx \0\0\0\1crx isom",
        "JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n",
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
        "Photoshop": b"8BPS\0\1",
        "JPEG-LS": b"\xff\xd8\xff\xf7",
    }.items():
        yield f"foreign {kind}", content + bytes(400), f"not supported: {kind}", 0
    yield "foreign video", box + b"isom\0\0\0\0mp42avc1" + bytes(400), "not a picture", 0


def _find_cases() -> Iterator[Case]:
    if not CASES.exists():
        return
    expected = np.load(CASES / "formats_expected.npz")
    for name in expected:
        yield f"case {name}", (CASES / "formats" / name).read_bytes(), expected[name].astype(int), WORST
    for name in ("IMG_0001.jpg", "IMG_0002.HEIC"):
        yield f"case {name}", (CASES / "formats" / name).read_bytes(), "not supported: HEIC", 0
