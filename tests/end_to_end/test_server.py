"""Runs on a real MLflow server that is there, goes away, hangs, comes back, or does not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

AWAY = "does not take what is logged"
LATER = "uncrappify sync superres"
TRAINING = """
superres:
  seed: {seed}
  model: {{upscaler: {{channels: 8, blocks: 1}}}}
  training:
    stages:
      - {{size: 24, batch_size: 4, steps: {steps}, lr: 3.0e-3, loss: [{{l1: 1.0}}]}}
"""


@pytest.fixture
def server(mlflow_server):
    return mlflow_server


@pytest.fixture
def worker(project, server):
    """A project that logs to the server."""
    return replace(project, environment={"MLFLOW_TRACKING_URI": server.address})


def training(project, pictures: Path, steps: int, seed: int = 42) -> list[str]:
    """Give the command of a training on small pictures."""
    project.environment_file("long", TRAINING.format(steps=steps, seed=seed))
    return ["run", "--pipeline", "superres", "--env", "long", "--params", f"pictures={pictures}"]


def unwrapped(text: str) -> str:
    """A terminal's lines as one."""
    return "".join(line.rstrip() for line in text.splitlines())


def points(client: MlflowClient, run: Run) -> Counter[tuple[str, float, int, int]]:
    return Counter(
        (point.key, point.value, point.timestamp, point.step)
        for name in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, name)
    )


def files(client: MlflowClient, run: Run, folder: str | None = None) -> dict[str, int]:
    found = {}
    for entry in client.list_artifacts(run.info.run_id, folder):
        found |= files(client, run, entry.path) if entry.is_dir else {entry.path: entry.file_size}
    return found


def assert_all_is_there(project, server) -> None:
    """The server's one run is the project's one run, with all that belongs to it, once."""
    (here,), (there,) = project.runs(), server.runs()
    assert there.info.status == here.info.status
    assert there.info.start_time == here.info.start_time
    assert there.info.end_time == here.info.end_time
    assert there.info.run_name == here.info.run_name
    assert there.data.params == here.data.params
    assert there.data.tags.items() >= here.data.tags.items()
    assert there.data.tags["uncrappify.local_run_id"] == here.info.run_id
    assert points(server.client, there) == points(project.client, here)
    assert max(points(server.client, there).values()) == 1
    assert files(server.client, there) == files(project.client, here)
    assert [one.dataset.digest for one in there.inputs.dataset_inputs] == [
        one.dataset.digest for one in here.inputs.dataset_inputs
    ]
    assert len(there.outputs.model_outputs) == len(here.outputs.model_outputs) == 1


@pytest.mark.parametrize("outage", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)])
def test_an_outage_in_the_middle_of_a_run_loses_nothing_and_the_servers_model_works(
    outage, worker, server, pictures, started, wait_until, monkeypatch
):
    process = started(worker, *training(worker, pictures, 1500))
    wait_until(lambda: len(worker.history()) >= 5, process)
    server.send(outage)
    wait_until(lambda: len(worker.history()) >= 60, process)
    server.start() if outage == signal.SIGKILL else server.send(signal.SIGCONT)
    stdout, stderr = process.communicate(timeout=200)
    assert (process.returncode, stderr) == (0, "")
    assert LATER not in stdout
    assert_all_is_there(worker, server)
    (run,) = server.runs()
    assert f"{server.address}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}" in unwrapped(stdout)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    mlflow.set_tracking_uri(server.address)
    try:
        model = mlflow.pyfunc.load_model(f"models:/{run.outputs.model_outputs[0].model_id}")
    finally:
        mlflow.set_tracking_uri(None)
    assert model.predict(np.zeros((1, 20, 30, 3), np.uint8)).shape == (1, 60, 90, 3)


def test_what_a_server_that_stays_away_did_not_get_is_sent_by_sync(worker, server, pictures, started, wait_until):
    process = started(worker, *training(worker, pictures, 600))
    wait_until(lambda: len(worker.history()) >= 5, process)
    server.send(signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    told = " ".join(stdout.split())
    assert told.count(AWAY) == 1
    assert told.count(LATER) == 1
    server.start()
    first, second = (worker.uncrappify("sync", "superres") for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert_all_is_there(worker, server)
    assert f"{server.address} has everything" in second.stdout
    assert_all_is_there(worker, server)


def test_a_run_begins_without_the_server_and_is_sent_afterwards(worker, server):
    server.send(signal.SIGKILL)
    done = worker.kedro("run", "--pipeline", "superres", "--params", "smoke=true")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "does not answer (nothing listens there): the run begins here" in told
    assert LATER in told
    refused = worker.uncrappify("sync", "superres")
    assert refused.returncode == 1
    assert "does not answer (nothing listens there). Nothing is lost" in refused.stderr
    server.start()
    assert worker.uncrappify("sync", "superres").returncode == 0
    assert_all_is_there(worker, server)


@pytest.mark.slow
def test_a_run_that_goes_on_is_left_to_the_process_that_sends_it(worker, server, pictures, started, wait_until):
    process = started(worker, *training(worker, pictures, 1500))
    wait_until(lambda: len(worker.history()) >= 5, process)
    meanwhile = worker.uncrappify("sync", "superres")
    assert (meanwhile.returncode, meanwhile.stderr) == (0, "")
    stdout, stderr = process.communicate(timeout=200)
    assert (process.returncode, stderr) == (0, ""), stdout
    assert_all_is_there(worker, server)


@pytest.mark.slow
def test_a_server_that_cannot_keep_files_gets_the_rest_and_is_named(project, make_server, tmp_path):
    (tmp_path / "server").mkdir()
    server = make_server(tmp_path / "server", files="/proc/nowhere").start()
    try:
        worker = replace(project, environment={"MLFLOW_TRACKING_URI": server.address})
        done = worker.kedro("run", "--pipeline", "superres", "--params", "smoke=true")
        assert done.returncode == 0, done.stderr
        told = " ".join(done.stdout.split())
        assert told.count(f"{server.address} does not take a file (it answers with an error of its own)") == 1
        assert told.count(LATER) == 1
        assert AWAY not in told
        (here,), (there,) = worker.runs(), server.runs()
        assert there.info.status == "FINISHED"
        assert points(server.client, there) == points(worker.client, here)
        again = worker.uncrappify("sync", "superres")
        assert again.returncode == 1
        assert f"{server.address} did not take all of these runs. Nothing is lost; try again." in again.stderr
        assert "Traceback" not in again.stderr
    finally:
        server.stop()


def test_an_address_where_no_mlflow_answers_is_told_before_anything_is_done(project, tmp_path):
    page = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    Thread(target=page.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{page.server_port}"
    done = replace(project, environment={"MLFLOW_TRACKING_URI": address}).kedro("run", "--params", "smoke=true")
    page.shutdown()
    page.server_close()
    assert done.returncode == 1
    assert f"{address} answers, but not as an MLflow server does." in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((project.root / "data").iterdir())


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """A PostgreSQL of the test's own, by the address that MLflow takes."""
    pytest.importorskip("psycopg2", reason="PostgreSQL's driver is not installed: pip install psycopg2-binary")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    bin_ = programs[-1].parent
    folder = tmp_path / "postgres"
    folder.mkdir()
    # PostgreSQL refuses to run as root; its package brings a user.
    as_user = []
    if os.geteuid() == 0:
        as_user = ["runuser", "-u", "postgres", "--"]
        for part in (folder, *folder.parents):
            if part.is_relative_to("/tmp") and part != Path("/tmp"):
                part.chmod(part.stat().st_mode | 0o755)
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    control = [*as_user, str(bin_ / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    subprocess.run([*control, "-o", "-A trust", "initdb"], check=True, capture_output=True)
    subprocess.run([*control, "-l", str(folder / "log"), "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)
    user = "postgres" if as_user else os.environ.get("USER", "postgres")
    try:
        yield f"postgresql+psycopg2://{user}@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


@pytest.mark.slow
def test_four_workers_at_once_log_all_they_have(postgres, tmp_path, pictures, make_project, make_server):
    (tmp_path / "server").mkdir()
    server = make_server(tmp_path / "server", store=postgres).start()
    try:
        workers, commands = [], []
        for seed in range(4):
            project = make_project(tmp_path / f"worker{seed}")
            workers.append(replace(project, environment={"MLFLOW_TRACKING_URI": server.address}))
            commands.append(training(project, pictures, 200, seed))
        processes = [worker.start(*command) for worker, command in zip(workers, commands, strict=True)]
        for process in processes:
            stdout, stderr = process.communicate(timeout=600)
            assert (process.returncode, stderr) == (0, ""), stdout
        there = {run.data.tags["uncrappify.local_run_id"]: run for run in server.runs()}
        assert len(there) == 4
        for seed, worker in enumerate(workers):
            (here,) = worker.runs()
            copy = there[here.info.run_id]
            assert copy.info.status == "FINISHED"
            assert copy.data.params == here.data.params
            assert copy.data.params["superres.seed"] == str(seed)
            assert points(server.client, copy) == points(worker.client, here)
            assert files(server.client, copy) == files(worker.client, here)
    finally:
        server.stop()
