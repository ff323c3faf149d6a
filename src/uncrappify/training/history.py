"""The history of a training: a file that is the truth of what was measured, and MLflow, which follows it."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import mlflow
import pandas as pd
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from uncrappify.atomic import flush, written_whole
from uncrappify.errors import DivergedError, UserError
from uncrappify.state import read_lines
from uncrappify.tracking.store import Point, log_points

log = logging.getLogger(__name__)

SECONDS_BETWEEN_BATCHES = 10.0


class Row(BaseModel):
    """A line of the history: what was measured at a step, beside it.

    Attributes:
        step: Counted from the beginning of the first stage.
        stage: Its number.
        time: In milliseconds since 1970.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, FiniteFloat]

    step: int = Field(ge=0)
    stage: int = Field(ge=0)
    time: int = Field(ge=0)

    @property
    def metrics(self) -> dict[str, float]:
        """Name of each metric to its value."""
        return self.__pydantic_extra__


class History(Logger):
    """Lightning's metrics as JSON lines: ``{"step": 120, "train_loss": 0.031, "time": ...}``.

    A resumed training measures some steps again and gets the same values: what stands in the file already is not
    written twice, what a broken line has lost is. Of several processes that train together, the first one writes.

    Args:
        file: The file, appended to.

    Attributes:
        rows: How many lines it has.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.offset = 0
        self.stage = 0
        rows = read_lines(file, Row, skip=True)
        if file.exists():
            # What a killed process left of its last line must not be continued by the next one.
            with written_whole(file) as path:
                path.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")
        self.rows = len(rows)
        self._written = {(name, row.step) for row in rows for name in row.metrics}

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "history"

    @property
    def version(self) -> str:
        """There is one version."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Parameters are logged by the pipeline's hooks."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row; ``step`` counts from the start of the stage, whose offset is added.

        Raises:
            DivergedError: If the loss is no number any more.
        """
        step = (step or 0) + self.offset
        if not all(math.isfinite(value) for name, value in metrics.items() if name.startswith("train_")):
            rate = f", with a learning rate of {metrics['lr']:.2g}" if "lr" in metrics else ""
            kept = self.file.parent / f"stage{self.stage}.ckpt"
            raise DivergedError(
                f"training.stages.{self.stage}: the training of {kept.parents[1].name} diverged, its loss at step "
                f"{step}{rate}, is no number. Take a lower lr, or limit the gradient by training.gradient_clip, such "
                "as 1.0. "
                + (f"The last good checkpoint is {kept}." if kept.is_file() else "There is no checkpoint of it yet.")
            )
        row = {
            name: float(value)
            for name, value in metrics.items()
            if name != "epoch" and math.isfinite(value) and (name, step) not in self._written
        }
        if not row:
            return
        self._written |= {(name, step) for name in row}
        entry = {"step": step, "stage": self.stage, **row, "time": round(time.time() * 1000)}
        try:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise UserError(
                f"{self.file}: what was measured cannot be written ({error.strerror}). Mend that and run again; what "
                "is done is kept."
            ) from error
        self.rows += 1

    def flush(self) -> None:
        """Bring what was measured to the disk."""
        if self.file.is_file():
            flush(self.file)

    def table(self) -> pd.DataFrame:
        """Give all rows as a table with a column a metric, ordered by step."""
        rows = [{"step": row.step, "stage": row.stage, **row.metrics} for row in read_lines(self.file, Row, skip=True)]
        table = pd.DataFrame(rows, columns=None if rows else ["step"])
        return table.groupby("step", as_index=False).first()


@contextmanager
def followed(file: Path) -> Iterator[None]:
    """Send a history to this thread's MLflow run while it grows, from a thread of its own; at the end, the rest.

    A history that goes on is sent from its beginning: MLflow keeps one row of the same name, value, time and step.
    """
    run = mlflow.active_run()
    if run is None:
        yield
        return
    follower = _Follower(file, run.info.run_id)
    follower.start()
    try:
        yield
    finally:
        follower.finish()


class _Follower(Thread):
    def __init__(self, file: Path, run_id: str) -> None:
        super().__init__(name="uncrappify-history", daemon=True)
        self._file, self._run_id = file, run_id
        self._sent, self._warned = 0, False
        self._ended = Event()

    def run(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_BATCHES):
            self._send()

    def finish(self) -> None:
        self._ended.set()
        self.join()
        self._send()

    def _send(self) -> None:
        try:
            rows = read_lines(self._file, Row, skip=True)
            log_points((point for row in rows[self._sent :] for point in _points(row)), self._run_id)
        except Exception as error:
            # The file has it all: a store that is full or locked must not end a training.
            if not self._warned:
                log.warning("MLflow did not take the metrics (%s); they are kept in %s", error, self._file)
            self._warned = True
        else:
            self._sent, self._warned = len(rows), False


def _points(row: Row) -> list[Point]:
    return [(name, value, row.time, row.step) for name, value in row.metrics.items()]
