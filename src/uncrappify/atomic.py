"""Files that are written whole or not at all."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from uncrappify.errors import UserError

LEFTOVERS = ".*.partial*"
"""Glob of what a killed process may leave beside its files: safe to delete when nothing else writes there."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the place of ``path`` when the block ends without an exception.

    The temporary file lies in the same folder (so that the final rename is one step of the file system), has the same
    suffix (so that libraries guess the same format) and matches :data:`LEFTOVERS`. Missing folders are made. After an
    exception, Ctrl-C included, it is removed and ``path`` is what it was before.

    Args:
        path: The file to write; one that exists is replaced.

    Yields:
        The path to write to.

    Raises:
        UserError: The disk or the quota is full, or the folder does not allow writing.
    """
    temporary = path.with_name(f".{uuid4().hex[:12]}.partial{path.suffix}")
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
