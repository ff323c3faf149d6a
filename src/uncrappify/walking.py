"""Files of a user's folder, at any depth, links included."""

import errno
import logging
import os
from collections.abc import Callable, Collection
from pathlib import Path

from uncrappify.names import escape
from uncrappify.pictures.kinds import SUFFIXES, UNSUPPORTED

logger = logging.getLogger(__name__)

LISTED = SUFFIXES | UNSUPPORTED.keys()
"""Suffixes of pictures, read or not."""


def find_pictures(root: Path, on_closed: Callable[[OSError], None] | None = None) -> list[str]:
    """Find every picture file by its suffix, also of kinds that are not read, as :func:`find_files` does."""
    return find_files(root, LISTED, on_closed)


def find_files(root: Path, suffixes: Collection[str], on_closed: Callable[[OSError], None] | None = None) -> list[str]:
    """Find every file with one of some suffixes, at any depth.

    Hidden files and folders are left out. Symbolic links are followed, those to folders after the folders themselves,
    so that a folder that is reached twice is listed once, and a loop ends. A link that leads nowhere and has the name
    of a folder is listed as a file: its disk may not be there, and all that it has would be missed in silence.

    Args:
        root: The folder to search.
        suffixes: In lower case, with their dots.
        on_closed: Gets the error about a folder that cannot be entered; without it, a warning says so.

    Returns:
        Paths relative to ``root`` with forward slashes, sorted.
    """
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    linked = [root]
    while linked:
        links: list[Path] = []
        for folder in linked:
            _walk(folder, root, suffixes, seen, found, links, on_closed or _warn)
        linked = sorted(links)
    return sorted(found)


def _walk(
    start: Path,
    root: Path,
    suffixes: Collection[str],
    seen: set[tuple[int, int]],
    found: list[str],
    links: list[Path],
    on_closed: Callable[[OSError], None],
) -> None:
    """Add the files below a folder to ``found``, and the links to folders to ``links``."""
    for folder, subfolders, files in os.walk(start, onerror=on_closed):
        if not os.access(folder, os.X_OK):
            # Names can be listed, and nothing be opened.
            on_closed(PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder))
            subfolders.clear()
            continue
        status = Path(folder).stat()
        # The file system's own numbers: names do not tell that two folders are the same one.
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        # Unlike Path.is_symlink, it raises nothing in a folder that cannot be entered.
        links += [path for name in subfolders if os.path.islink(path := Path(folder, name))]  # noqa: PTH114
        wanted = [
            name
            for name in files
            if not name.startswith(".") and (lower_suffix(name) in suffixes or _is_lost_folder(folder, name))
        ]
        inside = Path(folder).relative_to(root).as_posix()
        found += wanted if inside == "." else [f"{inside}/{name}" for name in wanted]


def _is_lost_folder(folder: str, name: str) -> bool:
    """Whether a file is a link that leads nowhere, with a name such as ``usb`` or ``holiday.2023``."""
    suffix = lower_suffix(name)[1:]
    if suffix and not suffix.isdigit():
        return False
    path = os.path.join(folder, name)  # noqa: PTH118 - as in lower_suffix
    return os.path.islink(path) and not os.path.exists(path)  # noqa: PTH114, PTH110 - as above


def lower_suffix(file: str) -> str:
    """Give a file's suffix with its dot, in lower case."""
    return os.path.splitext(file)[1].lower()  # noqa: PTH122 - a tenth of a path's time, for each of many files


def _warn(error: OSError) -> None:
    logger.warning("the folder %s was left out: %s", escape(str(error.filename)), error.strerror)
