"""A run in the project's store and its copy on a server, which is a second store here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from requests import HTTPError

from uncrappify.tracking.artifacts import Refused, open_folder
from uncrappify.tracking.run_copy import BeingSent, Deleted, NotYet, RunCopy, begun_elsewhere, unsent
from uncrappify.tracking.sent import Sent
from uncrappify.tracking.store import POINTS_A_BATCH, Point, log_points


@pytest.fixture
def run(experiment: str) -> Run:
    """A run that has ended, with parameters, metrics and files."""
    with mlflow.start_run(experiment_id=experiment, run_name="superres") as started:
        mlflow.log_params({"seed": 42})
        mlflow.set_tag("env", "local")
        for step in range(5):
            mlflow.log_metric("train_loss", 1 / (1 + step), step=step)
        mlflow.log_text("a: 1", "parameters.yml")
        mlflow.log_text("a picture", "figures/sheet.txt")
    return mlflow.get_run(started.info.run_id)


@pytest.fixture
def child(run: Run, sqlite_store: str) -> Run:
    """A run that is a part of the other one, and has begun at the same time."""
    client = MlflowClient(sqlite_store)
    tags = {"mlflow.parentRunId": run.info.run_id, "seed": "1"}
    begun = client.create_run(run.info.experiment_id, run.info.start_time, tags)
    client.set_terminated(begun.info.run_id)
    return client.get_run(begun.info.run_id)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch, server: str) -> list[list[int]]:
    """The steps of the metrics in each batch that the server gets."""
    sent: list[list[int]] = []
    log_batch = MlflowClient.log_batch

    def note(self, run_id: str, metrics=(), **named: object) -> None:
        log_batch(self, run_id, metrics, **named)
        if self.tracking_uri == server and metrics:
            sent.append([metric.step for metric in metrics])

    monkeypatch.setattr(MlflowClient, "log_batch", note)
    return sent


def loss(*steps: int) -> list[Point]:
    """What a training measures in these steps, whenever it logs it."""
    return [("train_loss", 1 / step, 1_800_000_000_000 + step, step) for step in steps]


def noted(copy: RunCopy, tmp_path: Path) -> Sent:
    return Sent.model_validate_json((tmp_path / "sent" / f"{copy.run_id}.json").read_text())


def only_run(server: str) -> Run:
    client = MlflowClient(server)
    (found,) = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return found


def losses(server: str, run_id: str) -> list[Point]:
    history = MlflowClient(server).get_metric_history(run_id, "train_loss")
    return [(point.key, point.value, point.timestamp, point.step) for point in history]


def file_names(server: str, run_id: str) -> set[str]:
    client = MlflowClient(server)
    return {entry.path for folder in (None, "figures") for entry in client.list_artifacts(run_id, folder)}


def test_a_run_arrives_as_it_is(run, make_copy, server, sqlite_store, tmp_path) -> None:
    copy = make_copy(run)
    copy.send()
    there = only_run(server)
    assert there.data.params == {"seed": "42"}
    assert there.data.tags.items() >= {"env": "local", "uncrappify.local_run_id": run.info.run_id}.items()
    assert (there.info.status, there.info.start_time, there.info.end_time) == (
        "FINISHED",
        run.info.start_time,
        run.info.end_time,
    )
    assert losses(server, there.info.run_id) == losses(sqlite_store, run.info.run_id)
    assert file_names(server, there.info.run_id) == {"parameters.yml", "figures", "figures/sheet.txt"}
    assert noted(copy, tmp_path).complete


def test_what_another_process_sends_again_is_there_once(run, make_copy, server, sqlite_store, tmp_path) -> None:
    make_copy(run).send()
    # Its note was lost with its disk, as an answer is with its network.
    shutil.rmtree(tmp_path / "sent")
    make_copy(run).send()
    assert losses(server, only_run(server).info.run_id) == losses(sqlite_store, run.info.run_id)


def test_a_run_that_goes_on_after_its_end_goes_on_there(run, make_copy, server, sqlite_store) -> None:
    MlflowClient(sqlite_store).set_terminated(run.info.run_id, "KILLED")
    make_copy(run).send()
    assert only_run(server).info.status == "KILLED"
    with mlflow.start_run(run_id=run.info.run_id):
        going_on = make_copy(run)
        going_on.send()
        assert only_run(server).info.status == "RUNNING"
        log_points(loss(5, 6))
        going_on.send()
    going_on.send()
    there = only_run(server)
    assert there.info.status == "FINISHED"
    assert [step for *_, step in losses(server, there.info.run_id)] == list(range(7))


def test_more_metrics_than_fit_into_a_batch_arrive_in_order(run, make_copy, batches) -> None:
    copy = make_copy(run)
    copy.send()
    steps = range(10, 10 + 2 * POINTS_A_BATCH + 1)
    log_points(loss(*reversed(steps)), run.info.run_id)
    copy.send()
    assert [len(batch) for batch in batches] == [5, POINTS_A_BATCH, POINTS_A_BATCH, 1]
    assert [step for batch in batches for step in batch] == [*range(5), *steps]


def test_points_that_a_resumed_training_logs_again_are_sent_once(run, make_copy, server, batches) -> None:
    log_points(loss(5, 6, 7), run.info.run_id)
    make_copy(run).send()
    # Another process goes on from step 6, and logs its history from the beginning.
    going_on = make_copy(run)
    log_points(loss(5, 6), run.info.run_id)
    going_on.send()
    log_points(loss(7, 8), run.info.run_id)
    going_on.send()
    assert batches == [[*range(8)], [8]]
    assert [step for *_, step in losses(server, only_run(server).info.run_id)] == [*range(9)]


def test_only_metrics_that_have_grown_are_read(run, make_copy, server, monkeypatch) -> None:
    copy = make_copy(run)
    log_points([("lr", 0.001, 1, 0)], run.info.run_id)
    copy.send()
    read: list[str] = []
    history = MlflowClient.get_metric_history
    monkeypatch.setattr(
        MlflowClient, "get_metric_history", lambda self, run_id, key: read.append(key) or history(self, run_id, key)
    )
    copy.send()
    # The same value in another step.
    log_points([("lr", 0.001, 2, 1)], run.info.run_id)
    copy.send()
    assert read == ["lr"]


def test_a_metric_that_was_logged_out_of_turn_is_there_in_the_end(experiment, make_copy, server) -> None:
    with mlflow.start_run(experiment_id=experiment) as started:
        copy = make_copy(started)
        log_points(loss(1, 3))
        copy.send()
        log_points(loss(2))
    copy.send()
    assert [step for *_, step in losses(server, copy.sent.run_id)] == [1, 2, 3]


def test_a_child_names_its_parent_by_the_parents_id_there(run, child, make_copy, server) -> None:
    parent = make_copy(run)
    parent.send()
    make_copy(child).send()
    # Another process describes it again, and so does one to which a tag is new.
    again = make_copy(child)
    again.send()
    mlflow.MlflowClient().set_tag(child.info.run_id, "seed", "2")
    again.send()
    tags = MlflowClient(server).get_run(again.sent.run_id).data.tags
    assert tags["seed"] == "2"
    assert tags["mlflow.parentRunId"] == parent.sent.run_id != run.info.run_id


def test_a_child_waits_for_its_parent(run, child, make_copy, server, tmp_path) -> None:
    parent, part = make_copy(run), make_copy(child)
    part.begin()
    with pytest.raises(NotYet, match="not there yet"):
        part.send()
    assert (noted(part, tmp_path).run_id, noted(part, tmp_path).complete) == (None, False)
    parent.send()
    part.send()
    assert MlflowClient(server).get_run(part.sent.run_id).data.tags["mlflow.parentRunId"] == parent.sent.run_id
    assert noted(part, tmp_path).complete


def test_a_child_whose_parent_somebody_has_deleted_is_there_alone(run, child, make_copy, server) -> None:
    parent, part = make_copy(run), make_copy(child)
    parent.send()
    MlflowClient(server).delete_run(parent.sent.run_id)
    part.send()
    assert only_run(server).info.run_id == part.sent.run_id
    assert "mlflow.parentRunId" not in only_run(server).data.tags


def test_a_model_arrives_whole_while_its_run_goes_on(experiment, make_copy, server, sqlite_store, tmp_path) -> None:
    here, there = MlflowClient(sqlite_store), MlflowClient(server)
    with mlflow.start_run(experiment_id=experiment) as started:
        model = here.create_logged_model(experiment, "model", started.info.run_id)
        (tmp_path / "weights").write_text("1 2 3")
        here.log_model_artifact(model.model_id, str(tmp_path / "weights"))
        here.log_outputs(started.info.run_id, [LoggedModelOutput(model.model_id, 0)])
        copy = make_copy(started)
        copy.send()
        assert not there.search_logged_models([copy.sent.experiment_id])
        here.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        copy.send()
        (found,) = there.search_logged_models([copy.sent.experiment_id])
        assert found.status == LoggedModelStatus.READY
        assert [entry.path for entry in there.list_logged_model_artifacts(found.model_id)] == ["weights"]
        assert only_run(server).info.status == "RUNNING"
    copy.send()
    assert [output.model_id for output in only_run(server).outputs.model_outputs] == [found.model_id]


def test_a_file_that_is_refused_is_tried_again_when_the_run_has_ended(
    run, make_copy, server, sqlite_store, monkeypatch
) -> None:
    asked = []

    def refuse(self, path: str, folder: str | None = None) -> None:
        asked.append(Path(path).name)
        raise HTTPError("507 Insufficient Storage")

    copy = make_copy(run)
    monkeypatch.setattr(LocalArtifactRepository, "log_artifact", refuse)
    for status in ("RUNNING", "RUNNING", "FINISHED", "FINISHED"):
        MlflowClient(sqlite_store).update_run(run.info.run_id, status)
        with pytest.raises(Refused, match="507"):
            copy.send()
    assert sorted(asked) == ["parameters.yml"] * 2 + ["sheet.txt"] * 2


def test_a_metric_that_is_not_acknowledged_is_sent_again(run, make_copy, server, monkeypatch) -> None:
    copy = make_copy(run)
    copy.send()
    log_points(loss(5), run.info.run_id)
    log_batch = MlflowClient.log_batch

    def lost_answer(*arguments: object, **named: object) -> None:
        log_batch(*arguments, **named)
        raise MlflowException("Connection aborted.")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", lost_answer)
        with pytest.raises(MlflowException, match="Connection aborted"):
            copy.send()
    copy.send()
    assert [step for *_, step in losses(server, only_run(server).info.run_id)] == list(range(6))


def test_a_file_that_is_refused_holds_up_no_other_and_keeps_the_run_open(
    run, make_copy, server, tmp_path, monkeypatch
) -> None:
    log_artifact = LocalArtifactRepository.log_artifact

    def refuse_figures(self, path: str, folder: str | None = None) -> None:
        if folder == "figures":
            raise HTTPError("507 Insufficient Storage")
        log_artifact(self, path, folder)

    copy = make_copy(run)
    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifactRepository, "log_artifact", refuse_figures)
        with pytest.raises(Refused, match="507"):
            copy.send()
    there = only_run(server)
    assert file_names(server, there.info.run_id) == {"parameters.yml"}
    assert there.info.status == "FINISHED"
    assert not noted(copy, tmp_path).complete
    make_copy(run).send()
    assert file_names(server, there.info.run_id) == {"parameters.yml", "figures", "figures/sheet.txt"}
    assert noted(copy, tmp_path).complete


def test_a_run_that_somebody_has_deleted_stays_deleted(run, make_copy, server, tmp_path) -> None:
    copy = make_copy(run)
    copy.send()
    MlflowClient(server).delete_run(noted(copy, tmp_path).run_id)
    with pytest.raises(Deleted, match="somebody has deleted it there"):
        make_copy(run).send()
    assert noted(copy, tmp_path).complete


def test_a_new_server_at_an_old_address_gets_the_whole_run(run, make_copy, server, empty_store, tmp_path) -> None:
    make_copy(run).send()
    before = noted(make_copy(run), tmp_path)
    changed = before.model_copy(update={"run_id": "0" * 32, "experiment_id": "17", "checksum": None})
    (tmp_path / "sent" / f"{run.info.run_id}.json").write_text(changed.model_dump_json())
    make_copy(run).send()
    assert noted(make_copy(run), tmp_path).run_id == before.run_id


def test_two_processes_do_not_send_a_run_at_once(run, make_copy, tmp_path) -> None:
    (tmp_path / "sent").mkdir()
    with FileLock(tmp_path / "sent" / f"{run.info.run_id}.lock"), pytest.raises(BeingSent, match="another process"):
        make_copy(run).send()
    make_copy(run).send()
    assert noted(make_copy(run), tmp_path).complete


def test_unsent_are_the_runs_that_this_server_has_not_taken_the_oldest_first(
    run, make_copy, sqlite_store, server, tmp_path, experiment
) -> None:
    newer = mlflow.get_run(mlflow.start_run(experiment_id=experiment).info.run_id)
    mlflow.end_run()
    complete = mlflow.get_run(mlflow.start_run(experiment_id=experiment).info.run_id)
    mlflow.end_run()
    make_copy(newer).begin()
    make_copy(run).begin()
    make_copy(complete).send()
    folder = tmp_path / "sent"
    meant_for_another = Sent(server="http://other.example.org", experiment_id="1", run_id="0" * 32)
    (folder / "0123.json").write_text(meant_for_another.model_dump_json())
    (folder / "no longer in the store.json").write_text(Sent(server=server).model_dump_json())
    (folder / "half.json").write_text("{")
    assert begun_elsewhere(folder, server) == {"http://other.example.org": 1}
    RunCopy(newer.info.run_id, sqlite_store, "http://wrong.example.org", folder / f"{newer.info.run_id}.json").begin()
    assert [copy.run_id for copy in unsent(folder, sqlite_store, server)] == [run.info.run_id]
    adopted = unsent(folder, sqlite_store, server, adopt=True)
    assert [copy.run_id for copy in adopted] == [run.info.run_id, newer.info.run_id]


def test_a_parent_is_sent_before_children_that_have_begun_at_the_same_time(
    run, child, make_copy, sqlite_store, server, tmp_path
) -> None:
    for one in (child, run):
        make_copy(one).begin()
    assert [copy.run_id for copy in unsent(tmp_path / "sent", sqlite_store, server)] == [
        run.info.run_id,
        child.info.run_id,
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda note: note[: len(note) // 2],
        lambda note: b"",
        lambda note: note.decode().encode("utf-16"),
        lambda note: note.replace(b'"run_id":"', b'"run_id":"0'),
        lambda note: note.replace(b"sqlite:", b"sqlitf:"),
        lambda note: b'{"server": 7}',
        None,
    ],
)
def test_a_broken_note_forgets_nothing_and_makes_no_second_run(
    damage, run, make_copy, sqlite_store, server, tmp_path, caplog
) -> None:
    make_copy(run).send()
    make_copy(run).begin()
    note = tmp_path / "sent" / f"{run.info.run_id}.json"
    content = note.read_bytes()
    note.unlink()
    note.mkdir() if damage is None else note.write_bytes(damage(content.replace(b": ", b":")))
    (waiting,) = unsent(note.parent, sqlite_store, server)
    waiting.send()
    (told,) = (line for line in caplog.messages if str(note) in line)
    assert told.endswith(": the run is sent again, and is there once")
    assert losses(server, only_run(server).info.run_id) == losses(sqlite_store, run.info.run_id)
    assert file_names(server, waiting.sent.run_id) == {"parameters.yml", "figures", "figures/sheet.txt"}
    assert not unsent(note.parent, sqlite_store, server)


def test_the_note_of_an_earlier_version_is_read(run, make_copy, tmp_path) -> None:
    make_copy(run).send()
    before = noted(make_copy(run), tmp_path)
    note = tmp_path / "sent" / f"{run.info.run_id}.json"
    note.write_text(before.model_dump_json(exclude={"checksum"}))
    assert make_copy(run).sent == before.model_copy(update={"checksum": None})


def test_a_run_that_somebody_has_deleted_stays_deleted_without_its_note(run, make_copy, server, tmp_path) -> None:
    copy = make_copy(run)
    copy.send()
    MlflowClient(server).delete_run(copy.sent.run_id)
    shutil.rmtree(tmp_path / "sent")
    with pytest.raises(Deleted):
        make_copy(run).send()
    assert noted(copy, tmp_path).complete


def test_a_file_that_is_acknowledged_and_not_kept_is_not_said_to_be_sent(run, make_copy, monkeypatch, tmp_path) -> None:
    log_artifact = LocalArtifactRepository.log_artifact

    def lose(self, path: str, folder: str | None = None) -> None:
        if folder != "figures":
            log_artifact(self, path, folder)

    copy = make_copy(run)
    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifactRepository, "log_artifact", lose)
        with pytest.raises(Refused, match=r"does not keep figures/sheet\.txt"):
            copy.send()
    assert noted(copy, tmp_path).files.keys() == {"parameters.yml"}
    make_copy(run).send()
    assert noted(copy, tmp_path).complete


@pytest.mark.parametrize("uri", ["file:///srv/files", "/srv/files", "srv", "", "FILE:///srv", "runs:/1/a", "C:/srv"])
def test_a_folder_of_this_machine_is_not_on_a_server(uri) -> None:
    with pytest.raises(Refused, match=r"which from here is not on the server: its keeper should start it with --serve"):
        open_folder(uri, "http://log.example.org")


@pytest.mark.parametrize(
    ("uri", "opened"),
    [
        ("mlflow-artifacts:/1/a", "http://log.example.org/api/2.0/mlflow-artifacts/artifacts/1/a"),
        ("http://files.example.org/a", "http://files.example.org/a"),
        ("s3://bucket/a", "s3://bucket/a"),
    ],
)
def test_what_is_on_a_server_or_in_a_cloud_is_opened(uri, opened) -> None:
    assert open_folder(uri, "http://log.example.org").artifact_uri == opened


def test_a_file_that_is_on_its_way_does_not_hold_up_the_end_of_the_process() -> None:
    program = """
import faulthandler, threading, time
from pathlib import Path
from uncrappify.tracking.run_copy import _upload

class Stuck:
    def log_artifact(self, *arguments):
        begun.set()
        time.sleep(600)

begun = threading.Event()
work = lambda: list(_upload(Stuck(), Path("."), [(Path("a"), "a", (0, 0))]))
threading.Thread(target=work, daemon=True).start()
begun.wait()
# What takes longer to end than that is killed, with code 1.
faulthandler.dump_traceback_later(20, exit=True)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=300).returncode == 0
