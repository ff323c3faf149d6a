"""The MLflow runs of a pipeline: which one goes on, a child for each of its models, and what each node has read."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock, Timeout
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from pydantic import BaseModel

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.sources.folder import find_pictures

log = logging.getLogger(__name__)

IDENTITY = "uncrappify.identity"
"""Tag of a run: hash of its nodes, of the parameters that they read, and of the user's files."""


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
        self._lock = FileLock(folder / "run.lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout as error:
            raise UserError(
                f"{name}: another kedro run works on this pipeline right now. Wait until it has ended, or run in "
                "another copy of the project."
            ) from error
        self.record = self._read()

    def find_unfinished(self, identity: str) -> str | None:
        """Find the run to go on in: the last one, if it has not ended, and had the same nodes, parameters and pictures.

        Another one is ended. What it has trained is not lost with it: a training is known by its own fingerprint.

        Args:
            identity: As :func:`identify` gives it.
        """
        last = None if self.record.finished or not self.record.run_id else _find_run(self.record.run_id)
        if last is None:
            return None
        run_id: str = last.info.run_id
        if last.data.tags.get(IDENTITY) == identity:
            log.info("going on in run %s", run_id)
            return run_id
        for ended in (*self.record.children.values(), run_id):
            _give_up(ended)
        return None

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
        tags = {MLFLOW_PARENT_RUN_ID: self.run_id, **origin}
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
        try:
            return Record.model_validate_json(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # Of no run, or of one that cannot be known: a new one begins.
            return Record()

    def _write(self, **changes: Any) -> None:
        self.record = self.record.model_copy(update=changes)
        with written_whole(self._file) as path:
            path.write_text(self.record.model_dump_json(indent=2), encoding="utf-8")


def identify(read: Mapping[str, Mapping[str, Any]], folders: Iterable[Path]) -> str:
    """Hash what makes a run the same as another: its nodes, what they read, and the user's files, before any is read.

    Args:
        read: Node to its parameters.
        folders: The user's; their pictures count by name, size and time.
    """
    files = [
        [str(folder / file), *_read_status(folder / file)]
        for folder in folders
        if folder.is_dir()
        for file in find_pictures(folder)
    ]
    return hashlib.sha256(json.dumps([read, files], sort_keys=True).encode()).hexdigest()


def _read_status(path: Path) -> list[int]:
    """Size and time of a file; nothing of a link that leads nowhere, or where the folder cannot be entered."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _find_run(run_id: str) -> Run | None:
    """Ask the store for a run; None where it is deleted or was never there.

    Raises:
        UserError: If the store does not answer; what was computed must not be thrown away for that.
    """
    try:
        run = mlflow.get_run(run_id)
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            return None
        raise UserError(
            f"MLflow does not answer whether the unfinished run {run_id} is there: {error}. Run again when it does."
        ) from error
    return run if run.info.lifecycle_stage == "active" else None


def _give_up(run_id: str) -> None:
    run = _find_run(run_id)
    if run is not None and run.info.status in ("RUNNING", "KILLED"):
        client = mlflow.MlflowClient()
        client.set_tag(run_id, "ended_because", "a later run had other parameters or data")
        client.set_terminated(run_id, "KILLED")
        log.info("the unfinished run %s had other parameters or data and is ended", run_id)
