"""Kedro's commands, with a ``run`` that speaks to a person: clean messages, and a clean stop."""

from __future__ import annotations

import errno
import logging
import os
import signal
from pathlib import Path
from typing import Any

import click
import yaml
from kedro.config import MissingConfigException
from kedro.framework.cli import project
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.project import LOGGING, settings
from kedro.io.core import DatasetError
from kedro.utils import find_kedro_project
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from uncrappify.errors import UserError, find_causes
from uncrappify.logs import leave_out_unwritable
from uncrappify.output import forgive
from uncrappify.parameters.loader import explain_reference
from uncrappify.pipeline_registry import DEFAULT_PIPELINE
from uncrappify.run_options import check_options, make_options


@click.group()
def cli() -> None:
    """Commands that take the place of Kedro's own."""


class Run(click.Command):
    """Kedro's ``run``, pipeline after pipeline, each with an MLflow run of its own."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        """Read the options.

        Raises:
            click.ClickException: With one paragraph, where one of them is no option, or has no such value.
        """
        forgive()
        for word in args:
            if word != word.encode(errors="replace").decode():
                raise click.ClickException(
                    f"{word.encode(errors='backslashreplace').decode()}: the name is not UTF-8. Rename it, or make a "
                    "link to it (ln -s) that has another name."
                )
        verbose = "--verbose" in args
        try:
            return super().make_context(info_name, args, *more, **extra)
        except click.exceptions.Exit:
            raise
        except Exception as error:
            message = explain(error)
            if message is None or verbose:
                raise
            raise click.ClickException(message) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the pipelines.

        Raises:
            click.ClickException: With one paragraph, where the user can mend what is wrong.
        """
        verbose = ctx.params.pop("verbose")
        names = ctx.params["pipelines"] or [ctx.params["pipeline"] or DEFAULT_PIPELINE]
        # A machine that shuts down sends SIGTERM, a terminal that is closed SIGHUP: the same clean stop as Ctrl-C.
        _heed(signal.default_int_handler)
        _calm()
        results = {}
        try:
            if ctx.params["pipelines"] and ctx.params["pipeline"]:
                raise UserError("--pipeline and --pipelines are both there. Give one of them.")
            check_options(names, ctx.params)
            for name in dict.fromkeys(names):
                ctx.params |= {"pipeline": None, "pipelines": [name]}
                results[name] = super().invoke(ctx)
        except KeyboardInterrupt as error:
            # Who sends one often sends the other right after it; the stop must not be stopped.
            _heed(lambda *_: None)
            _stop("KILLED")
            raise click.ClickException("stopped; the same command goes on from here.") from error
        except Exception as error:
            _stop("FAILED")
            message = explain(error)
            if message is None or verbose:
                raise
            raise click.ClickException(message) from error
        return results


def explain(error: BaseException) -> str | None:
    """Find what a person can mend in an exception or its causes.

    Returns:
        The message, or None where the exception is a fault of the program.
    """
    for cause in find_causes(error):
        if isinstance(cause, UserError):
            return str(cause)
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            place = cause.filename or "while writing"
            return f"the disk is full ({place}). Free space and run again; what is done is kept."
        if "database or disk is full" in str(cause):
            return "the disk is full (MLflow's store). Free space and run again; what is done is kept."
        if isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EROFS):
            place = cause.filename or "a file"
            need = "read" if os.access(place, os.F_OK) and not os.access(place, os.R_OK) else "write"
            return f"{place}: no permission to {need}. Allow it and run again; what is done is kept."
        if isinstance(cause, NotADirectoryError | FileExistsError) and (file := _find_file(cause.filename)):
            return f"{file} is a file, and a folder has to be there. Move it away and run again; what is done is kept."
        if isinstance(cause, MissingConfigException):
            return f"{cause}. Make that folder, or name another one with --env."
        if isinstance(cause, KedroCliError):
            return cause.message
        if isinstance(cause, OmegaConfBaseException):
            return explain_reference(cause)
        if isinstance(cause, ValidationError) and cause.title.startswith("Kedro"):
            first = cause.errors(include_url=False)[0]
            return f"conf/*/mlflow.yml: {'.'.join(map(str, first['loc']))}: {first['msg']}."
        if isinstance(cause, DatasetError) and "parsing config" in str(cause):
            return f"conf/*/catalog.yml: {' '.join(str(cause).split())}"
        if isinstance(cause, yaml.YAMLError):
            return f"A file in conf/ is no valid YAML: {' '.join(str(cause).split())}"
    return None


def _find_file(path: object) -> Path | None:
    """Find the file that stands where a path has a folder."""
    place = Path(str(path))
    return next((part for part in (place, *place.parents) if part.is_file()), None)


def _heed(handler: Any) -> None:
    """Set what happens when somebody other than the user at the keyboard ends the program."""
    for name in ("SIGTERM", "SIGHUP"):
        # Windows has no SIGHUP; nohup ignores it, and that holds.
        if (number := getattr(signal, name, None)) and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _calm() -> None:
    """Send the libraries' messages to the log file: mlflow has a handler of its own for the terminal."""
    project_root = find_kedro_project(Path.cwd())
    if project_root and project_root != Path.cwd():
        # Kedro looks for the configuration of the log in the current folder alone.
        config = yaml.safe_load((project_root / "conf" / "logging.yml").read_text(encoding="utf-8"))
        config["handlers"]["file"]["filename"] = str(project_root / config["handlers"]["file"]["filename"])
        LOGGING.configure(config)
        leave_out_unwritable()
    # A log that does not fit on a full disk must not bury the message about it.
    logging.raiseExceptions = False
    for name in ("mlflow", "alembic"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True


def _stop(status: str) -> None:
    for hook in settings.HOOKS:
        if hasattr(hook, "stop"):
            hook.stop(status)


cli.add_command(
    Run(
        "run",
        params=make_options(),
        callback=project.run.callback,
        help=project.run.help,
    )
)
