"""Names of files: as typed, printable, without suffix, or a few of many."""

import os
from collections.abc import Sequence
from pathlib import Path

_SHOWN = 3


def expand(given: str) -> Path:
    """Give a path that a user wrote; ``~`` is the home folder, and ``~nobody`` a file like any other."""
    return Path(os.path.expanduser(given))  # noqa: PTH111 (Path.expanduser raises where there is no such user)


def cut_suffix(file: str) -> str:
    """Give a path without its suffix: what files that may well be the same picture have in common."""
    folder, slash, name = file.rpartition("/")
    stem, _, suffix = name.rpartition(".")
    # As pathlib has it, in a tenth of its time: ".bashrc" and "a." have no suffix.
    return folder + slash + (stem if stem.strip(".") and suffix else name)


def escape(name: str) -> str:
    """Make a file name printable: one with invalid UTF-8 can be neither printed nor written to a table."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def shorten_list(names: Sequence[str], shown: int = _SHOWN) -> str:
    """List the first names, printable, and how many more there are."""
    more = len(names) - shown
    return escape(", ".join(names[:shown])) + (f" and {more} more" if more > 0 else "")
