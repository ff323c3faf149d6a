"""The user's own folder: checked and read in place, never copied or changed."""

import logging
import os
from pathlib import Path

from uncrappify.errors import UserError
from uncrappify.pictures import SUFFIXES
from uncrappify.sources.parameters import FolderOptions, PictureSource, make_absolute

logger = logging.getLogger(__name__)

_ADVICE = "Give a folder with pictures (jpg, png, webp, tiff, bmp, gif), for example\n  --params pictures=~/Pictures"


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
    root = make_absolute(given)
    if not root.exists():
        raise UserError(f"{parameter}: there is no folder {root}.\n{_ADVICE}")
    if not root.is_dir():
        raise UserError(f"{parameter}: {root} is a file, not a folder.\n{_ADVICE}")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"{parameter}: no permission to read the folder {root}.\n{_ADVICE}")
    if not any(root.iterdir()):
        raise UserError(f"{parameter}: the folder {root} is empty.\n{_ADVICE}")
    if not find_pictures(root):
        raise UserError(f"{parameter}: the folder {root} has no pictures in it, at any depth.\n{_ADVICE}")
    return root


def find_pictures(root: Path) -> list[str]:
    """Find every picture file by its suffix, at any depth.

    Hidden files and folders are left out. Symbolic links to files are followed; links to folders are not, so that there
    are no loops.

    Args:
        root: The folder to search.

    Returns:
        Paths relative to ``root`` with forward slashes, sorted.
    """
    found = []
    for folder, subfolders, files in os.walk(root, onerror=_warn):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                found.append(path.relative_to(root).as_posix())
    return sorted(found)


def _warn(error: OSError) -> None:
    logger.warning("the folder %s was left out: %s", error.filename, error.strerror)
