"""Memory that a process frees, and whether it keeps it.

glibc gives a large tensor's memory back to the system as soon as it is freed, and gets other pages for the next one,
which the system has to empty first. On a CPU that is a fifth of a U-Net's training step, and up to a quarter of a
prediction.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# mallopt's numbers (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
#: Large tensors come from the heap too, and its end is never cut off.
_KEEPING = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
#: What glibc adjusts itself to in a program with large buffers; once it was told something, it adjusts no more.
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}


def keep_freed() -> None:
    """Keep what is freed from now on; there is nothing to tell on other systems, nor in another C library."""
    _tell_malloc(_KEEPING)


def give_back_freed() -> None:
    """Give the system what was kept, and again what is freed from now on."""
    if library := _tell_malloc(_USUAL):
        library.malloc_trim(0)


@contextmanager
def freed_is_kept(device: str) -> Iterator[None]:
    """Keep meanwhile what the whole process frees; not to be nested.

    Args:
        device: Type of the device that computes; nothing happens but for ``cpu``, as others' memory is not malloc's.
    """
    if device != "cpu":
        yield
        return
    keep_freed()
    try:
        yield
    finally:
        give_back_freed()


def _tell_malloc(options: dict[int, int]) -> ctypes.CDLL | None:
    """Set what glibc's malloc does, and give the library that has it; nothing, where another one is in use."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallopt"):
        return None
    for number, value in options.items():
        library.mallopt(number, value)
    return library
