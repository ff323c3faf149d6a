"""The command ``uncrappify``: what there is to do with runs and models outside a pipeline."""

from __future__ import annotations

import logging
import shlex
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.utils import find_kedro_project

from uncrappify import server
from uncrappify.errors import UserError
from uncrappify.explanations import nearest
from uncrappify.sources.download import without_password
from uncrappify.tracking import PARAMETERS_FILE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Work with the runs of this project; `kedro run` makes them."""


@main.command()
@click.argument("pipeline")
def sync(pipeline: str) -> None:
    """Send what an MLflow server has not taken of PIPELINE's runs.

    The server is the one that MLFLOW_TRACKING_URI names.
    """
    try:
        _sync(pipeline)
    except UserError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.argument("run_id")
@click.option("--parameters", is_flag=True, help="Print the run's parameters alone, as a file for conf/.")
def show(run_id: str, parameters: bool) -> None:
    """Say how the run RUN_ID came about, and how to run it again.

    The run is looked for in the project's own store, and on the server that MLFLOW_TRACKING_URI names.
    """
    try:
        click.echo(_parameters(run_id) if parameters else _origin(run_id))
    except UserError as error:
        raise click.ClickException(str(error)) from error


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
    _, run = _found(run_id)
    tags = run.data.tags
    commit = tags.get("mlflow.source.git.commit")
    changed = " with changes that were not committed" if tags.get("git_dirty") == "true" else ""
    started = datetime.fromtimestamp(run.info.start_time / 1000).astimezone()
    data = [f"{one.dataset.name} {one.dataset.digest}" for one in (run.inputs.dataset_inputs if run.inputs else [])]
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
        f"uncrappify show {run_id} --parameters > conf/again/parameters.yml",
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

    _project()
    from uncrappify.settings import tracking_uri

    address = server.address()
    for store in filter(None, (tracking_uri(), address)):
        client = MlflowClient(store)
        try:
            return client, client.get_run(run_id)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise UserError(f"{without_password(store)} cannot be asked: {server.in_short(error)}.") from error
    elsewhere = f"nor on {without_password(address)}" if address else "and MLFLOW_TRACKING_URI names no server"
    raise UserError(f"there is no run {run_id} in the project's own store, {elsewhere}.")


def _sync(pipeline: str) -> None:
    import mlflow

    from uncrappify.run_copy import BeingSent, Deleted, begun_elsewhere, unsent

    address = server.address()
    if address is None:
        raise UserError("no server to send to: set MLFLOW_TRACKING_URI to its address, such as http://log.example.org.")
    shown = without_password(address)
    if away := server.why_away(address):
        raise UserError(f"{shown} does not answer ({away}). Nothing is lost; try again when it does.")
    folder = _folder_of_what_was_sent(pipeline)
    # Typed by a person, who may have mended a wrong address meanwhile.
    waiting = unsent(folder, mlflow.get_tracking_uri(), address, adopt=True)
    failed = []
    for copy in waiting:
        try:
            copy.send(ended=True)
        except (BeingSent, Deleted) as finding:
            click.echo(f"{copy.run_id}: {finding}")
        except Exception as error:
            failed.append(f"{copy.run_id}: {server.in_short(error)}")
        else:
            note = "" if copy.sent.complete else " (as far as it went; it has not ended)"
            click.echo(f"{copy.run_id}: {copy.sent.page}{note}")
    for other, runs in begun_elsewhere(folder, address).items():
        click.echo(f"{other} has a part of {runs} more; MLFLOW_TRACKING_URI={other} sends the rest there.")
    if failed:
        raise UserError(f"{shown} did not take all of these runs. Nothing is lost; try again.\n" + "\n".join(failed))
    if not waiting:
        click.echo(f"{pipeline}: {shown} has everything that was begun on it.")


def _folder_of_what_was_sent(pipeline: str) -> Path:
    root = _project()
    if pipeline not in pipelines:
        raise UserError(nearest("pipeline", pipeline, pipelines))
    session: KedroSession = KedroSession.create(root)
    with session:
        folder: Path = session.load_context().catalog.load(f"{pipeline}.sent")
    return folder


def _project() -> Path:
    """Find the project around the current folder, and make its settings count."""
    root = find_kedro_project(Path.cwd())
    if root is None:
        raise UserError("this is no folder of the project: go to where pyproject.toml and conf/ are.")
    bootstrap_project(root)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    return Path(root)
