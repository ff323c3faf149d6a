"""Files that are written whole or not at all."""

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
    """Give a temporary path to write to; it takes the place of ``path`` when the block ends without an exception.

    The temporary file lies in the same folder (so that the final rename is one step of the file system), with the same
    suffix (so that libraries guess the same format). Missing folders are made. After an exception, Ctrl-C included, it
    is removed and ``path`` is what it was before. What a killed process leaves is replaced by the next one that writes
    ``path``; two must not write it at the same time.

    Args:
        path: The file to write; one that exists is replaced.

    Yields:
        The path to write to.

    Raises:
        UserError: The disk or the quota is full, or the folder does not allow writing.
    """
    # A hash: the file's own name with something added could be too long for the file system.
    temporary = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        explanation = _explanation(error, path, temporary)
        if explanation is None:
            raise
        raise UserError(explanation) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _explanation(error: OSError, path: Path, temporary: Path) -> str | None:
    if error.errno in _FULL:
        return (
            f"the disk is full: {path.name} was not written. "
            f"Free space in {path.parent} and run again; what is done is kept."
        )
    # The block may also read: a source that cannot be read is not a folder that cannot be written.
    about_writing = error.filename is None or Path(str(error.filename)) in {temporary, path, *path.parents}
    if error.errno in _FORBIDDEN and about_writing:
        return (
            f"{path.name} was not written: no permission to write in {path.parent}. "
            "Allow writing there and run again; what is done is kept."
        )
    return None
