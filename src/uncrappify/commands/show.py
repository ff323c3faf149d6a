"""``uncrappify show``: how a run came about, and how to run it again."""

from __future__ import annotations

import re
import shlex
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from uncrappify.addresses import store_file, without_password
from uncrappify.commands.project import find_project
from uncrappify.errors import UserError
from uncrappify.foreign import in_one_line, make_harmless
from uncrappify.tracking import server
from uncrappify.tracking.store import PARAMETERS_FILE
from uncrappify.tracking.store_file import prepare_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SECONDS = 60.0
"""That all answers of a server take together, at most."""

LONGEST = 2000
"""Signs of what is said of a run."""

CHOOSING = {
    *("--pipeline", "--pipelines", "-p", "--nodes", "-n", "--tags", "-t", "--namespaces", "-ns"),
    *("--from-nodes", "--to-nodes", "--from-inputs", "--to-outputs"),
}
"""Options that choose what runs. A stranger's command could name configuration or code of its own with others."""


@dataclass(frozen=True)
class Found:
    """A run, and where it is.

    Attributes:
        client: Asks the store that has it.
        run: The run, or its parent.
        server: The store's address, without a password, if it is a server: then all of it is what a stranger says.
    """

    client: MlflowClient
    run: Run
    server: str | None


@click.command()
@click.argument("run_id")
@click.option("--parameters", is_flag=True, help="Print the run's parameters alone, as a file for conf/.")
def show(run_id: str, parameters: bool) -> None:
    """Say how the run RUN_ID came about, and how to run it again.

    The run is looked for in the project's own store, and on the server that MLFLOW_TRACKING_URI names.
    """
    from uncrappify.tracking.connection import within

    with within(SECONDS):
        found = _find(run_id)
        try:
            click.echo(_parameters(found) if parameters else _origin(found))
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"the run {in_one_line(run_id)} cannot be shown: {server.in_short(error)}.") from error


def _parameters(found: Found) -> str:
    from uncrappify.tracking.artifacts import open_folder

    try:
        folder = open_folder(str(found.run.info.artifact_uri), found.client.tracking_uri)
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / PARAMETERS_FILE
            # In this thread, whose requests have an end.
            folder._download_file(PARAMETERS_FILE, str(file))  # type: ignore[no-untyped-call]
            text = file.read_text(encoding="utf-8")
    except Exception as error:
        raise UserError(
            f"the run's {PARAMETERS_FILE} cannot be had ({server.in_short(error)}). Older versions logged none."
        ) from error
    origin = [f"# From {found.server}: look at it before it is used."] if found.server else []
    return "\n".join([*origin, *map(make_harmless, text.rstrip().split("\n"))])


def _origin(found: Found) -> str:
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    run = found.run
    # What a model has learned from, and where, its own run says.
    children = f"tags.{MLFLOW_PARENT_RUN_ID} = '{run.info.run_id}'"
    models = found.client.search_runs([run.info.experiment_id], children, order_by=["attributes.start_time"])
    tags = {name: value for one in (*models, run) for name, value in one.data.tags.items()}
    inputs = [given for one in (run, *models) if one.inputs for given in one.inputs.dataset_inputs]
    commit = tags.get("mlflow.source.git.commit", "")
    changed = " with changes that were not committed" if tags.get("git_dirty") == "true" else ""
    data = dict.fromkeys(f"{given.dataset.name} {given.dataset.digest}" for given in inputs)
    known = {
        "run": f"{run.info.run_name}, {run.info.status}, {_moment(run.info.start_time)}",
        "command": tags.get("kedro_command"),
        "environment": tags.get("env"),
        "commit": f"{commit}{changed}" if commit else "not in a git checkout",
        "data": ", ".join(data) or "no training data",
        "versions": f"Python {tags.get('python')}, torch {tags.get('hardware.torch', 'not used')}",
        "machine": f"{tags['hardware.cpu']}, GPU: {tags.get('hardware.gpu')}" if "hardware.cpu" in tags else None,
        "from": f"{found.server}, which can say what it likes: look at all this before it is used"
        if found.server
        else "",
    }
    run_id, name = in_one_line(run.info.run_id), in_one_line(run.info.run_name)
    again = [
        *([f"git checkout {commit}"] if re.fullmatch("[0-9a-f]{7,64}", commit) else []),
        "mkdir -p conf/again",
        f"uncrappify show {shlex.quote(run_id)} --parameters > conf/again/parameters.yml",
        _command_again(make_harmless(tags.get("kedro_command", "")), name, foreign=found.server is not None),
    ]
    lines = [f"{name:<12} {in_one_line(value, LONGEST)}" for name, value in known.items() if value]
    return "\n".join([*lines, "", "To run it again:", "", *(f"    {line}" for line in again)])


def _moment(milliseconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%Y-%m-%d %H:%M %Z}"
    except (TypeError, ValueError, OverflowError, OSError):
        return "at no time that can be"


def _command_again(command: str, pipeline: str, *, foreign: bool = False) -> str:
    """Give the command that ran, with the environment `again` instead of its own and its parameters.

    Args:
        command: As it was typed, or somebody says so.
        pipeline: For a run from Python, whose command says nothing.
        foreign: Leave out all that does more than choose what runs.
    """
    try:
        given = shlex.split(command)
    except ValueError:
        given = []
    kept: list[str] = []
    if given[1:2] != ["run"]:
        # A run from Python.
        return shlex.join(["kedro", "run", "--env", "again", "--pipeline", pipeline])
    rest = iter(given[2:])
    for word in rest:
        name, equals, _ = word.partition("=")
        if name in ("--env", "-e", "--params"):
            if not equals:
                next(rest, None)
        elif not foreign:
            kept.append(word)
        elif name in CHOOSING:
            kept += [word] if equals else [word, *([value] if (value := next(rest, None)) is not None else [])]
    return shlex.join(["kedro", "run", "--env", "again", *kept])


def _find(run_id: str) -> Found:
    """Find a run in the project's store, or on the server."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    find_project()
    from uncrappify.settings import tracking_uri

    address, own = server.address(), tracking_uri()
    file = store_file(own)
    # A project in which nothing ran yet has no store, and to look for a run makes none.
    if file is None or file.exists():
        prepare_store(own, writing=False)
    else:
        own = ""
    for store in filter(None, (own, address)):
        client = MlflowClient(store)
        try:
            run = client.get_run(run_id)
            # That of a model came about by its pipeline's.
            parent = run.data.tags.get(MLFLOW_PARENT_RUN_ID)
            found = client.get_run(parent) if parent else run
        except Exception as error:
            missing = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
            if not isinstance(error, MlflowException) or error.error_code not in missing:
                raise UserError(f"{without_password(store)} cannot be asked: {server.in_short(error)}.") from error
        else:
            return Found(client, found, without_password(store) if store == address else None)
    elsewhere = f"nor on {without_password(address)}" if address else "and MLFLOW_TRACKING_URI names no server"
    raise UserError(f"there is no run {in_one_line(run_id)} in the project's own store, {elsewhere}.")
