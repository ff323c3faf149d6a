"""Samples of a TIFF: strips and tiles that a sparse file leaves out, and the range that a file gives."""

import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from uncrappify.pictures import UnusablePicture, decode
from uncrappify.pictures.mask_file import parse_mask
from uncrappify.pictures.original import decode_original

# Two strips of 16 rows, or four tiles, of 16 bits or 8; the right numbers are those of tifffile.
STEPS = np.kron(np.array([[1, 2], [3, 4]]), np.ones((16, 16), int))
STORED = [
    {"rowsperstrip": 16},
    {"rowsperstrip": 16, "byteorder": ">", "compression": "zlib"},
    {"tile": (16, 16)},
    {"tile": (16, 16), "compression": "zlib", "predictor": True, "bigtiff": True},
]
NO_DATA = 42113
Tag = tuple[int, str, int, Any, bool]


def tiff(pixels: np.ndarray, no_data: str | None = None, tags: Sequence[Tag] = (), **options: object) -> bytes:
    file = io.BytesIO()
    tags = [*tags, *([] if no_data is None else [(NO_DATA, "s", 0, no_data, True)])]
    tifffile.imwrite(file, pixels, photometric="minisblack", extratags=tags, **options)
    return file.getvalue()


def changed(content: bytes, number: int, offset: int | None = 0, count: int | None = 0) -> bytes:
    """Write another offset and byte count of a strip or tile into the directory; None leaves what is there."""
    found = bytearray(content)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        tags = file.pages.first.tags
        tiled = "TileOffsets" in tags
        for name, value in (("Offsets", offset), ("ByteCounts", count)):
            tag = tags[f"{'Tile' if tiled else 'Strip'}{name}"]
            form = {3: "H", 4: "I", 16: "Q"}[tag.dtype]
            if value is not None:
                place = tag.valueoffset + number * struct.calcsize(form)
                struct.pack_into(file.byteorder + form, found, place, value)
    return bytes(found)


@pytest.mark.parametrize("options", STORED)
def test_a_part_that_a_sparse_file_leaves_out_stands_for_zeros(options: dict[str, object]) -> None:
    for dtype, scale in (("uint8", 1), ("uint16", 257)):
        content = changed(tiff((STEPS * scale).astype(dtype), **options), 1)
        expected = STEPS.copy()
        expected[(slice(16), slice(16, 32)) if "tile" in options else slice(16, 32)] = 0
        np.testing.assert_array_equal(tifffile.imread(io.BytesIO(content)), expected * scale)
        np.testing.assert_array_equal(parse_mask(content).read().values, expected * scale)
        np.testing.assert_array_equal(np.asarray(decode(content).picture)[..., 2], expected)


def test_what_libtiff_unpacks_may_be_left_out_as_well() -> None:
    file = io.BytesIO()
    Image.fromarray(STEPS.astype(np.uint8)).save(file, "TIFF", compression="tiff_lzw", tiffinfo={278: 8})
    content = changed(changed(file.getvalue(), 0), 3)
    for found in (parse_mask(content).read().values, np.asarray(decode(content).picture)[..., 0]):
        assert found[::8, ::16].tolist() == [[0, 0], [1, 2], [3, 4], [0, 0]]


def test_a_file_that_leaves_out_all_is_black() -> None:
    content = changed(tiff(STEPS.astype(np.uint16), rowsperstrip=32), 0)
    assert np.unique(parse_mask(content).read().values).tolist() == [0]
    assert decode(content).picture.getextrema() == ((0, 0),) * 3


@pytest.mark.parametrize("options", STORED)
@pytest.mark.parametrize("place", [{"offset": None}, {"count": None}, {"offset": 1 << 30}])
def test_a_part_with_one_0_is_truncated(options: dict[str, object], place: dict[str, int | None]) -> None:
    content = changed(tiff(STEPS.astype(np.uint16), **options), 1, **place)
    for read in (lambda: decode(content), lambda: parse_mask(content).read()):
        with pytest.raises(UnusablePicture, match=r"^truncated"):
            read()


def test_pixels_do_not_begin_where_the_header_is() -> None:
    with pytest.raises(UnusablePicture, match=r"^truncated$"):
        decode(changed(tiff(STEPS.astype(np.uint8), rowsperstrip=16), 1, count=None))


@pytest.mark.parametrize(("dtype", "no_data"), [("uint8", "255"), ("int16", "-9999"), ("float32", "0.5")])
def test_what_is_left_out_is_the_value_for_no_data_where_the_file_has_one(dtype: str, no_data: str) -> None:
    content = changed(tiff(STEPS.astype(dtype), no_data, rowsperstrip=16), 0)
    found = parse_mask(content).read().values
    assert found[::16, ::16].tolist() == [[float(no_data)] * 2, [3, 4]]
    np.testing.assert_array_equal(found, tifffile.imread(io.BytesIO(content)))


@pytest.mark.parametrize("no_data", ["256", "-1", "0.5", "nan"])
def test_a_value_for_no_data_that_no_sample_can_be_matters_where_something_is_left_out(no_data: str) -> None:
    content = tiff(STEPS.astype(np.uint8), no_data, rowsperstrip=16)
    assert parse_mask(content).read().values[0, 0] == 1
    with pytest.raises(UnusablePicture, match=f"^not supported: sparse TIFF with {no_data} for no data$"):
        decode(changed(content, 0))


@pytest.mark.parametrize(
    ("samples", "tags", "greys", "note"),
    [
        (np.uint16([[0, 1000, 4095]]), {340: 0, 341: 4095}, [0, 62, 255], "16 bit to 8 (white is 4095)"),
        (np.uint16([[0, 1000, 4095]]), {281: 4095}, [0, 4, 16], "16 bit to 8"),
        (np.uint16([[0, 1000, 4095]]), {341: 0}, [0, 4, 16], "16 bit to 8"),
        (np.uint16([[0, 1000, 4095]]), {340: 0, 341: 65535}, [0, 4, 16], "16 bit to 8"),
        (np.int16([[-1000, 0, 1000]]), {340: -1000, 341: 1000}, [0, 128, 255], "black is -1000 and white 1000"),
        (np.float32([[0, 40, 100]]), {341: 100.0}, [0, 102, 255], "32 bit to 8 (white is 100)"),
    ],
)
def test_white_is_what_the_file_gives_and_not_the_brightest_sample(
    samples: np.ndarray, tags: dict[int, float], greys: list[int], note: str
) -> None:
    pixels = np.repeat(samples, 20, axis=0)
    number = "d" if samples.dtype == np.float32 else "h" if samples.dtype == np.int16 else "H"
    content = tiff(pixels, tags=[(tag, number, 1, value, True) for tag, value in tags.items()])
    reading = decode(content)
    assert np.asarray(reading.picture)[0, :, 0].tolist() == greys
    assert note in reading.notes[0]
    found = decode_original(content)
    assert np.abs(found.samples[0, :, 0] / 257 - greys).max() <= 0.5
    assert " ".join(found.notes) == ("" if note == "16 bit to 8" else reading.notes[0].replace("to 8", "to 16"))
