"""A run of the project's own store and its copy on an MLflow server, which gets what it does not have yet.

The store is the truth, and the server follows: what it has acknowledged is noted in a file, so that whatever is sent
again after an outage, a kill or a day is what is missing, and arrives in the same run.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from pydantic import TypeAdapter, ValidationError
from requests import RequestException

from uncrappify.addresses import local_path, without_password
from uncrappify.tracking.artifacts import Refused, find_missing, open_folder
from uncrappify.tracking.connection import ServerFault, guard, within
from uncrappify.tracking.sent import Identifier, Sent, Signature, incomplete, read_note, write_note
from uncrappify.tracking.server import in_short
from uncrappify.tracking.store import POINTS_A_BATCH, Point

log = logging.getLogger(__name__)

LOCAL_RUN, LOCAL_MODEL = "uncrappify.local_run_id", "uncrappify.local_model_id"
"""Tags on a server: the run's or model's id in the store of the project that it comes from."""

UPLOADS = 8
"""Files that are on their way at once."""

HISTORY_SECONDS = 60.0
"""To ask for the points of a run that a server has already: pages that have no end are not read for ever."""


class Deleted(Exception):  # noqa: N818 - somebody's wish, not an error of the program
    """Somebody has deleted the run on the server."""


class BeingSent(Exception):  # noqa: N818 - a finding, not an error of the program
    """Another process sends the run right now."""


class NotYet(Exception):  # noqa: N818 - a finding, not an error of the program
    """The server does not have the run's parent yet, which goes first."""


class RunCopy:
    """A run and its copy on a server.

    Args:
        run_id: In the store.
        store: Address of the store.
        server: Address of the server.
        file: Where :class:`Sent` is kept; what another server has got does not count.
    """

    def __init__(self, run_id: str, store: str, server: str, file: Path) -> None:
        self.run_id = run_id
        guard()
        self._server, self._file = server, file
        # One for all threads: who begins to send hands the right to do so on to the calls that do it.
        self._lock = FileLock(file.with_suffix(".lock"), thread_local=False)
        self.sent = Sent(server=without_password(server))
        self._read()
        self._here, self._there = MlflowClient(store), MlflowClient(server)
        self._forget()

    def _forget(self) -> None:
        """Take the server for one that has got nothing from this process."""
        # The run as it was in the store when all of it had been sent.
        self._last: Run | None = None
        self._points: set[Point] = set()
        self._whole_models: set[str] = set()
        self._refused: dict[tuple[str, Signature], Exception] = {}
        self._folders: dict[str, ArtifactRepository] = {}

    @contextmanager
    def alone(self, *, patient: bool = False) -> Iterator[None]:
        """Let no other process send the run meanwhile.

        Args:
            patient: Wait until another one has sent it.

        Raises:
            BeingSent: Another process sends it, and this one is not patient.
        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock.acquire(blocking=patient):
                self._read()
                yield
        except Timeout as error:
            raise BeingSent("another process sends it right now") from error

    def begin(self) -> None:
        """Note that there is something to send, before the first attempt: it must be found if there never is one."""
        if self.sent.complete or read_note(self._file) != self.sent:
            self._note(complete=False)

    def send(self) -> None:
        """Send what the server does not have yet, and the run's end once it has ended in the store.

        Raises:
            BeingSent: Another process does it.
            Deleted: Somebody has deleted it on the server; that is noted.
            NotYet: The server does not have its parent, so that it cannot begin there.
            Refused: The server does not take a file; it has the rest.
            Exception: Whatever MLflow raises; nothing that was not acknowledged is forgotten.
        """
        with self.alone():
            run = self._here.get_run(self.run_id)
            if self._last and self._last.info != run.info:
                # When it ends or goes on all is looked at once more, also files that were refused.
                self._last = None
                self._refused.clear()
            there = self._begun(run)
            self._describe(run, there)
            self._send_points(run, there)
            refused = self._send_files(run.info.artifact_uri, "", there)
            for output in run.outputs.model_outputs if run.outputs else []:
                if output.model_id not in self._whole_models:
                    refused = self._send_model(output, there) or refused
            ended = run.info.status != "RUNNING"
            if self._last is None and ended:
                self._there.set_terminated(there, run.info.status, run.info.end_time)
                self._check_kept(run, there)
            elif self._last is None:
                # One that goes on had ended there.
                self._there.update_run(there, "RUNNING")
            self._last = run
            complete = ended and refused is None
            if complete != self.sent.complete:
                self._note(complete=complete)
            if refused:
                raise Refused(in_short(refused)) from refused

    def _begun(self, run: Run) -> str:
        """Give the run's id on the server, where it is begun if it is not there."""
        if self.sent.run_id and self._last is None and not self._is_known(self.sent.run_id):
            # A new server at an old address.
            self._note(experiment_id=None, run_id=None, files={}, models={})
            self._forget()
        return self.sent.run_id or self._new(run)

    def _is_known(self, there: str) -> bool:
        try:
            found = self._there.get_run(there)
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                raise
            return False
        if found.data.tags.get(LOCAL_RUN) != self.run_id:
            return False
        if found.info.lifecycle_stage == "deleted":
            self._stay_deleted()
        return True

    def _stay_deleted(self) -> None:
        self._note(complete=True)
        raise Deleted("somebody has deleted it there, so it stays here alone")

    def _check_kept(self, run: Run, there: str) -> None:
        """Read back what the server has acknowledged, for nothing to be said to be there that is not."""
        kept = self._there.get_run(there)
        if (
            kept.info.status != run.info.status
            or not run.data.params.keys() <= kept.data.params.keys()
            or not run.data.metrics.keys() <= kept.data.metrics.keys()
            or _count_inputs(kept) < _count_inputs(run)
            or len(kept.outputs.model_outputs if kept.outputs else []) < len(self._whole_models)
        ):
            self._forget()
            raise ServerFault("it does not keep what it says to have taken")

    def _new(self, run: Run) -> str:
        experiment = self._experiment(run.info.experiment_id)
        # An answer that was lost on the way must not leave a second run behind.
        there = self._find(experiment, self.run_id)
        if there is None and self._find(experiment, self.run_id, ViewType.DELETED_ONLY):
            self._stay_deleted()
        if there is None:
            tags = {**run.data.tags, LOCAL_RUN: self.run_id}
            if parent := tags.pop(MLFLOW_PARENT_RUN_ID, None):
                if parent_there := self._find(experiment, parent):
                    tags[MLFLOW_PARENT_RUN_ID] = parent_there
                elif not self._find(experiment, parent, ViewType.DELETED_ONLY):
                    raise NotYet("the run that it is a part of is not there yet")
            made = self._there.create_run(experiment, run.info.start_time, tags, run.info.run_name)
            there = _identifier(made.info.run_id)
        self._note(experiment_id=experiment, run_id=there)
        return there

    def _find(self, experiment: str, run_id: str, view: int = ViewType.ACTIVE_ONLY) -> str | None:
        """Give the id on the server of a run of the store."""
        found = self._there.search_runs([experiment], f"tags.`{LOCAL_RUN}` = '{run_id}'", view, max_results=1)
        return next((_identifier(one.info.run_id) for one in found if one.data.tags.get(LOCAL_RUN) == run_id), None)

    def _experiment(self, number: str) -> str:
        experiment = self._here.get_experiment(number)
        found = self._there.get_experiment_by_name(experiment.name)
        if found is None:
            try:
                return _identifier(self._there.create_experiment(experiment.name, tags=dict(experiment.tags)))
            except MlflowException as error:
                if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                    raise
                # Another worker was quicker.
                found = self._there.get_experiment_by_name(experiment.name)
        if found is None or found.name != experiment.name:
            raise ServerFault("it has, and does not have, the experiment")
        return _identifier(found.experiment_id)

    def _describe(self, run: Run, there: str) -> None:
        """Send parameters, tags and inputs: all of them, where any is new."""
        if self._last and _description(self._last) == _description(run):
            return
        # The run has begun with its parent's id on the server, which the store does not know.
        tags = [RunTag(*entry) for entry in run.data.tags.items() if entry[0] != MLFLOW_PARENT_RUN_ID]
        self._there.log_batch(there, params=[Param(*entry) for entry in run.data.params.items()], tags=tags)
        if run.inputs and run.inputs.dataset_inputs:
            self._there.log_inputs(there, run.inputs.dataset_inputs)

    def _send_points(self, run: Run, there: str) -> None:
        """Send metrics, in the order in which they were measured."""
        # The run knows each metric's latest point; a history is long, and read only where that is another one.
        grown = {name for name, *_ in _latest(run) - (_latest(self._last) if self._last else set())}
        if not self._points:
            # A process before this one has sent a part, or nothing.
            with within(HISTORY_SECONDS):
                known = (self._there.get_metric_history(there, name) for name in grown)
                self._points = {_plain(point) for history in known for point in history}
        here = {_plain(point) for name in grown for point in self._here.get_metric_history(self.run_id, name)}
        missing = sorted(here - self._points, key=_age)
        for start in range(0, len(missing), POINTS_A_BATCH):
            batch = missing[start : start + POINTS_A_BATCH]
            # Sent twice when an acknowledgement is lost: the server keeps one row of the same name, value, time, step.
            self._there.log_batch(there, metrics=[Metric(*point) for point in batch])
            self._points.update(batch)

    def _send_files(self, uri: str, below: str, there: str) -> Exception | None:
        """Send the files of a folder that are not there yet; what is refused does not hold up the others.

        Args:
            uri: Of the folder.
            below: Before each name in what is noted.
            there: Id on the server of the run, or of the logged model, that gets them.

        Returns:
            Why the first of those that were refused was; while the run goes on, a file is refused once.
        """
        root, refused = local_path(uri), None
        waiting: list[tuple[Path, str, Signature]] = []
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            stat = path.stat()
            signature, noted = (stat.st_size, stat.st_mtime_ns), f"{below}{path.relative_to(root).as_posix()}"
            if (noted, signature) in self._refused:
                refused = refused or self._refused[noted, signature]
            elif self.sent.files.get(noted) != signature:
                waiting.append((path, noted, signature))
        if not waiting:
            return refused
        try:
            folder = self._folder(there, model=bool(below))
        except Refused as error:
            self._refused |= {(noted, signature): error for _, noted, signature in waiting}
            return error
        arrived: dict[str, tuple[str, Signature]] = {}
        for (path, noted, signature), failure in _upload(folder, root, waiting):
            if failure is None:
                self._note(files={**self.sent.files, noted: signature})
                arrived[path.relative_to(root).as_posix()] = noted, signature
                continue
            if refused is None:
                # Who closes the connection on a large file may only refuse it.
                self._check_that_it_answers()
                refused = failure
            self._refused[noted, signature] = failure
        for name in find_missing(folder, {name: signature[0] for name, (_, signature) in arrived.items()}):
            refused = refused or ServerFault(f"it does not keep {name}")
            self._refused[arrived[name]] = refused
            self._note(files={noted: sent for noted, sent in self.sent.files.items() if noted != arrived[name][0]})
        return refused

    def _folder(self, there: str, *, model: bool) -> ArtifactRepository:
        """Open the folder on the server for the files of a run or logged model."""
        if there not in self._folders:
            # Not through MLflow's client, which has one list of folders for all stores, by what ids servers choose.
            uri = (
                self._there.get_logged_model(there).artifact_location
                if model
                else self._there.get_run(there).info.artifact_uri
            )
            self._folders[there] = open_folder(uri, self._server)
        return self._folders[there]

    def _check_that_it_answers(self) -> None:
        """Ask for the run, past the connections that the server closed when it refused the files on them."""
        for _ in range(UPLOADS):
            try:
                self._there.get_run(str(self.sent.run_id))
                return
            except MlflowException as error:
                if "Connection aborted" not in str(error):
                    raise
        self._there.get_run(str(self.sent.run_id))

    def _send_model(self, output: LoggedModelOutput, there: str) -> Exception | None:
        model = self._here.get_logged_model(output.model_id)
        if model.status != LoggedModelStatus.READY:
            return None
        copy = self.sent.models.get(model.model_id) or self._new_model(model, there)
        refused = self._send_files(model.artifact_location, f"models/{model.model_id}/", copy)
        if refused:
            return refused
        if self._there.get_logged_model(copy).status != LoggedModelStatus.READY:
            self._there.finalize_logged_model(copy, LoggedModelStatus.READY)
        known = self._there.get_run(there).outputs
        if copy not in [one.model_id for one in (known.model_outputs if known else [])]:
            self._there.log_outputs(there, [LoggedModelOutput(copy, output.step)])
        self._whole_models.add(model.model_id)
        return None

    def _new_model(self, model: Any, there: str) -> str:
        experiment = str(self.sent.experiment_id)
        mine = f"tags.`{LOCAL_MODEL}` = '{model.model_id}'"
        found = self._there.search_logged_models([experiment], mine, max_results=1)
        tags = {**model.tags, LOCAL_MODEL: model.model_id}
        made = next((one for one in found if one.tags.get(LOCAL_MODEL) == model.model_id), None)
        if made is None:
            made = self._there.create_logged_model(experiment, model.name, there, tags, model.params, model.model_type)
        self._note(models={**self.sent.models, model.model_id: _identifier(made.model_id)})
        return str(made.model_id)

    def _read(self) -> None:
        """Take what this or another process has noted; what another server has got does not count."""
        noted = read_note(self._file)
        if noted and noted.server == self.sent.server:
            self.sent = noted

    def _note(self, **changes: Any) -> None:
        self.sent = self.sent.model_copy(update=changes)
        write_note(self._file, self.sent)


def unsent(folder: Path, store: str, server: str, *, adopt: bool = False) -> list[RunCopy]:
    """Find the runs that the server has not taken wholly: parents before children, and of each the oldest first.

    Args:
        folder: With the files of :class:`Sent`, each named after its run.
        store: Address of the store.
        server: Address of the server; what was meant for another one is left alone, and what a broken note was meant
            for is not known any more: it is sent.
        adopt: Take those too that were meant for another server and have not begun there.

    Returns:
        Their copies.
    """
    client, order = MlflowClient(store), {}
    for file, noted in incomplete(folder):
        if noted.server not in ("", without_password(server)) and (noted.run_id or not adopt):
            continue
        try:
            run = client.get_run(file.stem)
        except MlflowException:
            log.info("run %s is no longer in the store, so that nothing of it can be sent", file.stem)
        else:
            order[file] = MLFLOW_PARENT_RUN_ID in run.data.tags, run.info.start_time
    return [RunCopy(file.stem, store, server, file) for file in sorted(order, key=lambda file: order[file])]


def begun_elsewhere(folder: Path, server: str) -> Counter[str]:
    """Count the runs that another server has taken in part, by its address."""
    others = [noted.server for _, noted in incomplete(folder) if noted.run_id]
    return Counter(other for other in others if other != without_password(server))


def _upload(
    folder: ArtifactRepository, root: Path, waiting: list[tuple[Path, str, Signature]]
) -> Iterator[tuple[tuple[Path, str, Signature], Exception | None]]:
    """Send files, several at once; of each, in their order, say why it is refused, if it is."""

    def attempt(entry: tuple[Path, str, Signature]) -> Exception | None:
        parent = entry[0].relative_to(root).parent
        try:
            folder.log_artifact(str(entry[0]), None if parent == Path() else parent.as_posix())  # type: ignore[no-untyped-call]
        except (MlflowException, RequestException) as error:
            return error
        return None

    # Each waits for an answer. Where nobody answers, the others are not tried, and those that are on their way hold up
    # nobody, not even the end of the process.
    with ThreadPool(UPLOADS) as pool:
        yield from zip(waiting, pool.imap(attempt, waiting), strict=True)


def _identifier(given: object) -> str:
    """Check an id that a server gives: it becomes a part of addresses.

    Raises:
        ServerFault: If it is none.
    """
    try:
        return TypeAdapter[str](Identifier).validate_python(given)
    except ValidationError as error:
        raise ServerFault("it gives no id to what it says to have made") from error


def _age(point: Point) -> tuple[int, int]:
    return point[2], point[3]


def _description(run: Run) -> tuple[dict[str, str], dict[str, str], int]:
    return run.data.params, run.data.tags, _count_inputs(run)


def _count_inputs(run: Run) -> int:
    return len(run.inputs.dataset_inputs) if run.inputs else 0


def _latest(run: Run) -> set[Point]:
    # The public `run.data.metrics` has values without steps, and one that stays the same is a new point too.
    return {_plain(point) for point in run.data.to_proto().metrics}


def _plain(metric: Metric) -> Point:
    return metric.key, metric.value, metric.timestamp, metric.step
