"""Which pictures a user means, and which files come of each: no two in one place, none outside the output folder."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from uncrappify.errors import UserError
from uncrappify.names import cut_suffix, escape, expand, shorten_list
from uncrappify.walking import find_pictures

_MAGIC = "*?["


@dataclass(frozen=True)
class Found:
    """A picture file that a user means.

    Attributes:
        path: The file.
        place: Where its result belongs, relative to the output folder, with the original's suffix and forward slashes.
    """

    path: Path
    place: str


@dataclass(frozen=True)
class Job:
    """A picture and the files that come of it.

    Attributes:
        path: The picture's file.
        name: What it is called in messages and tables.
        targets: The files; none for a kind that writes a table alone.
    """

    path: Path
    name: str
    targets: tuple[Path, ...]


def find_inputs(inputs: Sequence[str]) -> list[Found]:
    """Find the pictures of a command's arguments: files, folders at any depth, and globs.

    Args:
        inputs: As they were typed; ``~`` is the home folder.

    Returns:
        Each file once, folders by name. The place of a file that was named itself is its name; of one in a folder, its
        path within; of one that a glob has found, its path behind the part without wildcards.

    Raises:
        UserError: If there is no such file or folder, or no picture in what is given.
    """
    found: dict[str, Found] = {}
    for given in inputs:
        for one in _find(given):
            found.setdefault(os.path.abspath(one.path), one)  # noqa: PTH100 (resolve follows links)
    if not found:
        raise UserError(f"{', '.join(inputs) or 'no input'}: there is no picture in it, at any depth.")
    return list(found.values())


def list_folders(inputs: Sequence[str]) -> list[Path]:
    """List the folders among a command's arguments."""
    return [path for given in inputs if (path := expand(given)).is_dir()]


def check_output(output: Path, inputs: Sequence[str]) -> None:
    """Check that results can be written to a folder, and make it.

    Args:
        output: The folder.
        inputs: As :func:`find_inputs` takes them.

    Raises:
        UserError: It lies in an input folder, where the next run would take results for pictures; it is a file; or it
            cannot be written to.
    """
    whole = output.resolve()
    for folder in list_folders(inputs):
        if whole.is_relative_to(folder.resolve()):
            raise UserError(
                f"the output folder {output} lies in the input folder {folder}, and its pictures would be inputs of "
                "the next run. Give a folder elsewhere, such as --output repaired."
            )
    existing = next(parent for parent in (whole, *whole.parents) if parent.exists())
    if not existing.is_dir():
        raise UserError(f"--output {output}: {existing} is a file, not a folder. Give another name.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"--output {output}: no permission to write in {existing}. Allow it, or give another folder.")


def plan(
    found: Iterable[Found], output: Path | None, mark: str, name_endings: Callable[[str], tuple[str, ...]]
) -> list[Job]:
    """Name the files that come of pictures.

    Where two differ in their suffix alone and would get one name, each keeps its whole name before the new suffix:
    ``scan.jpg.png`` and ``scan.tif.png``.

    Args:
        found: The pictures.
        output: Folder of the results; None for that of each picture.
        mark: What is added to each name, such as ``_large``.
        name_endings: Gives what follows a picture's name in those of its files, by the picture's suffix.

    Raises:
        UserError: If two pictures would still be written to one name, or a result take the place of a picture.
    """
    found = [one for one in found if not (mark and output is None and cut_suffix(one.place).endswith(mark))]
    if not found:
        raise UserError(f'all of these pictures have "{mark}" at the end of their names: they are results themselves.')
    short = {one.path: _name(cut_suffix(one.place), one, output, mark, name_endings) for one in found}
    taken = _group(short)
    names = {
        one.path: short[one.path]
        if all(len(taken[_fold(target)]) == 1 for target in short[one.path])
        else _name(one.place, one, output, mark, name_endings)
        for one in found
    }
    for target, theirs in _group(names).items():
        if len(theirs) > 1:
            shown = shorten_list([str(path) for path in theirs])
            raise UserError(
                f"{shown} would be written to one name, {escape(Path(target).name)}. Give the folder that they are in, "
                "whose structure is kept, or run the command for each."
            )
    _keep_pictures(names)
    _keep_rows(names, found)
    return [Job(one.path, escape(one.place), names[one.path]) for one in found]


def _find(given: str) -> list[Found]:
    path = expand(given)
    if path.is_dir():
        return [Found(path / place, place) for place in find_pictures(path)]
    if path.exists() or path.is_symlink():
        return [Found(path, path.name)]
    if any(sign in given for sign in _MAGIC):
        return _match(str(path))
    raise UserError(f"{escape(given)}: there is no such file or folder.")


def _match(pattern: str) -> list[Found]:
    parts = PurePosixPath(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if any(sign in part for sign in _MAGIC))
    root = Path(*parts[:fixed])
    places = sorted(glob.glob("/".join(parts[fixed:]), root_dir=root, recursive=True))  # noqa: PTH207
    files = [Found(root / place, place) for place in places if (root / place).is_file()]
    if any(part in ("..", ".") for one in files for part in PurePosixPath(one.place).parts):
        raise UserError(f"{pattern}: .. stands behind a wildcard. Give the folders themselves.")
    if not files:
        raise UserError(f"{pattern}: no file has a name like that.")
    return files


def _name(
    stem: str, one: Found, output: Path | None, mark: str, name_endings: Callable[[str], tuple[str, ...]]
) -> tuple[Path, ...]:
    if output is None:
        folder, stem = one.path.parent, PurePosixPath(stem).name
    else:
        folder = output
    return tuple(folder / f"{stem}{mark}{ending}" for ending in name_endings(one.path.suffix))


def _group(names: dict[Path, tuple[Path, ...]]) -> dict[str, list[Path]]:
    """Give the pictures of each target, without regard to case: some disks have none."""
    grouped = defaultdict(list)
    for path, targets in names.items():
        for target in targets:
            grouped[_fold(target)].append(path)
    return grouped


def _fold(target: Path) -> str:
    return str(target).casefold()


def _keep_rows(names: dict[Path, tuple[Path, ...]], found: Iterable[Found]) -> None:
    """Where rows of a table are all that comes of pictures, their names there differ."""
    seen: dict[str, Path] = {}
    for one in found:
        if not names[one.path] and seen.setdefault(one.place, one.path) != one.path:
            raise UserError(
                f"{shorten_list([str(seen[one.place]), str(one.path)])} would have one name in the table, "
                f"{escape(one.place)}. Give the folder that they are in, or run the command for each."
            )


def _keep_pictures(names: dict[Path, tuple[Path, ...]]) -> None:
    pictures = {os.path.realpath(path) for path in names}
    for targets in names.values():
        for target in targets:
            if os.path.realpath(target) in pictures:
                raise UserError(
                    f"{escape(str(target))} is an input, and a result would take its place. Give another --output, or "
                    "a --suffix such as _restored."
                )
