"""The log file: left out where it cannot be written; imported before what logs as it loads, such as MLflow."""

import logging
from pathlib import Path

import click


def leave_out_unwritable() -> None:
    """Log to no file that cannot be opened, and say so: whatever needs the same folder has a sentence of its own."""
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, logging.FileHandler)]:
        try:
            Path(handler.baseFilename).open("a").close()
        except OSError as error:
            root.removeHandler(handler)
            place, reason = handler.baseFilename, error.strerror
            click.echo(f"{place}: nothing is logged, the file cannot be written ({reason}).", err=True)


leave_out_unwritable()
