"""The birth of MLflow's store: stopped at seeded moments, and by two, and ten, first runs at once."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import numpy as np

from attacks.mutation import Tally
from attacks.project import PATIENCE, fork

STOPPED = 40
TOGETHER = {2: 10, 10: 2}
"""How many first runs at once, how often."""


def attack(folder: Path, seed: int, share: float) -> Tally:
    """Stop births, each at a moment of its own, and let many begin at once; a store is there afterwards, and whole."""
    tally, random = Tally("births"), np.random.default_rng(seed)
    # The server's start is none of a birth.
    open_store(folder / "first.db")
    started = time.perf_counter()
    open_store(folder / "second.db")
    lasts = time.perf_counter() - started
    for number in range(max(1, round(STOPPED * share))):
        sent = random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        moment = random.uniform(0, lasts)
        file = folder / f"stopped{number}" / "mlflow.db"
        tally.count(f"{signal.Signals(sent).name} after {moment:.2f} s", partial(_stop, file, moment, int(sent)))
    for many, times in TOGETHER.items():
        for number in range(max(1, round(times * share))):
            file = folder / f"{many}at once{number}" / "mlflow.db"
            tally.count(f"{many} at once", partial(open_store, file, many))
    return tally


def open_store(file: Path, processes: int = 1) -> str | None:
    """Open a store in so many processes at once; give what is wrong then."""
    begun = [fork(_log_a_run, file) for _ in range(processes)]
    for process in begun:
        process.join(PATIENCE)
    if any(codes := [process.exitcode for process in begun]):
        return f"exit codes {codes}"
    with closing(sqlite3.connect(file)) as store:
        ((runs,),) = store.execute("SELECT count(*) FROM runs")
        ((sound,),) = store.execute("PRAGMA integrity_check")
    left = [path.name for path in file.parent.iterdir() if path.name not in ("mlflow.db", "mlflow.db.lock")]
    if left and file.name == "mlflow.db":
        return f"left behind: {left}"
    return None if (runs, sound) == (processes, "ok") else f"{runs} runs of {processes}; {sound}"


def _stop(file: Path, moment: float, sent: int) -> str | None:
    process = fork(_open, file)
    process.join(moment)
    assert process.pid
    with suppress(ProcessLookupError):
        os.kill(process.pid, sent)
    process.join(PATIENCE)
    return open_store(file)


def _open(file: Path) -> None:
    from uncrappify.addresses import store_address
    from uncrappify.tracking.store_file import prepare_store

    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), 2)
    prepare_store(store_address(file))


def _log_a_run(file: Path) -> None:
    _open(file)
    from mlflow import MlflowClient

    from uncrappify.addresses import store_address

    MlflowClient(store_address(file)).create_run("0")
