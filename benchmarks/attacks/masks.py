"""Masks of every kind that the product reads, sound ones and damaged ones.

Sound ones have to come out with exactly their classes. Damaged ones are left out or stop the list with a sentence, and
where a file has checksums, which is PNG, none of them may come out with other classes.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import product
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from attacks.mutation import Tally, mutate
from uncrappify.errors import UserError
from uncrappify.pictures.masks import Labels, read_mask
from uncrappify.sources import PictureSource, examine_masks, list_pictures

MUTATED = 300
COLOURS = [(0, 0, 0), (0, 160, 0), (120, 80, 40), (255, 255, 255)]
VALUES = Labels(classes=["a", "b", "c", "d"])
COLOURED = Labels(classes=VALUES.classes, colours=COLOURS)
SIDES = 40, 24
DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
_ORIENTATION = 0x0112
Array = npt.NDArray[Any]
_STORED: dict[int, Callable[[Array], Array]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.swapaxes(0, 1),
    6: np.rot90,
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def attack(folder: Path, seed: int, share: float) -> Tally:
    """List masks one at a time, each beside a picture of its size.

    Args:
        folder: Scratch folder.
        seed: Of the classes and of the damage.
        share: Of all attacks.

    Returns:
        The count.
    """
    tally = Tally("masks")
    sound = list(_write_sound(np.random.default_rng(seed)))
    chosen = sound[:: max(1, round(1 / share))] if share < 1 else sound
    for number, (name, content, labels, classes) in enumerate(chosen):
        suffix = name.split()[0].lower()
        tally.count(name, lambda: _try(folder, f"{number}.{suffix}", content, labels, classes, sound=True))  # noqa: B023
    each = -(-round(MUTATED * share) // len(chosen))
    left = round(MUTATED * share)
    for number, (name, content, labels, classes) in enumerate(chosen):
        for way, damaged in mutate(content, seed + number, min(each, left)):
            suffix = name.split()[0].lower()
            tally.count(f"{name}, {way}", lambda: _try(folder, f"m.{suffix}", damaged, labels, classes, sound=False))  # noqa: B023
        left -= min(each, left)
    return tally


def _try(folder: Path, name: str, content: bytes, labels: Labels, classes: Array, *, sound: bool) -> str | None:
    root = folder / "images"
    root.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    noise = np.random.default_rng(0).integers(0, 256, (*classes.shape, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "picture.png")
    source = PictureSource(name="a", root=root, licence="", masks={"picture": str(folder / name)})
    try:
        manifest, pixels = examine_masks(source, list_pictures(source), labels)
    except UserError as error:
        return f"a sound mask is refused: {error}" if sound else _judge(str(error))
    found = read_mask(Path(manifest["mask"][0]), labels)
    if not np.array_equal(found, classes) and (sound or name.endswith(".png")):
        return "other classes than were written"
    return None if pixels.drop(columns="name").sum(axis=None) == (found < len(labels.classes)).sum() else "miscounted"


def _judge(message: str) -> str | None:
    return None if message.strip() and "object at 0x" not in message and "\n" not in message else f"said: {message}"


def _write_sound(random: np.random.Generator) -> Iterator[tuple[str, bytes, Labels, Array]]:
    """Write masks: name, whose first word is the suffix; content, labels, and classes (H, W)."""
    orientations = 0
    for name, write, count, labels in _list_kinds():
        for turned in (False, True):
            orientation = 1 + orientations % 8 if turned else 1
            orientations += turned
            classes = random.integers(0, count, SIDES, dtype=np.uint8)
            stored = np.ascontiguousarray(_STORED[orientation](classes))
            content = write(stored, orientation)
            if content is not None:
                yield f"{name}, orientation {orientation}", content, labels, classes


def _list_kinds() -> Iterator[tuple[str, Any, int, Labels]]:
    """Give name, writer of classes (H, W) with an orientation, number of classes, and labels."""
    two, black_and_green = Labels(classes=["a", "b"]), Labels(classes=["a", "b"], colours=COLOURS[:2])
    for depth in (1, 2, 4, 8, 16):
        labels, count = (two, 2) if depth == 1 else (VALUES, 4)
        yield f"png grey of {depth} bits", _png(depth, 0), count, labels
        if depth < 16:
            yield f"png palette of {depth} bits", _png(depth, 3), count, labels
            yield f"png palette's colours, {depth}", _png(depth, 3), count, black_and_green if depth == 1 else COLOURED
    for depth in (8, 16):
        scale = 257 if depth == 16 else 1
        yield f"png grey and alpha, {depth}", _png(depth, 4, _beside), 4, VALUES
        yield f"png colours, {depth}", _png(depth, 2, (np.array(COLOURS) * scale).__getitem__), 4, COLOURED
        yield f"png grey as colours, {depth}", _png(depth, 2, lambda c: c.repeat(3).reshape(*c.shape, 3)), 4, VALUES
    yield "png big numbers", _png(16, 0, lambda c: c[..., None].astype(int) * 1000), 4, _spread(1000)
    yield "png alike in the upper byte", _png(16, 2, _alike), 4, _spread_alike()
    kinds: list[dict[str, Any]] = [{}, {"compression": "zlib"}, {"photometric": "miniswhite"}, {"tile": (16, 16)}]
    for dtype in DTYPES:
        for order, options in product("<>", kinds):
            yield f"tif {dtype}{order} {options}", _tiff(methodcaller("astype", dtype), order, **options), 4, VALUES
    for order in "<>":
        yield f"tif colours of 16 bits {order}", _tiff(_alike, order), 4, _spread_alike()
        yield f"tif bilevel {order}", _tiff(lambda c: c > 0, order), 2, two
    for kind in ("tif", "bmp", "gif"):
        yield f"{kind} grey by Pillow", _pillow(Image.fromarray, kind), 4, VALUES
        yield f"{kind} palette by Pillow", _pillow(_with_palette, kind), 4, COLOURED
    for compression in ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"):
        yield f"tif {compression}", _pillow(Image.fromarray, "tif", compression=compression), 4, VALUES


def _png(depth: int, colour: int, convert: Callable[[Array], Array] = lambda classes: classes[..., None]) -> Any:
    return lambda classes, orientation: write_png(convert(classes), depth, colour, orientation)


def _tiff(convert: Callable[[Array], Array], order: str, **options: Any) -> Any:
    return lambda classes, orientation: write_tiff(convert(classes), orientation, byteorder=order, **options)


def _pillow(convert: Callable[[Array], Image.Image], kind: str, **options: Any) -> Any:
    return lambda classes, orientation: write_by_pillow(convert(classes), kind, orientation, **options)


def _beside(classes: Array) -> Array:
    return np.stack([classes, 255 - classes], axis=-1)


def _alike(classes: Array) -> Array:
    return np.stack([classes, classes.astype(np.uint16) + 512, classes * 0], axis=-1).astype(np.uint16)


def _spread(step: int) -> Labels:
    return Labels(classes=VALUES.classes, colours=[(step * place,) * 3 for place in range(4)])


def _spread_alike() -> Labels:
    return Labels(classes=VALUES.classes, colours=[(place, place + 512, 0) for place in range(4)])


def _with_palette(classes: Array) -> Image.Image:
    picture = Image.fromarray(classes, mode="P")
    picture.putpalette([value for colour in COLOURS for value in colour])
    return picture


def write_by_pillow(picture: Image.Image, kind: str, orientation: int, **options: Any) -> bytes | None:
    """Write a mask by Pillow; None where the format cannot tell an orientation."""
    if kind in {"bmp", "gif"} and orientation > 1:
        return None
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    file = io.BytesIO()
    picture.save(file, {"tif": "TIFF"}.get(kind, kind.upper()), **({"exif": exif} if kind == "tif" else {}), **options)
    return file.getvalue()


def write_tiff(pixels: Array, orientation: int, **options: Any) -> bytes:
    """Write a mask by tifffile, whatever its kind of number."""
    file = io.BytesIO()
    options = {"photometric": "rgb"} | options if pixels.ndim == 3 else options
    tifffile.imwrite(file, pixels, extratags=[(_ORIENTATION, "H", 1, orientation, True)], **options)
    return file.getvalue()


def write_png(samples: Array, depth: int, colour: int, orientation: int) -> bytes:
    """Write a PNG of any depth and kind of colour by hand; samples (H, W, channels)."""
    height, width = samples.shape[:2]
    bits = np.unpackbits(samples.astype(">u2")[..., None].view(np.uint8), axis=-1)[..., 16 - depth :]
    lines = b"".join(b"\0" + row.tobytes() for row in np.packbits(bits.reshape(height, -1), axis=1))
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    chunks += [(b"PLTE", bytes(np.array(COLOURS[: 2**depth], dtype=np.uint8)))] if colour == 3 else []
    chunks += [(b"IDAT", zlib.compress(lines)), (b"eXIf", exif.tobytes()[6:]), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
