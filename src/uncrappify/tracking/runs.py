"""Which MLflow run a training goes on in, and that no two processes run the same pipeline at once."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock, Timeout
from kedro.io import DataCatalog
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

from uncrappify.errors import UserError

log = logging.getLogger(__name__)


class Trainings:
    """The trainings of one command, whose pipelines belong to this process until it releases them.

    Args:
        catalog: Has each pipeline's ``training_state`` and ``checkpoints``.
        running: Names of the pipelines of which anything runs; their folders are not for two.
        names: Of those that train.
        fingerprint: Of all parameters and pictures.

    Raises:
        UserError: If another process runs one of the pipelines.
    """

    def __init__(self, catalog: DataCatalog, running: Iterable[str], names: Iterable[str], fingerprint: str) -> None:
        self._catalog = catalog
        self._names = list(names)
        self._fingerprint = fingerprint
        self._locks: list[FileLock] = []
        for name in running:
            lock = FileLock(self._checkpoints(name).with_name("run.lock"))
            try:
                lock.acquire(blocking=False)
            except Timeout as error:
                self.release()
                raise UserError(
                    f"{name}: another kedro run works on this pipeline right now. Wait until it has ended, or run in "
                    "another copy of the project."
                ) from error
            self._locks.append(lock)

    def unfinished_run(self) -> str | None:
        """Find the run to go on in.

        A training with another fingerprint is ended, and what it computed is removed. One whose run is no longer in
        the store goes on too, in a new run.
        """
        going_on: str | None = None
        for name in self._names:
            noted = self._noted(name)
            if not noted["finished"] and noted["fingerprint"] == self._fingerprint:
                if _exists(noted["run_id"]):
                    going_on = noted["run_id"]
                    log.info("going on in run %s", going_on)
                continue
            if not noted["finished"]:
                _give_up(noted["run_id"])
            shutil.rmtree(self._checkpoints(name), ignore_errors=True)
        return going_on

    def begin(self, run_id: str) -> None:
        """Note the run that the trainings belong to."""
        for name in self._names:
            self._note(name, run_id, finished=False)

    def finish(self, run_id: str) -> None:
        """Note that nothing is left to go on with."""
        for name in self._names:
            self._note(name, run_id, finished=True)

    def release(self) -> None:
        """Let other processes run the pipelines."""
        for lock in self._locks:
            lock.release()
        self._locks.clear()

    def _checkpoints(self, name: str) -> Path:
        folder: Path = self._catalog.load(f"{name}.checkpoints")
        return folder

    def _noted(self, name: str) -> dict[str, Any]:
        state = f"{name}.training_state"
        noted: dict[str, Any] = self._catalog.load(state) if self._catalog.exists(state) else {"finished": True}
        return noted

    def _note(self, name: str, run_id: str, *, finished: bool) -> None:
        state = {"run_id": run_id, "fingerprint": self._fingerprint, "finished": finished}
        self._catalog.save(f"{name}.training_state", state)


def _exists(run_id: str) -> bool:
    """Ask the store for a run.

    Raises:
        UserError: If the store does not answer; what was computed must not be thrown away for that.
    """
    try:
        return bool(mlflow.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            return False
        raise UserError(
            f"MLflow does not answer whether the unfinished run {run_id} is there: {error}. Run again when it does."
        ) from error


def _give_up(run_id: str) -> None:
    if _exists(run_id) and mlflow.get_run(run_id).info.status in ("RUNNING", "KILLED"):
        client = mlflow.MlflowClient()
        client.set_tag(run_id, "ended_because", "a later run had other parameters or data")
        client.set_terminated(run_id, "KILLED")
        log.info("the unfinished run %s had other parameters or data and is ended", run_id)
