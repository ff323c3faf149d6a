"""What does logging cost a training, with a server beside it, behind a slow network, and during an outage?

    python benchmarks/logging_overhead.py [--ways silent server slow away] [--rounds 1] [--steps 4500] [--outage 60]

The default `superres` is trained in turn: without MLflow; to a server on this machine; to the same server behind a
proxy that adds 100 ms to every exchange; and to the server, which answers nothing for a while in the middle. It is
paused and not killed, because its start would take the training's cores. Seconds are those of the training alone, as
the clock in it measures them, and of the whole command. Each run has a project of its own, so that all download,
degrade and split alike; its database, which is made once in a project's life, is there before.
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
WAYS = ("silent", "server", "slow", "away")
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
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, default=WAYS, help="the first is what the others are held to"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--outage", type=float, default=60, help="seconds")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "server") as server:
        scratch = Path(folder)
        with delayed(server.port) as slow:
            addresses = {"silent": None, "server": server.address, "slow": slow}
            for number in range(arguments.rounds):
                for way in arguments.ways:
                    root = scratch / f"{number} {way}"
                    if way == "away":
                        measured = outage(root, server, arguments.steps, arguments.outage)
                    else:
                        measured = trained(root, arguments.steps, addresses[way])
                    rows.append({"round": number, "way": way, **measured})
                    print(pd.DataFrame(rows).round(2).to_string(index=False), flush=True)
    table = pd.DataFrame(rows).set_index(["round", "way"]).unstack("way")
    for name in ("train_seconds", "seconds"):
        print(table[name].round(1).to_string())
        longer = table[name].sub(table[name][arguments.ways[0]], axis=0)
        print(f"longer than {arguments.ways[0]!r}:")
        print(longer.agg(["median", "min", "max"]).round(1).to_string())


def trained(root: Path, steps: int, address: str | None) -> dict[str, float]:
    """Train in a new project.

    Args:
        root: Its folder.
        steps: Of the training.
        address: Of the server; nothing: without MLflow.

    Returns:
        Seconds of the training, and of the whole command.
    """
    return ended(*start(root, steps, address), root)


def ended(process: subprocess.Popen[bytes], started: float, root: Path) -> dict[str, float]:
    """Wait for a run, and give its seconds."""
    if process.wait() != 0:
        sys.exit(f"the run in {root} failed: see {root}/uncrappify.log")
    metrics = pd.read_json(root / "data/08_reporting/superres/training_metrics.json", typ="series")
    return {"train_seconds": float(metrics["train_seconds"]), "seconds": time.perf_counter() - started}


def start(root: Path, steps: int, address: str | None) -> tuple[subprocess.Popen[bytes], float]:
    """Start a run in a new project, and say when."""
    for folder in ("src", "data", "conf/local"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "conf", root / "conf", dirs_exist_ok=True, ignore=shutil.ignore_patterns("local"))
    for name in (".telemetry", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    (root / "conf" / "timed").mkdir()
    (root / "conf" / "timed" / "parameters.yml").write_text(TRAINING.format(steps=steps), encoding="utf-8")
    # Makes the tables.
    MlflowClient(f"sqlite:///{root}/mlflow.db").search_experiments()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"PYTHONPATH": str(ROOT / "src"), **({"MLFLOW_TRACKING_URI": address} if address else {})}
    kedro = [sys.executable, "-m", "kedro", "run", "--env", "timed", "--pipeline", "superres"]
    command = kedro if address is not None else [sys.executable, "-c", SILENT, str(steps)]
    started = time.perf_counter()
    return subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL), started


class Server:
    """`mlflow server` on this machine, which answers."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        places = ["--backend-store-uri", f"sqlite:///{root}/runs.db", "--artifacts-destination", f"{root}/files"]
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

    def signal(self, number: int) -> None:
        """Send a signal to all its processes."""
        os.killpg(self.process.pid, number)


@contextmanager
def served(root: Path) -> Iterator[Server]:
    """Give a server, and end it."""
    server = Server(root)
    try:
        yield server
    finally:
        server.signal(signal.SIGKILL)
        server.process.wait()


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


def outage(root: Path, server: Server, steps: int, seconds: float) -> dict[str, float]:
    """Pause the server in the middle of a run, say how many metrics are in both stores in the end.

    Returns:
        Seconds as of :func:`trained`.
    """
    process, started = start(root, steps, server.address)
    history = root / "data/06_models/superres/checkpoints/history.jsonl"
    while not history.is_file() or len(history.read_text().splitlines()) < 20:
        time.sleep(0.2)
    server.signal(signal.SIGSTOP)
    time.sleep(seconds)
    server.signal(signal.SIGCONT)
    measured = ended(process, started, root)
    here, there = MlflowClient(f"sqlite:///{root}/mlflow.db"), MlflowClient(server.address)
    (run,) = here.search_runs([one.experiment_id for one in here.search_experiments()])
    copies = there.search_runs([one.experiment_id for one in there.search_experiments()])
    (copy,) = [copy for copy in copies if copy.data.tags["uncrappify.local_run_id"] == run.info.run_id]
    counts = [
        sum(len(client.get_metric_history(found.info.run_id, name)) for name in run.data.metrics)
        for client, found in ((here, run), (there, copy))
    ]
    print(f"outage of {seconds:.0f} s: {counts[0]} metrics here, {counts[1]} there")
    return measured


if __name__ == "__main__":
    main()
