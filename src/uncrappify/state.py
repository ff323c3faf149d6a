"""State files: notes that the program writes for itself, whole and on the disk, and reads back with suspicion.

A state file may have been cut by a full disk, emptied by a crash of the machine, or edited by hand. Each is read by the
type of what it holds, so that a broken one is found where it is read, and not where its content is used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError, tell_mistake

log = logging.getLogger(__name__)

T = TypeVar("T")


class BrokenStateError(UserError):
    """A state file that cannot be read, or does not hold what it should."""


def read_state(path: Path, kind: type[T], advice: str) -> T:
    """Read a state file (JSON, UTF-8).

    Args:
        path: The file.
        kind: What it holds: a Pydantic model, or any type that Pydantic can check, such as ``dict[str, int]``.
        advice: What a user can do about a broken one, as a sentence.

    Returns:
        The checked value.

    Raises:
        BrokenStateError: If the file cannot be read, is cut, is not JSON, or holds something else.
    """
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise BrokenStateError(f"{path}: {_explain(error)}. {advice}") from error


def recover_state(path: Path, kind: type[T], otherwise: Callable[[], T], consequence: str) -> T:
    """Read a state file whose content can be had again, or done without.

    Args:
        path: The file.
        kind: As :func:`read_state` takes it.
        otherwise: Makes the value for a file that is missing or broken.
        consequence: What follows from a broken one, for one line of the log, such as ``the training starts anew``.

    Returns:
        The file's value, or that of ``otherwise``.
    """
    if not path.exists():
        return otherwise()
    try:
        return read_state(path, kind, "")
    except BrokenStateError as broken:
        log.warning("%s: %s", str(broken).rstrip(". "), consequence)
        return otherwise()


def read_lines(path: Path, kind: type[T], *, skip: bool = False) -> list[T]:
    """Read a journal: a JSON value a line, appended to by a process that may have been killed.

    Args:
        path: The file; a missing one is empty.
        kind: What a line holds, as :func:`read_state` takes it.
        skip: Whether each line stands for itself: one that is broken is left out, and the others count.

    Returns:
        The values; without ``skip`` up to the first line that is cut or broken, as what follows it cannot be trusted.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    adapter, values, broken = TypeAdapter(kind), [], 0
    for number, line in enumerate(lines, start=1):
        try:
            values += [adapter.validate_json(line)] if line else []
        except ValidationError:
            # The last line of a killed process is cut short: nothing is wrong with that.
            broken += number < len(lines)
            if not skip:
                log.warning("%s: broken from line %s on, which is done again", path, number)
                break
    if skip and broken:
        log.warning("%s: %s of %s lines are broken and left out", path, broken, len(lines) - 1)
    return values


def write_state(path: Path, value: Any) -> None:
    """Write a state file whole, and on the disk.

    Args:
        path: The file; an existing one is replaced.
        value: A Pydantic model, or anything that JSON can hold.

    Raises:
        UserError: The disk is full, or there is no permission.
    """
    kind = type(value) if isinstance(value, BaseModel) else Any
    with written_whole(path) as temporary:
        temporary.write_bytes(TypeAdapter(kind).dump_json(value, indent=2))


def _explain(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({(error.strerror or str(error)).lower()})"
    return f"does not hold what it should ({tell_mistake(error)})"
