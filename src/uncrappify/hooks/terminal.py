"""What a person sees of a run: a line a node, and a summary."""

from __future__ import annotations

import logging
import time
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd
import rich
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline.node import Node
from rich.box import SIMPLE_HEAD
from rich.table import Table

from uncrappify.addresses import without_password
from uncrappify.datasets import Chart, Picture, Weights
from uncrappify.errors import UserError
from uncrappify.parameters.delivery import find_trained_weights
from uncrappify.tracking import server

SHOWN = (Picture, Weights, Chart)
"""Datasets whose places the end of a run tells."""

log = logging.getLogger(__name__)

MOST_COLUMNS = 9
"""Of a table that fits on 80 columns."""

WORDS = ("method", "model", "note")
DECIMALS = {
    # Decibels: a hundredth is less than two seeds differ by.
    **dict.fromkeys(("psnr", "psnr_y", "psnr_in_text", "psnr_outside_text"), 2),
    **dict.fromkeys(("gain_over_bicubic", "gain_in_text", "gain_outside_text"), 2),
    "texture_distance": 1,
    "accuracy": 4,
    "valid": 4,
    "numbers_right": 4,
    "free_run_length": 1,
    "perplexity": 4,
    "seconds": 0,
    "step_memory_mb": 1,
}
"""Of columns; others have three."""


class TerminalHook:
    """Says which node is done and how long it took, and what came out in the end."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._saved: list[str] = []

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Start the node's clock."""
        self._started[node.name] = time.perf_counter()

    @hook_impl(trylast=True)
    def after_node_run(self, node: Node) -> None:
        """Say that the node is done; its outputs are written right after."""
        log.info("✓ %s  %.1f s", node.name, time.perf_counter() - self._started[node.name])

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Note what this run has made: what lies there from another one is none of its own."""
        self._saved.append(dataset_name)

    @hook_impl(trylast=True)
    def after_pipeline_run(self, catalog: DataCatalog) -> None:
        """Print the comparison with the baselines, and where everything is; what is done stays done if that fails."""
        outputs, self._saved = sorted(self._saved), []
        try:
            self._tell(outputs, catalog)
        except Exception:
            log.warning("the run has ended well, but its summary cannot be shown", exc_info=True)

    def _tell(self, outputs: list[str], catalog: DataCatalog) -> None:
        console = rich.get_console()
        if not outputs:
            console.print("Nothing to do: everything is there already.")
            return
        for name in (name for name in outputs if name.endswith(".comparison")):
            console.print(_comparison(name.removesuffix(".comparison"), catalog.load(name)))
        grid = Table.grid(padding=(0, 2))
        grid.add_column()
        grid.add_column(overflow="fold")
        shown: dict[str, Any] = {name: catalog[name] for name in outputs if isinstance(catalog[name], SHOWN)}
        for name, dataset in shown.items():
            if not isinstance(dataset, Chart):
                grid.add_row(name, _short(dataset._filepath))
            elif name.count(".") == 1:  # of several models, MLflow's page shows the curves together
                grid.add_row(name, _short(dataset.page))
        smoke = catalog.load("params:smoke")
        trained = [name.partition(".")[0] for name, dataset in shown.items() if isinstance(dataset, Weights)]
        for usage in filter(None, map(_say_usage, () if smoke else dict.fromkeys(trained))):
            grid.add_row("use it", usage)
        address = server.address()
        grid.add_row("compare runs", without_password(address) if address else "uncrappify ui")
        grid.add_row("see the pipeline", "kedro viz run")
        console.print(grid)
        if smoke:
            console.print("A smoke run trains two steps a stage: its figures mean nothing.", style="yellow")


def _say_usage(pipeline: str) -> str:
    """Say what uses the model that a pipeline delivers; empty where it delivers none."""
    from uncrappify.datasets.weights import read_description
    from uncrappify.inference.predictor import predictor_of

    try:
        kind = predictor_of(read_description(find_trained_weights(pipeline)))
    except UserError:
        return ""
    return kind.instead.removeprefix("Use ").removesuffix(".") or f"uncrappify apply {pipeline} PICTURES -o FOLDER"


def _comparison(pipeline: str, scores: Any) -> Table:
    """Draw a table of methods, the model's row standing out; of many metrics, each has a row of its own."""
    # No lines between columns: so many fit on 80 columns.
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.title, table.title_style, table.title_justify = pipeline, "bold", "left"
    if len(scores.columns) > MOST_COLUMNS:
        return _list_metrics(table, scores)
    for column in map(str, scores.columns):
        # Of those that can be told on two lines, the width is taken first.
        justify: Any = "left" if column in WORDS else "right"
        table.add_column(column.replace("_", " "), justify=justify, no_wrap="_" not in column)
    for row in scores.itertuples(index=False):
        cells = (_cell(value, DECIMALS.get(column, 3)) for column, value in zip(scores.columns, row, strict=True))
        table.add_row(*cells, style=_style(row))
    return table


def _list_metrics(table: Table, scores: Any) -> Table:
    """Fill a table with a row for each metric and a column for each method."""
    name, *metrics = map(str, scores.columns)
    table.add_column(name)
    for row in scores.itertuples(index=False):
        table.add_column(str(row[0]), justify="right", style=_style(row))
    for metric in metrics:
        table.add_row(metric.replace("_", " "), *(_cell(value, DECIMALS.get(metric, 3)) for value in scores[metric]))
    return table


def _style(row: Any) -> str:
    return "bold green" if {"model", "delivered"} & {row[0], row[-1]} else ""


def _cell(value: Any, decimals: int) -> str:
    if pd.isna(value):
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, Integral) else f"{value:.{decimals}f}"


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
