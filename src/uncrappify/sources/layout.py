"""The roles of files by globs, and pairs of files by what the globs' wildcards match."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from unicodedata import normalize

import pandas as pd

from uncrappify.errors import UserError
from uncrappify.names import cut_suffix, escape, shorten_list

_WILDCARDS = {"**/": "((?:[^/]+/)*)", "*": "([^/]*)", "?": "([^/])"}
_SHAPES_SHOWN = 8
_READABLE = 48
_SAME_BUT_FOR_CASE = re.compile("~[0-9a-f]{12}$")
_RESERVED = re.compile("con|prn|aux|nul|com[0-9]|lpt[0-9]", re.IGNORECASE)
"""Windows has no files of these names, whatever their suffix."""

TEST_PREFIX = "test_source/"
"""What the names of a test source's pictures begin with, to keep them apart from those of the source itself."""

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
    """Name each file by its path without suffix; files that share that, by their whole path, all of them.

    Names are unique even without regard to case. No file takes the name that another one has without it.

    Args:
        files: Paths with forward slashes.

    Returns:
        Name to file, in the order of ``files``; a name that is not valid unicode has its bytes escaped.
    """
    files = list(files)
    cut = {file: cut_suffix(file) for file in files}
    stems = Counter(stem.casefold() for stem in map(cut.__getitem__, files))
    paths = Counter(file.casefold() for file in files)
    names: dict[str, str] = {}
    # A shorter path may be what is left of a longer one without its suffix: a.jpg and a.jpg.png.
    whole: set[str] = set()
    for file in sorted(files, key=len):
        name = cut[file]
        if stems[name.casefold()] > 1 or name.casefold() in whole:
            whole.add(file.casefold())
            name = file if paths[file.casefold()] == 1 else f"{file}~{_hash(file)}"
        names[file] = escape(name)
    return {names[file]: file for file in files}


def find_stems(pictures: pd.DataFrame) -> list[str]:
    """Find what split and draws of pictures go by, which further pictures never change: the path without suffix.

    Args:
        pictures: Rows of a manifest.

    Returns:
        For each row what all files have in common that differ in their suffix alone, and may be the same picture.
    """
    if "file" not in pictures:
        return pictures["name"].tolist()
    return [_find_stem(name, file) for name, file in zip(pictures["name"], pictures["file"], strict=True)]


def _find_stem(name: str, file: str) -> str:
    path = _SAME_BUT_FOR_CASE.sub("", name)
    # A name that has no suffix is never the end of its file's path.
    is_path = f"/{file}".endswith("/" + path.removeprefix(TEST_PREFIX))
    return cut_suffix(path) if is_path else name


def place_file(identity: str) -> PurePosixPath:
    """Find a place for a computed picture that depends on what it is computed from alone, and is unique on any disk.

    Names may be equal but for case, as long as a file system allows, or such that one file's is another's folder.

    Args:
        identity: Path of the original with its suffix, forward slashes.

    Returns:
        Relative path of a PNG: readable, with a hash of ``identity``.

    Example:
        >>> place_file("holiday/scan.jpg")
        PurePosixPath('holiday/scan-e11b30e1143a.png')
    """
    *folders, name = (_make_readable(part) for part in cut_suffix(identity).split("/"))
    return PurePosixPath(*folders, f"{name}-{_hash(identity)}.png")


def _make_readable(part: str) -> str:
    # No dot: a folder is never called as a file is. A sign takes up to four bytes, and a name has at most 255.
    readable = re.sub(r"[^\w -]+", "_", part)[:_READABLE].strip() or "_"
    return f"{readable}_" if _RESERVED.fullmatch(readable) else readable


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:12]


def summarise_files(files: Iterable[str]) -> str:
    """Summarise files by folder and suffix: ``bsds/train/*.jpg (200), bsds/val/*.jpg (100)``."""
    counts = Counter(str(PurePosixPath(file).parent / f"*{PurePosixPath(file).suffix}") for file in files)
    shown = [f"{glob} ({number})" for glob, number in sorted(counts.items())[:_SHAPES_SHOWN]]
    return ", ".join(shown + ["..."] * (len(counts) > _SHAPES_SHOWN)) or "nothing"


def key_by_name(files: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Map each file to its key for :func:`match_twins`: the path without suffix."""
    return {file: (cut_suffix(file),) for file in files}


def match_twins(
    pictures: Keys, twins: Keys, where: str, roles: tuple[str, str], listed: Iterable[str] = ()
) -> dict[str, str]:
    """Find the twin of every picture.

    Letters with accents match in both forms that unicode has for them; file systems differ in which they keep.

    Args:
        pictures: File to key; a picture and its twin have the same key.
        twins: File to key.
        where: Beginning of an error message: the parameter and the folders.
        roles: What a picture and a twin are called in an error message, such as ``("picture", "mask")``.
        listed: All files that the manifest names, where there are more than the pictures.

    Returns:
        Picture name to the twin's file; what is not valid unicode is escaped.

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
    names = name_files(listed or pictures)
    return {name: escape(others[pictures[file]][0]) for name, file in names.items() if file in pictures}


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
