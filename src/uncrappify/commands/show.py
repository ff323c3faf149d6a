"""``uncrappify show``: how a run came about, and how to run it again."""

from __future__ import annotations

import shlex
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from uncrappify.addresses import store_file, without_password
from uncrappify.commands.project import find_project
from uncrappify.errors import UserError
from uncrappify.tracking import server
from uncrappify.tracking.store import PARAMETERS_FILE
from uncrappify.tracking.store_file import prepare_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@click.command()
@click.argument("run_id")
@click.option("--parameters", is_flag=True, help="Print the run's parameters alone, as a file for conf/.")
def show(run_id: str, parameters: bool) -> None:
    """Say how the run RUN_ID came about, and how to run it again.

    The run is looked for in the project's own store, and on the server that MLFLOW_TRACKING_URI names.
    """
    click.echo(_parameters(run_id) if parameters else _origin(run_id))


def _parameters(run_id: str) -> str:
    client, run = _found(run_id)
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = Path(client.download_artifacts(run.info.run_id, PARAMETERS_FILE, folder))
        except Exception as error:
            raise UserError(
                f"the run's {PARAMETERS_FILE} cannot be had ({server.in_short(error)}). Older versions logged none."
            ) from error
        return file.read_text(encoding="utf-8").rstrip()


def _origin(run_id: str) -> str:
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    client, run = _found(run_id)
    # What a model has learned from, and where, its own run says.
    children = f"tags.{MLFLOW_PARENT_RUN_ID} = '{run.info.run_id}'"
    models = client.search_runs([run.info.experiment_id], children, order_by=["attributes.start_time"])
    tags = {name: value for one in (*models, run) for name, value in one.data.tags.items()}
    inputs = [given for one in (run, *models) if one.inputs for given in one.inputs.dataset_inputs]
    commit = tags.get("mlflow.source.git.commit")
    changed = " with changes that were not committed" if tags.get("git_dirty") == "true" else ""
    started = datetime.fromtimestamp(run.info.start_time / 1000).astimezone()
    data = dict.fromkeys(f"{given.dataset.name} {given.dataset.digest}" for given in inputs)
    known = {
        "run": f"{run.info.run_name}, {run.info.status}, {started:%Y-%m-%d %H:%M %Z}",
        "command": tags.get("kedro_command"),
        "environment": tags.get("env"),
        "commit": f"{commit}{changed}" if commit else "not in a git checkout",
        "data": ", ".join(data) or "no training data",
        "versions": f"Python {tags.get('python')}, torch {tags.get('hardware.torch', 'not used')}",
        "machine": f"{tags['hardware.cpu']}, GPU: {tags['hardware.gpu']}" if "hardware.cpu" in tags else None,
    }
    again = [
        *([f"git checkout {commit}"] if commit else []),
        "mkdir -p conf/again",
        f"uncrappify show {run.info.run_id} --parameters > conf/again/parameters.yml",
        _command_again(tags.get("kedro_command", ""), str(run.info.run_name)),
    ]
    lines = [f"{name:<12} {value}" for name, value in known.items() if value]
    return "\n".join([*lines, "", "To run it again:", "", *(f"    {line}" for line in again)])


def _command_again(command: str, pipeline: str) -> str:
    """Give the command that ran, with the environment `again` instead of its own and its parameters."""
    given, kept = shlex.split(command), []
    if given[1:2] != ["run"]:
        # A run from Python.
        return f"kedro run --env again --pipeline {pipeline}"
    rest = iter(given[2:])
    for word in rest:
        name, equals, _ = word.partition("=")
        if name in ("--env", "-e", "--params"):
            if not equals:
                next(rest, None)
        else:
            kept.append(word)
    return shlex.join(["kedro", "run", "--env", "again", *kept])


def _found(run_id: str) -> tuple[MlflowClient, Run]:
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
            return client, client.get_run(parent) if parent else run
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise UserError(f"{without_password(store)} cannot be asked: {server.in_short(error)}.") from error
    elsewhere = f"nor on {without_password(address)}" if address else "and MLFLOW_TRACKING_URI names no server"
    raise UserError(f"there is no run {run_id} in the project's own store, {elsewhere}.")
