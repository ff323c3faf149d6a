"""The table of runs in docs/results.md, made from MLflow's store, so that no figure is copied by hand.

Without run ids it is the latest run of each pipeline that was trained and evaluated, smoke tests left out.

    python benchmarks/results.py
    python benchmarks/results.py RUN_ID RUN_ID --write
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results.md"
BEGIN, END = "<!-- runs: begin -->", "<!-- runs: end -->"

METRICS = {
    "PSNR": ("psnr", ".2f"),
    "SSIM": ("ssim", ".4f"),
    "gain, mean": ("psnr_gain_over_bicubic", "+.2f"),
    "gain, worst": ("psnr_gain_over_bicubic_worst", "+.2f"),
    "train, s": ("train_seconds", ".0f"),
    "crops/s": ("images_per_second", ".0f"),
    "data wait": ("data_wait_share", ".1%"),
    "memory, MB": ("peak_memory_mb", ".0f"),
}
"""Heading to MLflow's name of the metric and how it is written."""

HEADINGS = ("run", "date", *METRICS, "command", "machine")


def latest_runs(client: MlflowClient) -> list[Run]:
    """Find the latest run of each name that is whole: finished, trained and evaluated, and no smoke test."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    finished = client.search_runs(
        experiments, "attributes.status = 'FINISHED'", order_by=["attributes.start_time DESC"]
    )
    latest: dict[str, Run] = {}
    for run in filter(is_whole, finished):
        latest.setdefault(run.info.run_name, run)
    return list(latest.values())


def is_whole(run: Run) -> bool:
    """Say whether a run is one to report."""
    smoke = json.loads(run.data.tags.get("params", "{}")).get("smoke", False)
    return {"psnr", "train_seconds"} <= run.data.metrics.keys() and not smoke


def table(runs: Sequence[Run]) -> str:
    """Write a Markdown table with a row a run; what a run did not measure stays empty."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(_row, runs)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def rewritten(page: str, table: str, first: str = BEGIN, last: str = END) -> str:
    """Put a table between the page's two markers.

    Raises:
        ValueError: If the page has not each marker once, in order.
    """
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end) or page.count(first) + page.count(last) != 2:
        raise ValueError(f"the page needs {first} and {last}, each once, in this order")
    return f"{before}{first}\n\n{table}\n\n{last}{after}"


def _row(run: Run) -> tuple[str, ...]:
    date = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
    measured = run.data.metrics
    figures = (format(measured[name], form) if name in measured else "" for name, form in METRICS.values())
    command = run.data.tags.get("kedro_command", "").replace("|", "\\|")
    return run.info.run_name, f"{date:%Y-%m-%d}", *figures, f"`{command}`" if command else "", _machine(run)


def _machine(run: Run) -> str:
    tags = run.data.tags
    forms = {
        "cpu": "{}",
        "cores": "{} cores",
        "memory_gb": "{} GB",
        "gpu": "GPU: {}",
        "torch": "torch {}",
        "precision": "{}",
    }
    return ", ".join(
        form.format(tags[f"hardware.{name}"]) for name, form in forms.items() if f"hardware.{name}" in tags
    )


def main() -> None:
    """Find the runs, and show or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_ids", nargs="*", help="without any: the latest whole run of each pipeline")
    parser.add_argument("--store", help="MLflow's store (default: MLFLOW_TRACKING_URI, or the project's mlflow.db)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/results.md")
    arguments = parser.parse_args()
    store = arguments.store or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=store)
    runs = [client.get_run(run_id) for run_id in arguments.run_ids] or latest_runs(client)
    if not runs:
        parser.error(f"{store} has no finished run with a training and an evaluation")
    if arguments.write:
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), table(runs)), encoding="utf-8")
    else:
        sys.stdout.write(table(runs) + "\n")


if __name__ == "__main__":
    main()
