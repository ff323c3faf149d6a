"""A picture file's bytes, read while the memory to decode them is reserved."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import IO

from uncrappify.pictures.budget import DECODING, DEEP_COLOURS, OVER_A_LIMIT, count_decoded
from uncrappify.pictures.png import count_pixels
from uncrappify.pictures.unusable import UnusablePicture

SMALL_FILE = 1 << 16
"""Bytes; a file of no more is read before its memory is counted."""

SMALL_PICTURE = 1 << 20
"""Bytes; a picture that takes no more, whatever its channels, need not be counted more exactly."""


def read_content(path: Path) -> bytes:
    """Read a picture file's bytes.

    Args:
        path: The file.

    Returns:
        All its bytes.

    Raises:
        UnusablePicture: The file cannot be read.
    """
    try:
        status = path.stat()
        # A pipe would be waited for without end, and so would some files of the system's own, whose size is 0.
        if not stat.S_ISREG(status.st_mode):
            raise UnusablePicture("not a file")
        return path.read_bytes() if status.st_size else b""
    except PermissionError as error:
        raise UnusablePicture("no permission to read it") from error
    except FileNotFoundError as error:
        gone = "a link that leads nowhere" if path.is_symlink() else "cannot be read (no such file or directory)"
        raise UnusablePicture(gone) from error
    except OSError as error:
        raise UnusablePicture(f"cannot be read ({(error.strerror or str(error)).lower()})") from error


def count_memory(path: Path) -> int:
    """Say how much memory it takes at most to read, decode and degrade a picture, by its file's size and header.

    Args:
        path: The file.

    Returns:
        Bytes; no more than the file's own where it is not a picture.
    """
    try:
        size = path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
    if not size:
        # An empty file, or what is none: a pipe would be waited for without end.
        return 0
    if size > DECODING.limit:
        return size
    # A header may be as large as the file.
    with DECODING.reserve(size):
        try:
            with path.open("rb") as file:
                return _count_all(file, size)
        except OSError:
            return size


def _count_all(file: IO[bytes], size: int) -> int:
    """Count the file's bytes, twice if it is decoded, and what decoding takes."""
    try:
        return 2 * size + count_decoded(file)
    except Exception:  # as in decode, which says what is wrong with it
        return size


def _read_small(path: Path) -> bytes | None:
    """Read a file of a few kilobytes; None for larger ones, and for what is wrong, which `read_content` explains."""
    try:
        status = path.stat()
        return path.read_bytes() if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= SMALL_FILE else None
    except OSError:
        return None


def _read_and_count(path: Path) -> tuple[bytes | None, int]:
    """Read a small file, opened once, or leave that for later; and count the memory that the picture takes."""
    content = _read_small(path)
    if content is None:
        return None, count_memory(path)
    pixels = count_pixels(content)
    most = 2 * len(content) + pixels * DEEP_COLOURS
    if pixels and most <= min(SMALL_PICTURE, DECODING.limit):
        # Pillow's own look at the header would take a third of the time of a tiny picture.
        return content, most
    return content, _count_all(BytesIO(content), len(content))


@contextmanager
def read_within_limit(path: Path) -> Iterator[bytes]:
    """Read a file, and keep the memory to decode it for the block, if that is not too much by itself.

    Args:
        path: The file.

    Yields:
        All its bytes.

    Raises:
        UnusablePicture: It cannot be read, or needs more memory than the whole limit.
    """
    content, needed = _read_and_count(path)
    if excess := DECODING.explain_excess(needed):
        raise UnusablePicture(f"{OVER_A_LIMIT}: {excess} (parameter memory)")
    with DECODING.reserve(needed):
        yield read_content(path) if content is None else content


@contextmanager
def read_reserved(path: Path) -> Iterator[bytes]:
    """Read a file, and keep the memory to decode it for the block, however much it is.

    Args:
        path: The file.

    Yields:
        All its bytes.

    Raises:
        UnusablePicture: It cannot be read.
    """
    content, needed = (None, 0) if DECODING.is_held else _read_and_count(path)
    with DECODING.reserve(needed):
        yield read_content(path) if content is None else content


@contextmanager
def reserve_memory(path: Path) -> Iterator[None]:
    """Wait until there is memory to read, decode and degrade a picture, and keep it for the block.

    Args:
        path: The file.
    """
    with nullcontext() if DECODING.is_held else DECODING.reserve(count_memory(path)):
        yield
