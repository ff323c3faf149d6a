"""What does logging cost a training, with a server beside it, behind a slow network, and during an outage?

    python benchmarks/logging_overhead.py [--rounds 1] [--steps 4500] [--outage 60]

The default `superres` is trained in turn: without MLflow; to a server on this machine; to the same server behind a
proxy that adds 100 ms to every exchange; and to the server, which is killed in the middle and away for a while. Seconds
are those of the training alone, as the clock in it measures them, and of the whole command. Each run has a project of
its own, so that all download, degrade and split alike.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from urllib.request import urlopen

import pandas as pd
from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parents[1]
LATENCY = 0.1
# The project's own run, without the hook that logs.
SILENT = """
import sys
from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from pathlib import Path
bootstrap_project(Path.cwd())
from uncrappify.hooks import ParameterHook, TerminalHook
settings.set("HOOKS", (ParameterHook(), TerminalHook()))
stages = [{"size": 96, "batch_size": 8, "steps": int(sys.argv[1]), "lr": 1.5e-3, "loss": [{"l1": 1.0}]}]
with KedroSession.create(Path.cwd(), runtime_params={"superres": {"training": {"stages": stages}}}) as session:
    session.run(pipeline_names=["superres"])
"""
TRAINING = """
superres:
  training:
    stages:
      - {{size: 96, batch_size: 8, steps: {steps}, lr: 1.5e-3, loss: [{{l1: 1.0}}]}}
"""


def main() -> None:
    """Train in turn, and print the seconds and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--outage", type=float, default=60, help="seconds")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "server") as server:
        scratch = Path(folder)
        with delayed(server.port) as slow:
            ways = {"without MLflow": None, "server": server.address, "server, 100 ms away": slow}
            for number in range(arguments.rounds):
                for way, address in ways.items():
                    measured = trained(scratch / f"{number} {way}", arguments.steps, address)
                    rows.append({"round": number, "way": way, **measured})
                    print(pd.DataFrame(rows).round(2).to_string(index=False), flush=True)
                measured, counts = outage(scratch / f"{number} away", server, arguments.steps, arguments.outage)
                rows.append({"round": number, "way": "server, away", **measured})
                print(f"outage of {arguments.outage:.0f} s: {counts[0]} metrics here, {counts[1]} there")
    table = pd.DataFrame(rows).set_index(["round", "way"]).unstack("way")
    for name in ("train_seconds", "seconds"):
        print(table[name].round(1).to_string())
        ratios = table[name].div(table[name]["without MLflow"], axis=0).median()
        print(f"{name}, median of the rounds over those without MLflow: {ratios.round(3).to_dict()}")


def trained(root: Path, steps: int, address: str | None) -> dict[str, float]:
    """Train in a new project.

    Args:
        root: Its folder.
        steps: Of the training.
        address: Of the server; nothing: without MLflow.

    Returns:
        Seconds of the training, and of the whole command.
    """
    started = time.perf_counter()
    return ended(start(root, steps, address), root, started)


def ended(process: subprocess.Popen[bytes], root: Path, started: float) -> dict[str, float]:
    """Wait for a run, and give its seconds."""
    if process.wait() != 0:
        sys.exit(f"the run in {root} failed: see {root}/uncrappify.log")
    metrics = pd.read_json(root / "data/08_reporting/superres/training_metrics.json", typ="series")
    return {"train_seconds": float(metrics["train_seconds"]), "seconds": time.perf_counter() - started}


def start(root: Path, steps: int, address: str | None) -> subprocess.Popen[bytes]:
    """Start a run in a new project."""
    for folder in ("src", "data", "conf/local"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "conf", root / "conf", dirs_exist_ok=True, ignore=shutil.ignore_patterns("local"))
    for name in (".telemetry", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    (root / "conf" / "timed").mkdir()
    (root / "conf" / "timed" / "parameters.yml").write_text(TRAINING.format(steps=steps), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"PYTHONPATH": str(ROOT / "src"), **({"MLFLOW_TRACKING_URI": address} if address else {})}
    kedro = [sys.executable, "-m", "kedro", "run", "--env", "timed", "--pipeline", "superres"]
    command = kedro if address is not None else [sys.executable, "-c", SILENT, str(steps)]
    return subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL)


class Server:
    """`mlflow server` on this machine."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.root, self.address = root, f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        places = [
            "--backend-store-uri",
            f"sqlite:///{self.root}/runs.db",
            "--artifacts-destination",
            f"{self.root}/files",
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self.port), *places],
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                with urlopen(f"{self.address}/version", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)

    def kill(self) -> None:
        """End it at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def served(root: Path) -> Iterator[Server]:
    """Give a server, and end it."""
    server = Server(root)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def delayed(port: int) -> Iterator[str]:
    """Give the address of a proxy before a port, through which an answer takes ``LATENCY`` seconds more."""
    listener = socket.create_server(("127.0.0.1", 0))

    def receive(source: socket.socket, on_its_way: SimpleQueue[tuple[float, bytes]]) -> None:
        data = b"..."
        while data:
            data = source.recv(1 << 16)
            on_its_way.put((time.monotonic() + LATENCY / 2, data))

    def deliver(sink: socket.socket, on_its_way: SimpleQueue[tuple[float, bytes]]) -> None:
        while True:
            due, data = on_its_way.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for source, sink in ((client, server), (server, client)):
                on_its_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
                threading.Thread(target=receive, args=(source, on_its_way), daemon=True).start()
                threading.Thread(target=deliver, args=(sink, on_its_way), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def outage(root: Path, server: Server, steps: int, seconds: float) -> tuple[dict[str, float], list[int]]:
    """Kill the server in the middle of a run, and start it again.

    Returns:
        Seconds as of :func:`trained`, and how many metrics are in the project's store and on the server in the end.
    """
    started = time.perf_counter()
    process = start(root, steps, server.address)
    history = root / "data/06_models/superres/checkpoints/history.jsonl"
    while not history.is_file() or len(history.read_text().splitlines()) < 20:
        time.sleep(0.2)
    server.kill()
    time.sleep(seconds)
    server.start()
    measured = ended(process, root, started)
    here, there = MlflowClient(f"sqlite:///{root}/mlflow.db"), MlflowClient(server.address)
    (run,) = here.search_runs([one.experiment_id for one in here.search_experiments()])
    copies = there.search_runs([one.experiment_id for one in there.search_experiments()])
    (copy,) = [copy for copy in copies if copy.data.tags["uncrappify.local_run_id"] == run.info.run_id]
    counts = [
        sum(len(client.get_metric_history(found.info.run_id, name)) for name in run.data.metrics)
        for client, found in ((here, run), (there, copy))
    ]
    return measured, counts


if __name__ == "__main__":
    main()
