"""The table that some kinds of models write: one row a picture, kept whole while a batch goes on."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from uncrappify.atomic import written_whole

SECONDS = 2.0
"""Between two writings; what a kill loses is done again."""


class ResultTable:
    """A CSV file that grows.

    Args:
        path: The file.
        fresh: Whether rows that are there are forgotten.

    Attributes:
        rows: The name of a picture to its row.
    """

    def __init__(self, path: Path, *, fresh: bool) -> None:
        self.path = path
        self.rows: dict[str, dict[str, str]] = {} if fresh else _read(path)
        self._written = time.monotonic()
        self._changed = False

    def __contains__(self, picture: str) -> bool:
        return picture in self.rows

    def add(self, picture: str, row: Mapping[str, str]) -> None:
        """Add what is said of a picture, and write the table now and then."""
        self.rows[picture] = dict(row)
        self._changed = True
        if time.monotonic() - self._written > SECONDS:
            self.write()

    def write(self) -> None:
        """Write the file, whole, with the pictures by name.

        Raises:
            UserError: The disk is full, or there is no permission.
        """
        if not self._changed:
            return
        text = io.StringIO()
        columns = list(dict.fromkeys(["picture", *(name for row in self.rows.values() for name in row)]))
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({"picture": name, **self.rows[name]} for name in sorted(self.rows))
        with written_whole(self.path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8", errors="backslashreplace")
        self._written, self._changed = time.monotonic(), False


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Read the rows that are there; a file that somebody else has written is none of ours."""
    with suppress(OSError, ValueError, csv.Error), path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
        return {row.pop("picture"): row for row in rows if row.get("picture") and None not in row}
    return {}
