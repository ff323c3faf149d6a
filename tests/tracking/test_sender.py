"""Sending a run while it goes on; the server is a second store here."""

import time
from contextlib import suppress

import mlflow
from mlflow import MlflowClient

from uncrappify.tracking import sender
from uncrappify.tracking.sender import Sender


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
        copy.add([point])
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
