"""The roles of files by globs, and pairs of files by what the globs' wildcards match."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count
from pathlib import PurePosixPath
from unicodedata import normalize

from uncrappify.errors import UserError

_WILDCARDS = {"**/": "((?:[^/]+/)*)", "*": "([^/]*)", "?": "([^/])"}
_SHAPES_SHOWN = 8
_NAMES_SHOWN = 3

Keys = Mapping[str, tuple[str, ...]]


def match_globs(files: Iterable[str], globs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Find the files that match one of the globs.

    Args:
        files: Paths with forward slashes.
        globs: ``*`` and ``?`` stand for anything but a slash, ``**/`` for any number of folders.

    Returns:
        File to the texts that the wildcards of the first matching glob stand for; in the order of ``files``.

    Example:
        >>> match_globs(["x3/baby_HR.png", "x3/baby_LR.png"], ["x3/*_HR.png"])
        {'x3/baby_HR.png': ('baby',)}
    """
    patterns = [_compile_glob(glob) for glob in globs]
    found = {}
    for file in files:
        match = next((match for pattern in patterns if (match := pattern.fullmatch(file))), None)
        if match:
            found[file] = match.groups()
    return found


def name_files(files: Iterable[str]) -> dict[str, str]:
    """Name each file by its path without suffix, or by its whole path where that name is taken.

    Names are unique even without regard to case, as some file systems require.

    Args:
        files: Paths with forward slashes.

    Returns:
        Name to file.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for file in files:
        stem = str(PurePosixPath(file).with_suffix(""))
        candidates = chain([stem, file], (f"{file}~{number}" for number in count(2)))
        name = next(name for name in candidates if name.casefold() not in taken)
        taken.add(name.casefold())
        names[name] = file
    return names


def summarise_files(files: Iterable[str]) -> str:
    """Summarise files by folder and suffix: ``bsds/train/*.jpg (200), bsds/val/*.jpg (100)``."""
    counts = Counter(str(PurePosixPath(file).parent / f"*{PurePosixPath(file).suffix}") for file in files)
    shown = [f"{glob} ({number})" for glob, number in sorted(counts.items())[:_SHAPES_SHOWN]]
    return ", ".join(shown + ["..."] * (len(counts) > _SHAPES_SHOWN)) or "nothing"


def key_by_name(files: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Map each file to its key for :func:`match_twins`: the path without suffix."""
    return {file: (str(PurePosixPath(file).with_suffix("")),) for file in files}


def match_twins(pictures: Keys, twins: Keys, where: str, roles: tuple[str, str]) -> dict[str, str]:
    """Find the twin of every picture.

    Args:
        pictures: File to key; a picture and its twin have the same key.
        twins: File to key.
        where: Beginning of an error message: the parameter and the folders.
        roles: What a picture and a twin are called in an error message, such as ``("picture", "mask")``.

    Returns:
        Picture name to the twin's file.

    Raises:
        UserError: A picture or a twin has no counterpart, or several; the message names them.
    """
    pictures, twins = _unify(pictures), _unify(twins)
    files, others = _invert(pictures), _invert(twins)
    problems = {
        f"no {roles[1]} belongs to": [found[0] for key, found in files.items() if key not in others],
        f"no {roles[0]} belongs to": [found[0] for key, found in others.items() if key not in files],
        "several files have the same name": [
            " and ".join(found) for part in (files, others) for found in part.values() if len(found) > 1
        ],
    }
    if told := [f"{what} {shorten_list(names)}" for what, names in problems.items() if names]:
        raise UserError(f"{where}: {'; '.join(told)}. Each {roles[0]} needs one {roles[1]}.")
    return {name: others[pictures[file]][0] for name, file in name_files(pictures).items()}


def shorten_list(names: Sequence[str], shown: int = _NAMES_SHOWN) -> str:
    """List the first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def _unify(keys: Keys) -> Keys:
    """Write keys in one form of Unicode; macOS takes an accented letter apart, and the names look the same."""
    return {file: tuple(normalize("NFC", text) for text in key) for file, key in keys.items()}


def _invert(keys: Keys) -> dict[tuple[str, ...], list[str]]:
    files: dict[tuple[str, ...], list[str]] = {}
    for file, key in keys.items():
        files.setdefault(key, []).append(file)
    return files


def _compile_glob(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*|\?)", glob)
    return re.compile("".join(_WILDCARDS.get(part, re.escape(part)) for part in parts))
