"""The user's own folder: checked and read in place, never copied or changed."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from uncrappify.errors import UserError
from uncrappify.names import escape
from uncrappify.pictures import SUFFIXES
from uncrappify.sources.parameters import FolderOptions, PictureSource, make_absolute
from uncrappify.walking import LISTED, find_files, find_pictures, lower_suffix

TEXT_SUFFIX = ".txt"
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


def find_own_files(root: Path) -> list[str]:
    """Find every file that a run may read of a folder of the user's, pictures and texts."""
    return find_files(root, LISTED | {TEXT_SUFFIX})


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
    read = {PurePosixPath(file).with_suffix("") for file in files if lower_suffix(file) in SUFFIXES}
    return [file for file in files if lower_suffix(file) in SUFFIXES or PurePosixPath(file).with_suffix("") not in read]


def _refuse(error: OSError) -> None:
    raise UserError(
        f"the folder {escape(str(error.filename))} cannot be entered ({str(error.strerror).lower()}). Allow that, or "
        "move it elsewhere with its counterpart."
    ) from error
