"""Make what docs/ shows of MLflow's page and of kedro-viz, from runs of this machine.

    python benchmarks/pages.py [--browser chromium] [--steps 800] [--smoke]

The default `superres` is trained for some steps in three widths; MLflow's comparison of the three runs becomes
docs/images/mlflow-compare.png, the pipeline with previews of its data docs/viz/, a page to be served by anything.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from mlflow import MlflowClient
from PIL import Image
from pipeline_run import PROJECT, run_pipeline

STORE = f"sqlite:///{PROJECT}/mlflow.db"
WIDTHS = (16, 32, 48)
WINDOW = (1700, 2600)
OF_INTEREST = (0, 0, 1264, 2010)
"""Without MLflow's assistant at the right and the empty preview of files at the bottom."""

IMAGES, SITE = PROJECT / "docs" / "images", PROJECT / "docs" / "viz"


def main() -> None:
    """Train, and make the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", default="chromium", help="a Chromium; default: chromium")
    parser.add_argument("--steps", type=int, default=800, help="of each training; default: 800")
    parser.add_argument("--smoke", action="store_true", help="two batches a stage, to see that it runs")
    arguments = parser.parse_args()
    for channels in WIDTHS:
        stage = {"size": 96, "batch_size": 8, "steps": arguments.steps, "lr": 1.5e-3, "loss": [{"l1": 1.0}]}
        changes = {"model": {"upscaler": {"channels": channels}}, "training": {"stages": [stage]}}
        run_pipeline("superres", {"superres": changes, "smoke": arguments.smoke})
    client = MlflowClient(STORE)
    experiment = client.get_experiment_by_name("uncrappify")
    assert experiment is not None
    newest = client.search_runs([experiment.experiment_id], order_by=["start_time DESC"], max_results=len(WIDTHS))
    chosen = {"runs": [run.info.run_id for run in reversed(newest)], "experiments": [experiment.experiment_id]}
    query = "&".join(f"{name}={quote(json.dumps(identifiers))}" for name, identifiers in chosen.items())
    with mlflow_page() as address:
        screenshot(arguments.browser, f"{address}/#/compare-runs?{query}", IMAGES / "mlflow-compare.png")
    build_site()


@contextlib.contextmanager
def mlflow_page() -> Iterator[str]:
    """Serve MLflow's page by the README's command, and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "kedro", "mlflow", "ui", "--port", str(port)],
        cwd=PROJECT,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                with urlopen(f"{address}/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)


def screenshot(browser: str, address: str, file: Path) -> None:
    """Open a page without a window, wait until it has loaded its data, and write what is of interest as PNG."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "page.png"
        size = ",".join(map(str, WINDOW))
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"),
                *(f"--user-data-dir={folder}/profile", f"--window-size={size}", "--virtual-time-budget=120000"),
                *(f"--screenshot={made}", address),
            ],
            check=True,
            capture_output=True,
        )
        if not made.is_file():
            sys.exit(f"{browser} has made no picture of {address}")
        with Image.open(made) as picture:
            picture.crop(OF_INTEREST).quantize(128).save(file, optimize=True)


def build_site() -> None:
    """Build kedro-viz's static page."""
    with tempfile.TemporaryDirectory() as folder:
        # It builds into the current folder's build/, where the project's own may have other things.
        (Path(folder) / "src").mkdir()
        for name in ("conf", "data", "pyproject.toml"):
            (Path(folder) / name).symlink_to(PROJECT / name)
        viz = [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"]
        subprocess.run(viz, cwd=folder, check=True)
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.move(Path(folder) / "build", SITE)
    for file in (file for file in SITE.glob("api/**/*") if file.is_file()):
        text = file.read_text(encoding="utf-8")
        for place in (f"{Path(folder).resolve()}/", f"{PROJECT}/"):
            text = text.replace(place, "")
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
