"""The user's own folder: checked and read in place, never copied or changed."""

import errno
import logging
import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath

from uncrappify.errors import UserError
from uncrappify.pictures import SUFFIXES, UNSUPPORTED
from uncrappify.sources.layout import escape
from uncrappify.sources.parameters import FolderOptions, PictureSource, make_absolute

logger = logging.getLogger(__name__)

TEXT_SUFFIX = ".txt"
_LISTED = SUFFIXES | UNSUPPORTED.keys()
_ADVICE = (
    "Give a folder with pictures (jpg, png, webp, tiff, bmp, gif, avif), for example\n  --params pictures=~/Pictures"
)


def point_at(options: FolderOptions) -> PictureSource:
    """Check the user's folder and refer to it where it is.

    Args:
        options: The folder; a relative path counts from the current folder.

    Returns:
        The source; its pictures are split by hash.

    Raises:
        UserError: There is no such folder, it is no folder, or there is no picture in it.
    """
    root = find_folder(options.path, "pictures (source.folder.path)")
    return PictureSource(name=root.name, root=root, licence="the user's own pictures, no licence stated")


def find_folder(given: str, parameter: str) -> Path:
    """Find a folder of the user's that has pictures in it.

    Args:
        given: What the user wrote; ``~`` is the home folder, a relative path counts from the current folder.
        parameter: The parameter's name, for an error.

    Returns:
        The absolute folder.

    Raises:
        UserError: There is no such folder, it is no folder, or there is no picture in it.
    """
    root = open_folder(given, parameter, _ADVICE)
    if not find_pictures(root):
        raise UserError(f"{parameter}: the folder {root} has no pictures in it, at any depth.\n{_ADVICE}")
    return root


def open_folder(given: str, parameter: str, advice: str) -> Path:
    """Find a folder of the user's that has something in it.

    Args:
        given: What the user wrote; ``~`` is the home folder, a relative path counts from the current folder.
        parameter: The parameter's name, for an error.
        advice: What to give instead, likewise.

    Returns:
        The absolute folder.

    Raises:
        UserError: There is no such folder, it is no folder, cannot be read, or is empty.
    """
    root = make_absolute(given)
    if escape(str(root)) != str(root):
        raise UserError(f"{parameter}: the folder's name is not valid unicode: {escape(str(root))}. Rename it.")
    if not root.exists():
        raise UserError(f"{parameter}: there is no folder {root}.\n{advice}")
    if not root.is_dir():
        raise UserError(f"{parameter}: {root} is a file, not a folder.\n{advice}")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"{parameter}: no permission to read the folder {root}.\n{advice}")
    if not any(root.iterdir()):
        raise UserError(f"{parameter}: the folder {root} is empty.\n{advice}")
    return root


def find_pictures(root: Path, on_closed: Callable[[OSError], None] | None = None) -> list[str]:
    """Find every picture file by its suffix, also of kinds that are not read, as :func:`find_files` does."""
    return find_files(root, _LISTED, on_closed)


def find_own_files(root: Path) -> list[str]:
    """Find every file that a run may read of a folder of the user's, pictures and texts."""
    return find_files(root, _LISTED | {TEXT_SUFFIX})


def find_files(root: Path, suffixes: Collection[str], on_closed: Callable[[OSError], None] | None = None) -> list[str]:
    """Find every file with one of some suffixes, at any depth.

    Hidden files and folders are left out. Symbolic links are followed, those to folders after the folders themselves,
    so that a folder that is reached twice is listed once, and a loop ends.

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


def find_pairable(root: Path) -> list[str]:
    """Find the pictures that may have a twin, as :func:`find_pictures`.

    Args:
        root: The folder to search.

    Returns:
        Paths relative to ``root`` with forward slashes.

    Raises:
        UserError: A folder cannot be entered: pictures would be without their twins.
    """
    return keep_pairable(find_pictures(root, _refuse))


def keep_pairable(files: Iterable[str]) -> list[str]:
    """Leave out files of a kind that is not read beside one of the same name that is: a phone keeps both.

    Args:
        files: Paths with forward slashes.
    """
    files = list(files)
    read = {PurePosixPath(file).with_suffix("") for file in files if _suffix(file) in SUFFIXES}
    return [file for file in files if _suffix(file) in SUFFIXES or PurePosixPath(file).with_suffix("") not in read]


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
        wanted = [name for name in files if not name.startswith(".") and _suffix(name) in suffixes]
        inside = Path(folder).relative_to(root).as_posix()
        found += wanted if inside == "." else [f"{inside}/{name}" for name in wanted]


def _suffix(file: str) -> str:
    return os.path.splitext(file)[1].lower()  # noqa: PTH122 - a tenth of a path's time, for each of many files


def _refuse(error: OSError) -> None:
    raise UserError(
        f"the folder {escape(str(error.filename))} cannot be entered ({str(error.strerror).lower()}). Allow that, or "
        "move it elsewhere with its counterpart."
    ) from error


def _warn(error: OSError) -> None:
    logger.warning("the folder %s was left out: %s", escape(str(error.filename)), error.strerror)
