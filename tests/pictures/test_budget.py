"""One budget of memory, whatever the number of threads, and however much a picture takes."""

import os
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from uncrappify.pictures import UnusablePicture, read_within_limit
from uncrappify.pictures.budget import BYTES_A_PIXEL, DECODING, Budget, limit_decoding
from uncrappify.pictures.png import count_pixels
from uncrappify.pictures.reading import count_memory
from uncrappify.sources import PictureSource, list_pictures

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a peak that can be reset")

SIDE = 1600
#: What Python's modules and Pillow's plugins take when they are loaded, in bytes.
LOADED = 12_000_000

PEAK = """
import re, sys
from pathlib import Path
from uncrappify.pictures import decode

def told(name):
    return 1024 * int(re.search(name + r":\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

Path("/proc/self/clear_refs").write_text("5")
before = told("VmRSS")
decode(Path(sys.argv[1]).read_bytes())
print(told("VmHWM") - before)
"""


def test_threads_never_hold_more_than_the_budget_together() -> None:
    budget, lock, held, peaks = Budget(100), threading.Lock(), [0], []

    def work(needed: int) -> None:
        with budget.reserve(needed):
            with lock:
                held[0] += needed
                peaks.append(held[0])
            time.sleep(0.001)
            with lock:
                held[0] -= needed

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, [30, 60, 10, 100, 45] * 20))
    assert len(peaks) == 100
    assert 60 < max(peaks) <= 100


def test_what_needs_more_than_the_budget_is_alone_and_what_is_reserved_within_is_free() -> None:
    budget = Budget(10)
    with budget.reserve(1000), budget.reserve(10):
        assert budget.is_held
        other = threading.Thread(target=lambda: budget.reserve(1).__enter__(), daemon=True)
        other.start()
        other.join(0.05)
        assert other.is_alive()
    other.join(5)
    assert not other.is_alive()
    assert not budget.is_held


def test_a_failure_gives_back_what_was_reserved() -> None:
    budget = Budget(10)
    for _ in range(3):
        with pytest.raises(KeyError), budget.reserve(10):
            raise KeyError
    with budget.reserve(10):
        pass


@pytest.mark.parametrize(
    ("needed", "told"),
    [
        (1_000_000_000, ""),
        (1_000_000_001, "needs 1.1 GB to decode, the limit is 1.0 GB"),
        (40_000_000_000, "needs 40.0 GB to decode, the limit is 1.0 GB"),
    ],
)
def test_what_is_over_the_limit_is_told_with_both_numbers(needed: int, told: str) -> None:
    assert Budget(1_000_000_000).explain_excess(needed) == told


def test_a_process_has_the_limit_of_the_one_that_has_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Both are as before after the test.
    monkeypatch.setattr(DECODING, "limit", 1)
    monkeypatch.setenv("UNCRAPPIFY_DECODING_LIMIT", "1")
    limit_decoding(250_000_000)
    shown = "from uncrappify.pictures.budget import DECODING; print(DECODING.limit)"
    started = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    assert int(started.stdout) == DECODING.limit == 250_000_000


def test_a_limit_of_the_environment_that_is_no_number_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import uncrappify.pictures"],
        env=os.environ | {"UNCRAPPIFY_DECODING_LIMIT": "abc"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("UNCRAPPIFY_DECODING_LIMIT: expected a whole number of bytes, got 'abc'.")


def test_a_file_counts_by_its_header_and_its_own_size(tmp_path: Path) -> None:
    file = tmp_path / "a.bmp"
    Image.new("RGB", (100, 50)).save(file)
    assert count_memory(file) == 2 * file.stat().st_size + BYTES_A_PIXEL * 100 * 50
    file.write_bytes(b"no picture")
    assert count_memory(file) == 10
    assert count_memory(tmp_path / "gone.png") == 0


def grey(dtype: str) -> Image.Image:
    return Image.fromarray(np.full((SIDE, SIDE), 7, dtype))


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[274] = 6
    return exif


KINDS: dict[str, Callable[[Path], None]] = {
    "rgb.jpg": lambda file: Image.new("RGB", (SIDE, SIDE)).save(file, progressive=True, subsampling=0, exif=turned()),
    "cmyk.jpg": lambda file: Image.new("CMYK", (SIDE, SIDE)).save(file),
    "palette.gif": lambda file: Image.new("P", (SIDE, SIDE)).save(file),
    "alpha.png": lambda file: Image.new("RGBA", (SIDE, SIDE)).save(file, exif=turned()),
    "alpha.webp": lambda file: Image.new("RGBA", (SIDE, SIDE)).save(file, lossless=True, method=0, exif=turned()),
    "16bit.tif": lambda file: grey("uint16").save(file, exif=turned()),
    "float.tif": lambda file: grey("float32").save(file, compression="tiff_lzw", exif=turned()),
}


@linux
@pytest.mark.parametrize("name", KINDS)
def test_a_picture_takes_no_more_than_what_is_counted(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    KINDS[name](file)
    done = subprocess.run([sys.executable, "-c", PEAK, file], capture_output=True, text=True, check=True)
    assert 3 * SIDE * SIDE < int(done.stdout) <= count_memory(file) + LOADED


LISTING = """
import os, resource, sys
from pathlib import Path
os.cpu_count = lambda: 16
from uncrappify.pictures.budget import DECODING
from uncrappify.sources import PictureSource, list_pictures

DECODING.limit = 100_000_000
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
usable = list_pictures(PictureSource(name="a", root=Path(sys.argv[1]), licence="none"))["usable"].sum()
print(usable, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@linux
def test_sixteen_threads_take_no_more_memory_than_the_budget(tmp_path: Path) -> None:
    for number in range(12):
        Image.new("RGB", (2800, 2800 - number)).save(tmp_path / f"{number}.png", compress_level=1)
    done = subprocess.run([sys.executable, "-c", LISTING, tmp_path], capture_output=True, text=True, check=True)
    usable, taken = map(int, done.stdout.split())
    assert usable == 12
    assert taken < 100_000_000 + LOADED


@linux
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    Image.new("RGB", (16, 16)).save(tmp_path / "b.png")
    manifest = list_pictures(PictureSource(name="a", root=tmp_path, licence="none")).set_index("file")
    assert manifest["reason"].to_dict() == {"a.png": "not a file", "b.png": ""}


def test_a_tiff_counts_all_its_channels_and_its_tiles(tmp_path: Path) -> None:
    channels, tiles = tmp_path / "channels.tif", tmp_path / "tiles.tif"
    tifffile.imwrite(channels, np.zeros((300, 400, 7), np.uint8), photometric="rgb", compression="zlib")
    assert count_memory(channels) == 2 * channels.stat().st_size + 300 * 400 * (7 * 3 + BYTES_A_PIXEL)
    tifffile.imwrite(tiles, np.zeros((16, 16), np.float32), tile=(1024, 1024), compression="zlib")
    assert count_memory(tiles) > 3 * 4 * 1024 * 1024


def test_a_large_reservation_has_its_turn() -> None:
    budget, begun = Budget(10), threading.Event()
    order: list[int] = []

    def work(needed: int) -> None:
        with budget.reserve(needed):
            order.append(needed)
            begun.wait(5)

    with ThreadPoolExecutor(8) as pool:
        pool.submit(work, 5)
        while not order:
            time.sleep(0.001)
        waiting = [pool.submit(work, needed) for needed in (9, 5, 5)]
        time.sleep(0.05)
        begun.set()
        assert all(done.result(5) is None for done in waiting)
    assert order == [5, 9, 5, 5]


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_the_second_of_two_headers_is_counted_also_of_a_small_file(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("L", (8, 8)).save(file)
    content = file.read_bytes()
    with read_within_limit(file) as read:
        assert read == content
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    file.write_bytes(content[:33] + png_chunk(b"IHDR", size) + content[33:])
    with pytest.raises(UnusablePicture, match=r"over a limit: needs 43\.3 GB"), read_within_limit(file):
        pass


@pytest.mark.parametrize("begin", [b"\xff\xd8\xff", b"BM"])
def test_what_only_looks_like_the_header_of_a_small_png_is_not_believed(begin: bytes) -> None:
    content = begin.ljust(12, b"\0") + b"IHDR" + struct.pack(">II", 8, 8)
    assert count_pixels(content) == 0
    assert count_pixels(b"\x89PNG\r\n\x1a\n" + content[8:]) == 64


def test_a_small_picture_that_just_fits_a_tiny_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (100, 100)).save(file)
    monkeypatch.setattr(DECODING, "limit", count_memory(file))
    with read_within_limit(file) as content:
        assert content == file.read_bytes()
    monkeypatch.setattr(DECODING, "limit", count_memory(file) - 1)
    with pytest.raises(UnusablePicture, match="over a limit"), read_within_limit(file):
        pass
