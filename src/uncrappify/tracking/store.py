"""What goes to MLflow's store; of no run and without an active one, nothing does."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Point = tuple[str, float, int, int]
"""Metric name, value, time in milliseconds, step."""

PARAMETERS_FILE = "parameters.yml"
"""A run's file with all its parameters, as they stand in conf/."""

# MLflow takes so many metrics at once.
POINTS_A_BATCH = 1000


def log_points(points: Iterable[Point], run_id: str | None = None) -> None:
    """Send metrics in batches; MLflow keeps one row for the same name, value, time and step.

    Args:
        points: The metrics.
        run_id: Of the run; default: this thread's.
    """
    active = mlflow.active_run()
    run_id = run_id or (active.info.run_id if active else None)
    if run_id is None:
        return
    metrics = [Metric(name, value, milliseconds, step) for name, value, milliseconds, step in points]
    for start in range(0, len(metrics), POINTS_A_BATCH):
        mlflow.MlflowClient().log_batch(run_id, metrics=metrics[start : start + POINTS_A_BATCH])


def log_values(values: Mapping[str, float], run_id: str | None = None) -> None:
    """Log metrics that have one value, of this thread's run or of another."""
    now = round(time.time() * 1000)
    log_points(((name, float(value), now, 0) for name, value in values.items()), run_id)


def log_tags(tags: Mapping[str, object]) -> None:
    """Log tags of this thread's run."""
    if mlflow.active_run():
        mlflow.set_tags(dict(tags))


@contextmanager
def watch_machine() -> Iterator[None]:
    """Log how busy the machine is, every ten seconds, as long as something trains."""
    run = mlflow.active_run()
    if run is None:
        yield
        return
    monitor = SystemMetricsMonitor(run.info.run_id, sampling_interval=10, resume_logging=True)  # type: ignore[no-untyped-call]
    monitor.start()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        monitor.finish()  # type: ignore[no-untyped-call]


def log_file(path: Path, folder: str, run_id: str | None = None) -> None:
    """Log a file as an artifact in a folder of this thread's run, or of another."""
    if run_id or mlflow.active_run():
        mlflow.log_artifact(str(path), artifact_path=folder, run_id=run_id)


def log_figure(figure: Figure, file: str, run_id: str) -> None:
    """Log a figure of plotly's as a page, which loads plotly's code from the network: MLflow's way, without 5 MB each.

    Args:
        figure: Anything that plotly draws.
        file: Path of the artifact, ending in ``.html``.
        run_id: The run.
    """
    MlflowClient().log_figure(run_id, figure, file)
