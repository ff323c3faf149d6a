"""Mask files of every kind: the right numbers and colours, upright, or the reason why not."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from uncrappify.pictures import UnusablePicture
from uncrappify.pictures.mask_file import parse_mask
from uncrappify.pictures.masks import VOID, Labels, read_mask
from uncrappify.pictures.unusable import UnfitMask

CLASSES = np.array([[0, 1, 2], [2, 1, 1]], dtype=np.uint8)
LABELS = Labels(classes=["a", "b", "c"], void=[255])
DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
COLOURS = np.array([[0, 0, 0], [0, 160, 0], [120, 80, 40]])
COLOURED = Labels(classes=["a", "b", "c"], colours=COLOURS.tolist())


ZIPPED = {"compression": "zlib"}
PLANES = {"photometric": "rgb", "planarconfig": "separate"}


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def png(samples: np.ndarray, depth: int, colour: int) -> bytes:
    """Write a PNG of any depth: colour 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA; samples (H, W, channels)."""
    height, width = samples.shape[:2]
    rows = samples.reshape(height, -1)
    bits = np.unpackbits(rows.astype(">u2").view(np.uint8).reshape(height, -1, 2), axis=-1)[..., 16 - depth :]
    packed = np.packbits(bits.reshape(height, -1), axis=1)
    lines = b"".join(b"\0" + row.tobytes() for row in packed)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    chunks += [(b"PLTE", bytes(range(9)))] if colour == 3 else []
    chunks += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def decoded(content: bytes, labels: Labels = LABELS) -> object:
    found = labels.decode(parse_mask(content).read())
    return found.tolist() if isinstance(found, np.ndarray) else found


@pytest.mark.parametrize("depth", [2, 4, 8, 16])
def test_a_png_of_any_depth_has_its_own_numbers(depth: int) -> None:
    assert decoded(png(CLASSES, depth, 0)) == CLASSES.tolist()


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_a_palette_has_places(depth: int) -> None:
    assert decoded(png(CLASSES, depth, 3)) == CLASSES.tolist()
    colours = Labels(classes=["a", "b", "c"], colours=[[0, 1, 2], [3, 4, 5], [6, 7, 8]])
    assert decoded(png(CLASSES, depth, 3), colours) == CLASSES.tolist()


def test_one_bit_is_nought_and_one_or_black_and_white() -> None:
    bits = CLASSES > 0
    black_and_white = Labels(classes=["a", "b"], colours=[(0, 0, 0), (255, 255, 255)])
    for content in (png(bits, 1, 0), tiff(bits, photometric="minisblack"), tiff(bits, photometric="miniswhite")):
        assert decoded(content) == bits.tolist()
    assert decoded(png(bits, 1, 0), black_and_white) == bits.tolist()
    assert decoded(tiff(bits, photometric="miniswhite"), black_and_white) == (~bits).tolist()
    assert parse_mask(tiff(bits, photometric="miniswhite")).inverted


def test_a_fax_shows_what_it_means() -> None:
    content = saved(Image.fromarray(CLASSES > 0), "TIFF", compression="group4", tiffinfo={262: 0})
    assert decoded(content) == (CLASSES > 0).tolist()


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("depth", [8, 16])
def test_alpha_is_left_aside(channels: int, depth: int) -> None:
    samples = np.repeat(CLASSES[..., None], channels, axis=2)
    samples[..., -1] = 7
    assert decoded(png(samples, depth, {2: 4, 4: 6}[channels])) == CLASSES.tolist()


def test_sixteen_bit_colours_are_exact() -> None:
    labels = Labels(classes=["a", "b", "c"], colours=[(0, 0, 0), (1, 600, 3), (1, 601, 3)])
    pixels = np.array([(0, 0, 0), (1, 600, 3), (1, 601, 3)], dtype=np.uint16)[CLASSES]
    for content in (png(pixels, 16, 2), tiff(pixels, photometric="rgb"), tiff(np.moveaxis(pixels, -1, 0), **PLANES)):
        assert decoded(content, labels) == CLASSES.tolist()
    assert decoded(png(pixels, 16, 2), COLOURED).value == "colour [1, 600, 3]"


def test_colours_of_eight_bits_may_be_stored_in_sixteen() -> None:
    pixels = COLOURS[CLASSES]
    assert decoded(png(pixels * 257, 16, 2), COLOURED) == CLASSES.tolist()
    assert decoded(png(pixels, 16, 2), COLOURED) == CLASSES.tolist()


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
)
@pytest.mark.parametrize(
    "options",
    [{}, {"byteorder": ">"}, {"compression": "zlib"}, {"photometric": "miniswhite"}, {"byteorder": ">", **ZIPPED}],
)
def test_a_tiff_has_the_numbers_that_it_stores(dtype: str, options: dict[str, str]) -> None:
    assert decoded(tiff(CLASSES.astype(dtype), **options)) == CLASSES.tolist()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_the_bits_of_a_tiff_may_be_reversed(dtype: str) -> None:
    content = saved(Image.fromarray(CLASSES.astype(dtype)), "TIFF", tiffinfo={266: 2})
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        (start,), (length,) = file.pages.first.dataoffsets, file.pages.first.databytecounts
    bits = np.unpackbits(np.frombuffer(content[start : start + length], np.uint8)).reshape(-1, 8)
    turned = np.packbits(bits[:, ::-1]).tobytes()
    assert decoded(content[:start] + turned + content[start + length :]) == CLASSES.tolist()


@pytest.mark.parametrize("scale", [1, 256, 257])
def test_a_palette_of_a_tiff_has_colours_of_eight_bits_however_they_are_scaled(scale: int) -> None:
    palette = np.zeros((3, 256), np.uint16)
    palette[:, :3] = COLOURS.T * scale
    content = tiff(CLASSES, photometric="palette", colormap=palette)
    assert decoded(content, COLOURED) == CLASSES.tolist()


@pytest.mark.parametrize(("dtype", "scale"), [("uint8", 1), ("uint16", 257)])
def test_colours_that_were_multiplied_by_alpha_are_those_before(dtype: str, scale: int) -> None:
    alpha = np.array([[51, 128, 255], [255, 51, 128]])[..., None]
    pixels = np.concatenate([np.rint(COLOURS[CLASSES] * scale * (alpha / 255)), alpha * scale], axis=2).astype(dtype)
    found = parse_mask(tiff(pixels, photometric="rgb", extrasamples=["assocalpha"])).read().values
    assert np.abs(found.astype(int) - COLOURS[CLASSES] * scale).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
def test_a_tiff_may_tell_its_orientation_by_xmp(dtype: str) -> None:
    xmp = b'<rdf:Description tiff:Orientation="3"/>'
    content = tiff(CLASSES.astype(dtype), extratags=[(700, "B", len(xmp), xmp, True)])
    assert decoded(content) == CLASSES[::-1, ::-1].tolist()


def test_a_negative_number_is_no_class() -> None:
    for dtype in (np.int8, np.int16, np.int64):
        assert decoded(tiff(np.array([[0, -1]], dtype=dtype))).value == "value -1"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(saved(Image.fromarray(CLASSES), exif=exif))))
    expected = np.asarray(upright).tolist()
    deep = Image.fromarray(CLASSES.astype(np.uint16))
    contents = [saved(image, exif=exif) for image in (Image.fromarray(CLASSES), deep)]
    contents += [saved(Image.fromarray(CLASSES), "TIFF", exif=exif)]
    contents += [tiff(CLASSES.astype(np.int64), extratags=[(0x0112, "H", 1, orientation, True)])]
    for content in contents:
        found = parse_mask(content)
        assert (found.size, found.orientation) == (upright.size, orientation)
        assert decoded(content) == expected


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF"])
def test_other_lossless_formats_are_read(kind: str) -> None:
    palette = Image.fromarray(CLASSES, mode="P")
    palette.putpalette([9, 9, 9, 0, 160, 0, 120, 80, 40])
    for image in (Image.fromarray(CLASSES), palette):
        assert decoded(saved(image, kind)) == CLASSES.tolist()
    if kind != "GIF":
        assert decoded(saved(Image.fromarray(COLOURS[CLASSES].astype(np.uint8)), kind), COLOURED) == CLASSES.tolist()


@pytest.mark.parametrize(("kind", "pages"), [("TIFF", "pages"), ("GIF", "frames"), ("PNG", "frames")])
def test_a_mask_of_several_pages_is_refused(kind: str, pages: str) -> None:
    more = [Image.fromarray(CLASSES), Image.fromarray(2 - CLASSES)]
    content = saved(Image.fromarray(CLASSES[::-1]), kind, save_all=True, append_images=more)
    with pytest.raises(UnfitMask, match=rf"the mask has 3 {pages}, .*Merge them into one picture"):
        parse_mask(content)


@pytest.mark.parametrize("copy_first", [False, True])
def test_a_smaller_copy_in_a_tiff_is_no_page(copy_first: bool) -> None:
    pages = [(CLASSES, 0), (CLASSES[:1, :1], 1)]
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page, kind in reversed(pages) if copy_first else pages:
            writer.write(page, subfiletype=kind)
    assert decoded(file.getvalue()) == CLASSES.tolist()


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {}), ("WEBP", {}), ("TIFF", {"compression": "jpeg"})])
def test_a_lossy_file_is_told_whatever_its_name(kind: str, options: dict[str, str]) -> None:
    content = saved(Image.fromarray(CLASSES.repeat(16, axis=0).repeat(16, axis=1)).convert("RGB"), kind, **options)
    told = "JPEG" if kind == "TIFF" else kind
    with pytest.raises(UnfitMask, match=f"the mask is a {told}, whatever its name says"):
        parse_mask(content)


def test_a_kind_that_holds_no_classes_is_told() -> None:
    with pytest.raises(UnfitMask, match="of the kind CMYK, but classes are greys, palette colours or RGB"):
        parse_mask(saved(Image.new("CMYK", (4, 4)), "TIFF"))
    with pytest.raises(UnfitMask, match=r"TIFF of 5 x 16 bits, .* not supported"):
        parse_mask(tiff(np.zeros((4, 6, 5), dtype=np.uint16), photometric="minisblack", planarconfig="contig"))


def test_a_wrong_checksum_is_damage() -> None:
    sound = png(CLASSES, 8, 0)
    for place in range(8, len(sound)):
        damaged = bytearray(sound)
        damaged[place] ^= 4
        with pytest.raises(UnusablePicture, match=r"truncated|damaged|a picture"):
            parse_mask(bytes(damaged))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda rows: zlib.compress(rows)[:-1] + b"\0",
        lambda rows: zlib.compress(b"\7" + rows[1:]),
        lambda rows: zlib.compress(rows[: len(rows) // 2]),
    ],
    ids=["checksum", "filter", "half of the rows"],
)
def test_a_mask_whose_compressed_pixels_are_damaged_is_refused(change: Callable[[bytes], bytes], late: bool) -> None:
    sound = png(CLASSES, 8, 0)
    start = sound.index(b"IDAT")
    rows = zlib.decompress(sound[start + 4 : -16])
    parts = [(b"IDAT", change(rows)), *([(b"eXIf", b"II*\0\x08\0\0\0\0\0\0\0\0\0")] if late else []), (b"IEND", b"")]
    content = sound[: start - 4] + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    with pytest.raises(UnusablePicture, match=r"^truncated"):
        parse_mask(content).read()


def test_a_mask_that_was_listed_is_read_in_the_same_way(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(CLASSES).save(tmp_path / "mask.png", exif=exif)
    assert read_mask(tmp_path / "mask.png", LABELS).tolist() == CLASSES[::-1, ::-1].tolist()
    assert VOID not in read_mask(tmp_path / "mask.png", LABELS)
