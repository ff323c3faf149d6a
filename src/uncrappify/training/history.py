"""The history of a training: a file that is the truth of what was measured, and MLflow, which gets it in batches."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch.loggers.logger import Logger

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.tracking import Point, log_points

log = logging.getLogger(__name__)

SECONDS_BETWEEN_BATCHES = 10.0


class History(Logger):
    """Lightning's metrics as JSON lines, ``{"step": 120, "train_loss": 0.031, "time": ...}``, and in MLflow.

    A resumed training measures some steps again and gets the same values: steps that stand in the file already are
    not written twice. Everything in the file is sent again with its own time, which MLflow does not duplicate.

    Args:
        file: The file, appended to.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.offset = 0
        self.stage = 0
        rows = _rows(file)
        if file.is_file():
            # What a killed process left of its last line must not be continued by the next one.
            with written_whole(file) as path:
                path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self._last = {name: row["step"] for row in rows for name in row}
        self._unsent = [point for row in rows for point in _points(row)]
        self._sent_at = time.monotonic()

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

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row; ``step`` counts from the start of the stage, whose offset is added.

        Raises:
            UserError: If the loss is no number any more.
        """
        step = (step or 0) + self.offset
        if not math.isfinite(metrics.get("train_loss", 0.0)):
            raise UserError(
                f"training.stages.{self.stage}: the training diverged, its loss at step {step} is no number. "
                "Take a lower lr, or limit the gradient by training.gradient_clip, such as 1.0."
            )
        row = {
            name: float(value)
            for name, value in metrics.items()
            if name != "epoch" and math.isfinite(value) and step > self._last.get(name, -1)
        }
        if not row:
            return
        self._last |= dict.fromkeys(row, step)
        entry = {"step": step, "stage": self.stage, **row, "time": round(time.time() * 1000)}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self._unsent += _points(entry)
        if time.monotonic() - self._sent_at > SECONDS_BETWEEN_BATCHES:
            self._send()

    def finalize(self, status: str) -> None:
        """Send the rest."""
        self._send()

    def table(self) -> pd.DataFrame:
        """Give all rows as a table with a column a metric, ordered by step."""
        table = pd.DataFrame(_rows(self.file)).drop(columns="time", errors="ignore")
        return table.groupby("step", as_index=False).first()

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        try:
            log_points(self._unsent)
        except Exception as error:
            # The file has it all: a server that is away must not end a training.
            log.warning("MLflow did not take the metrics (%s); they are kept in %s", error, self.file)
        else:
            self._unsent = []


def _rows(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    # The last line of a killed process may be cut short.
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def _points(row: dict[str, Any]) -> list[Point]:
    return [
        (name, value, row["time"], row["step"]) for name, value in row.items() if name not in ("step", "stage", "time")
    ]
