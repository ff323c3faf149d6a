"""Is this checkout slower than another one? The nodes list, crappify and train of both, in turn.

    git worktree add --detach ../before <commit>
    python benchmarks/before_after.py ../before [--folder ~/Pictures] [--rounds 5] [--steps 0]

Each round runs both checkouts, each in a process and a project of its own, with the same parameters; a node's seconds
include loading and saving its data, but neither Kedro's start nor MLflow. Only the ratios within a round mean anything.
Without a folder, the pictures are the embedded photographs, several times each under names of their own. With --steps,
the default training is run as well, for so many steps.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
NODE_SECONDS = """
import json, sys, time
from pathlib import Path
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner
bootstrap_project(Path.cwd())
parameters, nodes = json.loads(sys.argv[1]), sys.argv[2:]
with KedroSession.create(Path.cwd(), runtime_params=parameters) as session:
    catalog = session.load_context().catalog
    seconds = {}
    for node in ("download", *nodes):
        pipeline = pipelines["superres"].filter(node_names=[f"superres.{node}"])
        started = time.perf_counter()
        SequentialRunner().run(pipeline, catalog)
        seconds[node] = time.perf_counter() - started
Path("seconds.json").write_text(json.dumps(seconds))
"""


def time_nodes(checkout: Path, parameters: dict[str, object], nodes: list[str]) -> dict[str, float]:
    """Run nodes of `superres` in a new project, made of a checkout's code and configuration; seconds of each."""
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch)
        shutil.copytree(checkout / "conf", project / "conf")
        shutil.copy(checkout / "pyproject.toml", project)
        shutil.copytree(checkout / "src", project / "src")
        environment = os.environ | {"PYTHONPATH": str(project / "src")}
        command = [sys.executable, "-c", NODE_SECONDS, json.dumps(parameters), *nodes]
        told = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        if told.returncode:
            sys.exit(f"{checkout}:\n{told.stdout}{told.stderr}")
        seconds: dict[str, float] = json.loads((project / "seconds.json").read_text(encoding="utf-8"))
        return seconds


def make_pictures(folder: Path, copies: int) -> Path:
    """Write the embedded photographs several times, each copy with one pixel of its own."""
    from PIL import Image

    from uncrappify.sources import Source, fetch, list_pictures

    found = fetch(Source(), folder / "raw")
    manifest = list_pictures(found)
    (folder / "pictures").mkdir()
    for file in manifest.loc[manifest["usable"], "file"]:
        picture = Image.open(found.root / file).convert("RGB")
        for copy in range(copies):
            picture.putpixel((0, 0), (copy, 0, 0))
            picture.save(folder / "pictures" / f"{Path(file).stem}_{copy}.png")
    return folder / "pictures"


def main() -> None:
    """Measure in turn, and print medians and the ratios of each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--folder", type=Path, help="pictures")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="of the training; 0: none")
    given = parser.parse_args()
    nodes = ["list", "crappify", *(["split", "train"] if given.steps else [])]
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or make_pictures(Path(scratch), copies=12)
        parameters: dict[str, object] = {"pictures": str(folder.resolve())}
        if given.steps:
            stage = {"size": 96, "batch_size": 8, "steps": given.steps, "lr": 1.5e-3, "loss": [{"l1": 1.0}]}
            parameters["superres"] = {"training": {"stages": [stage]}}
        rounds = []
        for number in range(given.rounds + 1):
            # The first round warms the caches; each goes first every other time.
            order = [given.before.resolve(), HERE] if number % 2 else [HERE, given.before.resolve()]
            rounds.append({checkout: time_nodes(checkout, parameters, nodes) for checkout in order})
    print("| node | before (s) | now (s) | now / before, median | of each round |\n|---|---|---|---|---|")
    for node in (node for node in nodes if node != "split"):
        before = [taken[given.before.resolve()][node] for taken in rounds[1:]]
        now = [taken[HERE][node] for taken in rounds[1:]]
        ratios = [mine / theirs for mine, theirs in zip(now, before, strict=True)]
        told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        medians = [statistics.median(values) for values in (before, now, ratios)]
        print(f"| {node} | {medians[0]:.2f} | {medians[1]:.2f} | {medians[2]:.3f} | {told} |")


if __name__ == "__main__":
    main()
