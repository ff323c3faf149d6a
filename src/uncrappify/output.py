"""What is printed: no sign that an output cannot show, and no output that goes away, stops what is being done."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO, cast

from uncrappify.errors import UserError


class _Forgiving(io.RawIOBase):
    """An output that takes everything, whether or not what lies behind it still does.

    Attributes:
        error: Why something was lost; None while nothing was.
    """

    def __init__(self, output: Any) -> None:
        self._output = output
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            written: int | None = self._output.write(data) if self.error is None else None
        except OSError as error:
            self.error, written = error, None
        return len(data) if written is None else written

    def fileno(self) -> int:
        return int(self._output.fileno())

    def isatty(self) -> bool:
        return bool(self._output.isatty())

    def writable(self) -> bool:
        return True


def forgive() -> None:
    """Make the standard outputs replace signs that they cannot show, and outlive a closed pipe or a full disk."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            _occupy(number)
            nowhere = open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115, PTH123
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            # Where Python does not buffer (PYTHONUNBUFFERED), there is nothing in between.
            raw = getattr(stream.buffer, "raw", stream.buffer)
            if isinstance(raw, io.FileIO):
                setattr(sys, name, _wrap(stream, raw))


def check_nothing_lost() -> None:
    """Tell that what was printed is not whole; a reader that has gone away has seen enough.

    Raises:
        UserError: If the disk behind the output is full, for example.
    """
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    sys.stdout.flush()
    if isinstance(raw, _Forgiving) and raw.error and not isinstance(raw.error, BrokenPipeError):
        raise UserError(f"the output could not be written ({raw.error.strerror}).")


def _wrap(stream: io.TextIOWrapper, raw: io.FileIO) -> TextIO:
    """Give a stream of the same form whose bytes go through :class:`_Forgiving`."""
    buffer = io.BufferedWriter(cast(io.RawIOBase, _Forgiving(raw)))
    by_line = stream.line_buffering or stream.write_through
    return io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=by_line)


def _occupy(number: int) -> None:
    """Open a descriptor that is closed: the next file, such as the store, would get its number and what is printed."""
    try:
        os.fstat(number)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
