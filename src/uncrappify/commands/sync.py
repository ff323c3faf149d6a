"""``uncrappify sync``: what an MLflow server has not taken is sent."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

import click
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession

from uncrappify.addresses import without_password
from uncrappify.commands.project import find_project
from uncrappify.errors import UserError
from uncrappify.foreign import in_one_line
from uncrappify.parameters.messages import nearest
from uncrappify.tracking import server


@click.command()
@click.argument("pipeline")
def sync(pipeline: str) -> None:
    """Send what an MLflow server has not taken of PIPELINE's runs.

    The server is the one that MLFLOW_TRACKING_URI names.
    """
    import mlflow

    from uncrappify.tracking.run_copy import BeingSent, Deleted, NotYet, begun_elsewhere, unsent

    address = server.address()
    if address is None:
        raise UserError("no server to send to: set MLFLOW_TRACKING_URI to its address, such as http://log.example.org.")
    shown = without_password(address)
    if away := server.why_away(address):
        raise UserError(f"{shown} does not answer ({away}). Nothing is lost; try again when it does.")
    folders = _notes(pipeline)
    # Typed by a person, who may have mended a wrong address meanwhile.
    waiting = [copy for folder in folders for copy in unsent(folder, mlflow.get_tracking_uri(), address, adopt=True)]
    failed = []
    for copy in waiting:
        try:
            copy.send()
        except (BeingSent, Deleted, NotYet) as finding:
            click.echo(f"{copy.run_id}: {finding}")
        except Exception as error:
            failed.append(f"{copy.run_id}: {server.in_short(error)}")
        else:
            note = "" if copy.sent.complete else " (as far as it went; it has not ended)"
            click.echo(f"{copy.run_id}: {copy.sent.page}{note}")
    elsewhere = sum((begun_elsewhere(folder, address) for folder in folders), Counter[str]())
    for other, runs in elsewhere.items():
        named = in_one_line(other)
        click.echo(f"{named} has a part of {runs} more; MLFLOW_TRACKING_URI={shlex.quote(named)} sends the rest there.")
    if failed:
        raise UserError(f"{shown} did not take all of these runs. Nothing is lost; try again.\n" + "\n".join(failed))
    if not waiting:
        click.echo(f"{pipeline}: {shown} has everything that was begun on it.")


def _notes(pipeline: str) -> list[Path]:
    """Give the folders with the notes of what a server has taken of a pipeline's runs."""
    root = find_project()
    if pipeline not in pipelines:
        raise UserError(nearest("pipeline", pipeline, pipelines))
    folders = []
    for smoke in (False, True):
        session: KedroSession = KedroSession.create(root, runtime_params={"smoke": smoke})
        with session:
            folders.append(session.load_context().catalog.load(f"{pipeline}.records") / "sent")
    return folders
