"""The weights that a user means: a file, what a pipeline delivers, a run's, or a registered model's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from uncrappify.errors import UserError
from uncrappify.foreign import in_one_line
from uncrappify.names import expand
from uncrappify.parameters.delivery import find_delivered, find_models, find_trained_weights, trains
from uncrappify.parameters.messages import guess
from uncrappify.parameters.sections import read_sections

_RUN = re.compile("[0-9a-f]{32}")
_REGISTERED = "models:/"


@contextmanager
def open_weights(given: str) -> Iterator[Path]:
    """Find a weights file, and keep it for the block where it has to be fetched.

    Args:
        given: A file; a pipeline's name (``superres``) for what it delivers, or one of its models (``digits.cnn``); the
            id of a run; or ``models:/<name>@<alias>`` or ``models:/<name>/<version>`` of MLflow's registry.

    Yields:
        The file.

    Raises:
        UserError: If there is no such thing; the message lists those there are.
    """
    file = expand(given)
    if file.is_file():
        yield file
    elif given.startswith(_REGISTERED):
        with TemporaryDirectory() as folder:
            yield _fetch(_find_registered(given), given, Path(folder))
    elif _RUN.fullmatch(given):
        with TemporaryDirectory() as folder:
            yield _fetch(_find_of_run(given), f"the run {given}", Path(folder))
    else:
        yield _find_of_project(given)


def _find_of_project(given: str) -> Path:
    pipeline, _, _ = given.partition(".")
    sections = read_sections()
    if pipeline in sections:
        return find_trained_weights(given)
    if not sections:
        raise UserError(
            f"{given}: there is no such file. The current folder is not in the project, where the name of a pipeline "
            "would do."
        )
    known = [name for name, section in sections.items() if trains(section) and find_delivered(section) is not None]
    models = [f"{name}.{model}" for name, section in sections.items() for model in find_models(section)]
    raise UserError(
        f'"{in_one_line(given)}" is no file, pipeline, run or registered model{guess(given, [*known, *models])} '
        f"Pipelines: {', '.join(known)}; models of theirs: {', '.join(models)}."
    )


def _client() -> Any:
    """Ask the project's own store, or the one that the environment names."""
    from uncrappify.addresses import store_file
    from uncrappify.commands.project import find_project
    from uncrappify.tracking.store_file import prepare_store

    find_project()
    from mlflow import MlflowClient

    from uncrappify.settings import tracking_uri

    address = tracking_uri()
    file = store_file(address)
    if file is not None and not file.exists():
        raise UserError("this project has no runs yet. Run a pipeline first: kedro run")
    prepare_store(address, writing=False)
    return MlflowClient(address)


def _find_registered(given: str) -> tuple[Any, str]:
    """Give the store's client, and where the logged model of a name with an alias or a version lies."""
    from mlflow.exceptions import MlflowException

    client = _client()
    name, alias = re.split("[@/]", given.removeprefix(_REGISTERED), maxsplit=1)[:2] if _is_complete(given) else ("", "")
    known = {model.name: model for model in client.search_registered_models()}
    if not name:
        raise UserError(f"{given}: expected models:/<name>@<alias> or models:/<name>/<version>.{_list_names(known)}")
    if name not in known:
        raise UserError(f'there is no registered model "{in_one_line(name)}"{guess(name, known)}{_list_names(known)}')
    try:
        if "@" in given:
            version = client.get_model_version_by_alias(name, alias)
        else:
            version = client.get_model_version(name, alias)
    except MlflowException as error:
        aliases = ", ".join(f"@{alias}" for alias in known[name].aliases) or "none"
        versions = ", ".join(str(one.version) for one in client.search_model_versions(f"name='{name}'")) or "none"
        raise UserError(
            f"{name} has no {'alias' if '@' in given else 'version'} {in_one_line(alias)!r}. Aliases: {aliases}; "
            f"versions: {versions}."
        ) from error
    return client, version.source


def _is_complete(given: str) -> bool:
    return bool(re.fullmatch(r"models:/[^@/]+[@/][^@/]+", given))


def _list_names(known: Any) -> str:
    return f" Registered: {', '.join(sorted(known)) or 'none'}."


def _find_of_run(run_id: str) -> tuple[Any, str]:
    """Give the client, and where a run's logged model lies: its last, or that of its one child run that has one."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    client = _client()
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        runs = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=5)
        shown = ", ".join(f"{one.info.run_id} ({in_one_line(one.info.run_name)})" for one in runs) or "none"
        raise UserError(f"there is no run {run_id} in the project's store. The latest: {shown}.") from error
    children = client.search_runs([run.info.experiment_id], f"tags.{MLFLOW_PARENT_RUN_ID} = '{run_id}'")
    with_models = {one.info.run_name: one for one in (run, *children) if one.outputs and one.outputs.model_outputs}
    if run.info.run_name in with_models:
        with_models = {run.info.run_name: run}
    if len(with_models) != 1:
        shown = ", ".join(f"{one.info.run_id} ({in_one_line(name)})" for name, one in with_models.items())
        raise UserError(
            f"the run {run_id} has no model"
            + (f" of its own; name the run of one of its models: {shown}." if shown else ": it has trained none.")
        )
    (found,) = with_models.values()
    return client, f"models:/{found.outputs.model_outputs[-1].model_id}"


def _fetch(found: tuple[Any, str], what: str, folder: Path) -> Path:
    """Bring the weights file of a logged model here; nothing else of it is read, least of all unpickled."""
    import mlflow

    client, address = found
    # It asks for the store by itself.
    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        local = mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=str(folder))
    except Exception as error:
        raise UserError(f"the files of {what} cannot be had: {in_one_line(error)}.") from error
    files = sorted(Path(local).rglob("*.safetensors"))
    if not files:
        raise UserError(f"{what} has no weights of this project (a file .safetensors), and nothing else is read.")
    return files[0]
