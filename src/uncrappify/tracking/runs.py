"""The MLflow runs of a pipeline: which one goes on, a child for each of its models, and what each node has read."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock, Timeout
from kedro.utils import find_kedro_project
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from pydantic import BaseModel

from uncrappify.addresses import without_password
from uncrappify.errors import UserError
from uncrappify.sources.folder import find_own_files
from uncrappify.state import recover_state, write_state

log = logging.getLogger(__name__)

IDENTITY = "uncrappify.identity"
"""Tag of a run: hash of its nodes, of the parameters that they read, and of the user's files."""

PLACE = "uncrappify.place"
"""Tag of a run: a hash of machine and project, and the pipeline's folder below the project's; its lock says whether the
run's process is there."""


class Record(BaseModel):
    """What is noted of a pipeline, beside its models.

    Attributes:
        run_id: Its last run in MLflow.
        finished: Whether that has come to its end.
        children: Name of a model to its run.
        read: Name of a node to the parameters that it read when it last ran to its end.
    """

    run_id: str | None = None
    finished: bool = True
    children: dict[str, str] = {}
    read: dict[str, dict[str, Any]] = {}


class PipelineRuns:
    """The runs of a pipeline, which belongs to this process until it is released.

    Args:
        name: Of the pipeline.
        folder: The pipeline's folder of models, which is not for two processes.

    Attributes:
        run_id: Of the pipeline's run, once it has begun.

    Raises:
        UserError: If another process runs the pipeline.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.run_id = ""
        self._begun: set[str] = set()
        # Runs that were going on in the store when their process had gone; this pipeline's, with those of its models.
        self._left: list[Run] = []
        root = find_kedro_project(Path(os.path.abspath(folder))) or folder.parent  # noqa: PTH100 - links stay links
        self._root = Path(root)
        self._project = hashlib.sha256(f"{platform.node()}:{root}".encode(errors="surrogateescape")).hexdigest()[:12]
        self.place = f"{self._project}:{Path(os.path.relpath(folder, root)).as_posix()}"
        self._lock = FileLock(folder / "run.lock")
        try:
            # Another pipeline's run holds it for a moment, to see that nobody works on this one.
            self._lock.acquire(timeout=1)
        except Timeout as error:
            raise UserError(
                f"{name}: another kedro run works on this pipeline right now. Wait until it has ended, or run in "
                "another copy of the project."
            ) from error
        self.record = self._read()

    def find_dead(self) -> None:
        """Find the project's runs that seem to go on, and whose process was killed.

        Those of other pipelines are ended as KILLED, which is no obstacle to going on in them.
        """
        client = mlflow.MlflowClient()
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        going_on = f"attributes.status = 'RUNNING' and tags.`{PLACE}` LIKE '{self._project}:%'"
        for run in client.search_runs(experiments, going_on):
            place = run.data.tags[PLACE]
            if place == self.place:
                self._left.append(run)
            else:
                with suppress(Timeout):
                    self._end_if_free(place, run.info.run_id)

    def end_dead(self) -> None:
        """End those of this pipeline too, where nothing goes on in them."""
        noted = [] if self.record.finished else [self.record.run_id, *self.record.children.values()]
        for run_id in dict.fromkeys(filter(None, (*noted, *(run.info.run_id for run in self._left)))):
            if (run := _find_run(run_id)) and run.info.status == "RUNNING":
                mlflow.MlflowClient().set_terminated(run_id, "KILLED")

    def find_unfinished(self, identity: str, experiment_id: str | None = None) -> str | None:
        """Find the run to go on in: the last one, if it has not ended, and had the same nodes, parameters and pictures.

        Another one is ended. What it has trained is not lost with it: a training is known by its own fingerprint. A
        run that was killed before it was noted, or whose note is broken, is known by its tags.

        Args:
            identity: As :func:`identify` gives it.
            experiment_id: Where the run has to be; default: anywhere.
        """
        noted = None if self.record.finished or not self.record.run_id else _find_run(self.record.run_id)
        left = [run for run in self._left if MLFLOW_PARENT_RUN_ID not in run.data.tags]
        for run in filter(None, (noted, *left)):
            elsewhere = experiment_id is not None and run.info.experiment_id != experiment_id
            if run.data.tags.get(IDENTITY) == identity and not elsewhere:
                log.info("going on in run %s", run.info.run_id)
                self.take(run.info.run_id)
                return str(run.info.run_id)
        self._give_up_all_but(None)
        return None

    def take(self, run_id: str) -> None:
        """Go on in a run, and give up the others that have not ended."""
        self._give_up_all_but(run_id)
        known = self.record.children if run_id == self.record.run_id and not self.record.finished else {}
        found = {
            run.info.run_name: run.info.run_id
            for run in self._left
            if run.data.tags.get(MLFLOW_PARENT_RUN_ID) == run_id
        }
        self.record = self.record.model_copy(update={"run_id": run_id, "children": found | known})

    def create(self, experiment_id: str, identity: str) -> str:
        """Make a run, which is known by its tags from its first moment on.

        Returns:
            Its id.
        """
        tags = resolve_tags({IDENTITY: identity, PLACE: self.place})
        made = mlflow.MlflowClient().create_run(experiment_id, tags=tags, run_name=self.name)
        return str(made.info.run_id)

    def begin(self, run_id: str) -> None:
        """Note the pipeline's run; the children of another one are not its own."""
        children = self.record.children if run_id == self.record.run_id else {}
        self.run_id = run_id
        self._write(run_id=run_id, finished=False, children=children)

    def find_child(self, model: str) -> str:
        """Give the run of a model below the pipeline's; it is made where there is none yet."""
        known = self.record.children.get(model)
        if known and (known in self._begun or _find_run(known)):
            self._begun.add(known)
            return known
        parent = mlflow.get_run(self.run_id)
        # One command has made them all.
        origin = {name: value for name, value in parent.data.tags.items() if name.startswith("mlflow.source.")}
        tags = {MLFLOW_PARENT_RUN_ID: self.run_id, PLACE: self.place, **origin}
        child = mlflow.MlflowClient().create_run(parent.info.experiment_id, run_name=model, tags=tags)
        self._begun.add(child.info.run_id)
        self._write(children={**self.record.children, model: child.info.run_id})
        return str(child.info.run_id)

    def find_run_of(self, namespace: str) -> str:
        """Give the run that a dataset's or node's namespace belongs to."""
        model = namespace.removeprefix(self.name).lstrip(".")
        return self.find_child(model) if model else self.run_id

    def begin_node(self, node: str, after: Iterable[str]) -> None:
        """Forget what a node and those after it have read: their results are of nobody knows what until they have run.

        Args:
            node: That is about to run.
            after: Those that take its results, also by way of others.
        """
        forgotten = {node, *after}
        if forgotten & set(self.record.read):
            self._write(read={name: read for name, read in self.record.read.items() if name not in forgotten})

    def finish_node(self, node: str, read: Mapping[str, Any]) -> None:
        """Note the parameters that a node has read, now that its results are written."""
        self._write(read={**self.record.read, node: dict(read)})

    def end_children(self, status: str) -> None:
        """End the runs of models that this process has logged to, and that go on."""
        client = mlflow.MlflowClient()
        for run_id in self._begun:
            if client.get_run(run_id).info.status == "RUNNING":
                client.set_terminated(run_id, status)

    def finish(self) -> None:
        """Note that nothing is left to go on with."""
        self._write(finished=True)

    def release(self) -> None:
        """Let other processes run the pipeline."""
        self._lock.release()

    @property
    def _file(self) -> Path:
        return self.folder / "run.json"

    def _read(self) -> Record:
        return recover_state(self._file, Record, Record, "an unfinished run is looked for in MLflow's store")

    def _write(self, **changes: Any) -> None:
        self.record = self.record.model_copy(update=changes)
        write_state(self._file, self.record)

    def _give_up_all_but(self, kept: str | None) -> None:
        """End what has not ended of this pipeline, but for a run with its children."""
        unfinished = {run.info.run_id: run.data.tags.get(MLFLOW_PARENT_RUN_ID) for run in self._left}
        if self.record.run_id and not self.record.finished:
            unfinished |= dict.fromkeys(self.record.children.values(), self.record.run_id) | {self.record.run_id: None}
        for run_id, parent in unfinished.items():
            if kept is None or kept not in (run_id, parent):
                _give_up(run_id)

    def _end_if_free(self, place: str, run_id: str) -> None:
        """End a run if no process works on the pipeline of its place, and none begins to meanwhile."""
        folder = self._root / place.partition(":")[2]
        lock = FileLock(folder / "run.lock").acquire(blocking=False) if folder.is_dir() else nullcontext()
        with lock:
            run = _find_run(run_id)
            if run and run.info.status == "RUNNING":
                mlflow.MlflowClient().set_terminated(run_id, "KILLED")


def identify(read: Mapping[str, Mapping[str, Any]], folders: Iterable[Path]) -> str:
    """Hash what makes a run the same as another: its nodes, what they read, and the user's files, before any is read.

    Args:
        read: Node to its parameters.
        folders: The user's; their pictures and texts count by name, size and time.
    """
    files = [
        [str(folder / file), *_read_status(folder / file)]
        for folder in folders
        if folder.is_dir()
        for file in find_own_files(folder)
    ]
    return hashlib.sha256(json.dumps([read, files], sort_keys=True).encode()).hexdigest()


def _read_status(path: Path) -> list[int]:
    """Size and time of a file; nothing of a link that leads nowhere, or where the folder cannot be entered."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def find_given(run_id: str, parameters: Mapping[str, str]) -> Run:
    """Find the run that MLFLOW_RUN_ID names.

    Args:
        run_id: Its id.
        parameters: What will be logged of it.

    Raises:
        UserError: There is none, or it has other parameters, which MLflow never changes.
    """
    run = _find_run(run_id)
    if run is None:
        raise UserError(
            f"MLFLOW_RUN_ID: there is no run {run_id} in {without_password(mlflow.get_tracking_uri())}. Give the id of "
            "one that is there, or unset it, and a new run begins."
        )
    for name, value in parameters.items():
        if (before := run.data.params.get(name, value)) != value:
            raise UserError(
                f"MLFLOW_RUN_ID: the run {run_id} has {name}={before}, and a run's parameters never change. Run with "
                "the same, or unset MLFLOW_RUN_ID, and a new run begins."
            )
    return run


def _find_run(run_id: str) -> Run | None:
    """Ask the store for a run; None where it is deleted or was never there.

    Raises:
        UserError: If the store does not answer; what was computed must not be thrown away for that.
    """
    try:
        run = mlflow.get_run(run_id)
    except MlflowException as error:
        # What is no id at all is that of no run.
        if error.error_code in map(ErrorCode.Name, (RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE)):
            return None
        raise UserError(
            f"MLflow does not answer whether the unfinished run {run_id} is there: {error}. Run again when it does."
        ) from error
    return run if run.info.lifecycle_stage == "active" else None


def _give_up(run_id: str) -> None:
    run = _find_run(run_id)
    if run is not None and run.info.status in ("RUNNING", "KILLED"):
        client = mlflow.MlflowClient()
        client.set_tag(run_id, "ended_because", "a later run had other parameters, data or experiment")
        client.set_terminated(run_id, "KILLED")
        log.info("the unfinished run %s had other parameters, data or experiment, and is ended", run_id)
