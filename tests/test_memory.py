"""Freed memory stays with the process where that is asked for, and goes back afterwards."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library's malloc has other rules")

BYTES = 64 << 20
BEGINNING = f"""
import ctypes, psutil
from uncrappify.memory import freed_is_kept

BYTES = {BYTES}

def used_and_freed(size=BYTES):
    ctypes.memset(buffer := ctypes.create_string_buffer(size), 1, size)
    del buffer

def tell():
    print(psutil.Process().memory_info().rss)

tell()
"""


def grown(program: str, unit: int = BYTES) -> list[int]:
    """Run a program in a process of its own, whose heap nothing has used before: by how much it has grown, each time.

    Rounded to whole units, in bytes.
    """
    done = subprocess.run([sys.executable, "-c", BEGINNING + program], capture_output=True, text=True, check=True)
    first, *others = map(int, done.stdout.split())
    return [round((resident - first) / unit) for resident in others]


def test_what_is_freed_stays_until_the_end() -> None:
    inside = """
with freed_is_kept("cpu"):
    used_and_freed()
    tell()
tell()
used_and_freed()
tell()
"""
    assert grown(inside) == [1, 0, 0]


def test_a_little_stays_for_the_next_picture() -> None:
    small = """
with freed_is_kept("cpu", little=True):
    used_and_freed(BYTES // 2)
tell()
"""
    assert grown(small, unit=BYTES // 2) == [1]


def test_it_stays_until_the_last_of_two_threads_ends_and_goes_back_if_one_of_them_had_much() -> None:
    overlapping = """
from threading import Event, Thread
started = Event()

def work_on_much():
    with freed_is_kept("cpu"):
        started.set()
        ended.wait()

ended = Event()
other = Thread(target=work_on_much)
with freed_is_kept("cpu", little=True):
    other.start()
    started.wait()
    used_and_freed(BYTES // 2)
tell()
ended.set()
other.join()
tell()
"""
    assert grown(overlapping, unit=BYTES // 2) == [1, 0]


def test_beside_a_gpu_what_is_freed_goes_back_as_ever() -> None:
    assert grown('with freed_is_kept("cuda"):\n    used_and_freed()\n    tell()') == [0]


def test_it_goes_back_after_an_error_too() -> None:
    failing = """
try:
    with freed_is_kept("cpu"):
        used_and_freed()
        raise KeyboardInterrupt
except KeyboardInterrupt:
    tell()
"""
    assert grown(failing) == [0]
