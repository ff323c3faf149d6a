"""Fresh clones to attack, and commands in them that begin at once: a fork server has imported the large libraries."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FORKS = multiprocessing.get_context("forkserver")
PRELOADED = (
    "IPython",
    "alembic.command",
    "kedro_datasets",
    "lightning.pytorch",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "pandas",
    "timm",
    "torchvision",
)
PATIENCE = 600


@dataclass(frozen=True)
class Project:
    """A folder with what a fresh clone has, apart from the code, which stays where it is."""

    root: Path

    @classmethod
    def copy(cls, root: Path) -> Project:
        """Make one."""
        root.mkdir(parents=True)
        for name in (".telemetry", "pyproject.toml"):
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(ROOT / "conf", root / "conf", ignore=shutil.ignore_patterns("local"))
        for folder in ("src", "data", "conf/local"):
            (root / folder).mkdir()
        return cls(root)

    def start(self, *arguments: str) -> BaseProcess:
        """Start a command of Kedro's in a process of its own."""
        # Compiled once: a command would else compile the whole package anew.
        own = ("MLFLOW_", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        said = {
            "arguments": ("kedro", *arguments),
            "folder": self.root,
            "environment": kept | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
            "outputs": tuple(self.root / name for name in ("stdout.txt", "stderr.txt")),
        }
        return fork(runpy.run_path, str(ROOT / "tests" / "end_to_end" / "command.py"), said)

    def run(self, *arguments: str) -> str | None:
        """Run a command to its end; give what it complains about where it fails."""
        process = self.start(*arguments)
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            return f"kedro {' '.join(arguments)} still runs after {PATIENCE} s"
        return f"exit code {process.exitcode}: {self.complaint()}" if process.exitcode else None

    def complaint(self) -> str:
        """Give the last that the last command has complained about."""
        return " ".join((self.root / "stderr.txt").read_text(encoding="utf-8").split())[-300:]

    def states(self) -> list[str]:
        """Give the states of the runs in the project's store; read without MLflow, which would mend what is broken."""
        if not (self.root / "mlflow.db").exists():
            return []
        with closing(sqlite3.connect(self.root / "mlflow.db")) as store:
            return sorted(state for (state,) in store.execute("SELECT status FROM runs"))


def fork(target: object, *arguments: object) -> BaseProcess:
    """Start a function in a process that has the large libraries."""
    FORKS.set_forkserver_preload(list(PRELOADED))
    # Read when torch is imported, which the server does.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    process = FORKS.Process(target=target, args=arguments)  # type: ignore[arg-type]
    sys.stdout.flush()
    process.start()
    return process
