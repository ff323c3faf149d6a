"""Atomic writing: a file is written completely or not at all."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from uncrappify.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def written_whole(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces ``path`` when the block ends without an exception.

    The temporary file lies in the same folder (so that the final rename is one step of the file system), with the same
    suffix (so that libraries infer the same format). Missing folders are created. After an exception, Ctrl-C included,
    it is removed and ``path`` is unchanged. A temporary file left by a killed process is overwritten by the next one
    that writes ``path``; two processes must not write it at the same time.

    Args:
        path: The file to write; an existing file is replaced.
        durable: Whether file and folder are flushed to the disk, so that a crash of the machine cannot leave an empty
            file under the name; not worth its time for the thousands of files that a hash in an index proves.

    Yields:
        The path to write to.

    Raises:
        UserError: The disk or quota is full, there is no permission to write in the folder, or a
            folder has the file's name.
    """
    # A hash, because the file's own name with a suffix could be too long for the file system.
    temporary = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            flush(temporary)
        temporary.replace(path)
        if durable:
            flush(path.parent)
    except OSError as error:
        explanation = _explain(error, path, temporary)
        if explanation is None:
            raise
        raise UserError(explanation) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, from the system's memory to the disk.

    Folders cannot be flushed on Windows, nor on some network file systems; that is not reported.
    """
    with suppress(OSError) if path.is_dir() else nullcontext():
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explain(error: OSError, path: Path, temporary: Path) -> str | None:
    if error.errno in _FULL:
        return (
            f"the disk is full: {path.name} was not written. "
            f"Free space in {path.parent} and run again; what is done is kept."
        )
    # The block may read as well; an error about a file that it reads is not about writing.
    about_writing = error.filename is None or Path(str(error.filename)) in {temporary, path, *path.parents}
    if error.errno in _FORBIDDEN and about_writing:
        return (
            f"{path.name} was not written: no permission to write in {path.parent}. "
            "Allow writing there and run again; what is done is kept."
        )
    if error.errno == errno.EISDIR and about_writing:
        return f"{path} is a folder, and a file has to be there. Move it away and run again; what is done is kept."
    return None
