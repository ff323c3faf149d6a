"""Atomic writing: a file is written completely or not at all."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from uncrappify.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces ``path`` when the block ends without an exception.

    The temporary file lies in the same folder (so that the final rename is one step of the file system), with the same
    suffix (so that libraries infer the same format). Missing folders are created. After an exception, Ctrl-C included,
    it is removed and ``path`` is unchanged. A temporary file left by a killed process is overwritten by the next one
    that writes ``path``; two processes must not write it at the same time.

    Args:
        path: The file to write; an existing file is replaced.

    Yields:
        The path to write to.

    Raises:
        UserError: The disk or quota is full, or there is no permission to write in the folder.
    """
    # A hash, because the file's own name with a suffix could be too long for the file system.
    temporary = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        explanation = _explain(error, path, temporary)
        if explanation is None:
            raise
        raise UserError(explanation) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


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
    return None
