"""When memory has ended, and control of whether glibc's malloc keeps freed memory or returns it to the system.

glibc returns a large tensor's memory to the system as soon as it is freed, and requests new pages for the next one,
which the system has to zero first. On a CPU this takes a fifth of a U-Net's training step, and up to a quarter of a
prediction.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# Parameter numbers of mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
#: No mmap for large blocks, and the top of the heap is never trimmed.
_KEEPING = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
#: The values that glibc's dynamic thresholds reach with large buffers; setting any of them turns the adjustment off.
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}

_kept = False
#: Blocks of freed_is_kept that have begun and not ended, and who may count them.
_blocks, _counting = 0, Lock()
#: Whether some of them were not for little.
_much = False


def keep_freed() -> None:
    """Keep memory that is freed from now on; does nothing without glibc."""
    global _kept
    _kept = True
    _tell_malloc(_KEEPING)


def give_back_freed(little: bool = False) -> None:
    """Return the kept memory to the system, and from now on all freed memory.

    Args:
        little: Whether it is so little that it may stay for the next time: to get it anew costs a small picture a fifth
            of its time. What is over 64 MB at the heap's end, glibc itself returns.
    """
    global _kept
    _kept = False
    library = _tell_malloc(_USUAL)
    if library and not little:
        library.malloc_trim(0)


def trim() -> None:
    """Return what is free now to the system, unless it is kept.

    glibc keeps it for each thread, which adds up with many threads.
    """
    if not _kept and (library := _tell_malloc({})):
        library.malloc_trim(0)


@contextmanager
def freed_is_kept(device: str, little: bool = False) -> Iterator[None]:
    """Keep memory that the process frees within the block, until the last of several in as many threads ends.

    Args:
        device: Type of the device that computes; no effect for any but ``cpu``, whose memory comes from malloc.
        little: As :func:`give_back_freed` takes it.
    """
    if device != "cpu":
        yield
        return
    global _blocks, _much
    with _counting:
        if not _blocks:
            keep_freed()
            _much = False
        _blocks += 1
        _much |= not little
    try:
        yield
    finally:
        with _counting:
            _blocks -= 1
            if not _blocks:
                give_back_freed(little=not _much)


def _tell_malloc(options: dict[int, int]) -> ctypes.CDLL | None:
    """Set options of glibc's malloc, and return the C library; ``None`` if it is not glibc."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallopt"):
        return None
    for number, value in options.items():
        library.mallopt(number, value)
    return library


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception, of Python or of torch on any device, means that memory has ended."""
    # CUDA and MPS say "out of memory", the CPU "not enough memory" or "can't allocate memory", by system.
    message = str(error).lower()
    signs = (
        "out of memory",
        "not enough memory",
        "can't allocate memory",
        "std::bad_alloc",
        "could not create a memory",
    )
    return isinstance(error, MemoryError) or any(sign in message for sign in signs)


def check_available(needed: int) -> None:
    """Refuse what takes more bytes than the machine has free, before the system ends the process for it.

    Raises:
        MemoryError: If it does.
    """
    import psutil

    if needed > psutil.virtual_memory().available:
        raise MemoryError(f"not enough memory: {needed / 1e9:.1f} GB are needed")
