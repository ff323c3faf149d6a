"""Sending a run while it goes on; the server is a second store here."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from uncrappify.tracking import sender
from uncrappify.tracking.run_copy import BeingSent
from uncrappify.tracking.sender import Sender


def wait_until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def parent(experiment: str) -> Iterator[Run]:
    """A run that goes on."""
    with mlflow.start_run(experiment_id=experiment) as started:
        yield started


def test_a_full_disk_below_the_notes_is_this_machines_fault_and_stops_nothing(
    experiment, make_copy, server, small_disk, tmp_path, sqlite_store, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(sender, "PATIENCE", 0.5)
    (tmp_path / "sent").symlink_to(small_disk, target_is_directory=True)
    with caplog.at_level("INFO", "uncrappify"), mlflow.start_run(experiment_id=experiment) as started:
        copy = make_copy(started)
        running = Sender(copy, [], "uncrappify sync superres", away=False)
        while not copy.sent.run_id:
            time.sleep(0.05)
        with suppress(OSError):
            (small_disk / "something else").write_bytes(bytes(8 << 20))
        mlflow.log_text("more", "a.txt")
        point = ("psnr", 28.0, round(time.time() * 1000), 0)
        mlflow.log_metric(*point[:2], timestamp=point[2], step=point[3])
        mlflow.end_run()
        running.finish()
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if line.startswith("this machine does not take what is logged (the disk is full")]
    assert told[-1].endswith("this sends it:  uncrappify sync superres")
    (small_disk / "something else").unlink()
    # The thread goes on as long as the process does.
    while not copy.sent.complete:
        time.sleep(0.05)
    there = MlflowClient(server).get_run(copy.sent.run_id)
    assert (there.info.status, there.data.metrics) == ("FINISHED", {"psnr": 28.0})


def test_what_is_there_is_sent_at_once_where_that_is_asked_for(experiment, make_copy, server, monkeypatch) -> None:
    monkeypatch.setattr(sender, "SECONDS_BETWEEN", 3600.0)
    with mlflow.start_run(experiment_id=experiment) as started:
        copy = make_copy(started)
        running = Sender(copy, [], "uncrappify sync superres", away=False)
        while not copy.sent.run_id:
            time.sleep(0.05)
        mlflow.set_tag("precision", "bf16")
        deadline, there = time.monotonic() + 60, MlflowClient(server)
        while "precision" not in there.get_run(copy.sent.run_id).data.tags:
            assert time.monotonic() < deadline
            running.hurry()
            time.sleep(0.05)
    running.finish()
    assert copy.sent.complete


def test_a_run_that_is_followed_is_sent_while_its_parent_goes_on_and_ends_with_it(
    experiment, parent, make_copy, server, caplog
) -> None:
    copy, there = make_copy(parent), MlflowClient(server)
    with caplog.at_level("INFO", "uncrappify"):
        running = Sender(copy, [], "uncrappify sync superres", away=False)
        with mlflow.start_run(experiment_id=experiment, nested=True) as child:
            mlflow.log_metric("train_loss", 0.5)
            part = make_copy(child)
            running.follow(part)
            wait_until(lambda: part.sent.run_id and there.get_run(part.sent.run_id).data.metrics)
            assert there.get_run(part.sent.run_id).data.tags["mlflow.parentRunId"] == copy.sent.run_id
            with pytest.raises(BeingSent):
                make_copy(child).send()
            mlflow.log_metric("psnr", 28.0)
        mlflow.end_run()
        running.finish()
    ended = there.get_run(part.sent.run_id)
    assert (ended.info.status, ended.data.metrics) == ("FINISHED", {"train_loss": 0.5, "psnr": 28.0})
    assert copy.sent.complete
    assert part.sent.complete
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if "on the server" in line] == [f"on the server: {copy.sent.page}"]
    # Nobody else is kept from it any more.
    make_copy(child).send()


def test_a_run_that_is_followed_is_noted_at_once(experiment, parent, make_copy, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Sender, "_work", lambda self: None)
    running = Sender(make_copy(parent), [], "uncrappify sync superres", away=False)
    with mlflow.start_run(experiment_id=experiment, nested=True) as child:
        running.follow(make_copy(child))
    assert {file.stem for file in (tmp_path / "sent").glob("[!.]*.json")} == {parent.info.run_id, child.info.run_id}


def test_a_run_that_somebody_has_deleted_or_that_fails_holds_up_no_other_and_is_said_once(
    experiment, parent, make_copy, server, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(sender, "PATIENCE", 0.5)
    monkeypatch.setattr(sender, "SECONDS_BETWEEN", 0.05)
    parts = []
    for _ in range(4):
        with mlflow.start_run(experiment_id=experiment, nested=True) as child:
            parts.append(make_copy(child))
    make_copy(parent).send()
    for part in parts[:2]:
        part.send()
        MlflowClient(server).delete_run(part.sent.run_id)
    create_run = MlflowClient.create_run

    def refuse_the_third(self, experiment: str, start: int, tags: dict[str, str], name: str) -> Run:
        if tags["uncrappify.local_run_id"] == parts[2].run_id:
            raise ValueError("not this one")
        return create_run(self, experiment, start, tags, name)

    with caplog.at_level("INFO", "uncrappify"), monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_run", refuse_the_third)
        copy = make_copy(parent)
        running = Sender(copy, [], "uncrappify sync superres", away=False)
        for part in parts:
            # Another process, that has not sent it.
            running.follow(make_copy(mlflow.get_run(part.run_id)))
        wait_until(lambda: make_copy(mlflow.get_run(parts[3].run_id)).sent.complete)
        mlflow.end_run()
        running.finish()
    told = [record.getMessage() for record in caplog.records]
    assert len([line for line in told if "somebody has deleted it there" in line]) == 1
    assert len([line for line in told if "does not take what is logged (not this one)" in line]) == 1
    assert told[-1].startswith(f"{server} has not taken all of this run.")
    # The thread goes on as long as the process does.
    wait_until(lambda: copy.sent.complete and make_copy(mlflow.get_run(parts[2].run_id)).sent.complete)


def test_sending_takes_no_more_than_a_twentieth_of_a_core(parent, make_copy, monkeypatch) -> None:
    monkeypatch.setattr(sender, "SECONDS_BETWEEN", 0.0)
    copy, rounds = make_copy(parent), []

    def work() -> None:
        rounds.append(time.monotonic())
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            pass

    monkeypatch.setattr(copy, "send", work)
    running = Sender(copy, [], "uncrappify sync superres", away=False)
    wait_until(lambda: len(rounds) == 2)
    assert rounds[1] - rounds[0] > 20 * 0.1
    running.finish()
