"""What does the feature loss bring? The same network, the same five minutes, three seeds, with it and without.

    python benchmarks/feature_training.py [--seeds 0 1 2] [--sheet] --mirror FOLDER [--smoke]

Pictures are made three times smaller, without JPEG: what JPEG takes away, no loss brings back to its place. Each row is
a run of the pipeline `superres` in MLflow, trained on BSDS500's training set and scored on 37 photographs of its
validation set. The steps are those that five minutes hold on two cores of an AMD EPYC (Zen 5). `--sheet` draws what the
models of the last seed make of the photographs that the default run tests on.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from peers_sheet import Compared, details
from pipeline_run import PROJECT, find_weights
from superres_ablations import MODEL, STAGE, add_options, scored
from superres_peers import damaged, embedded

import uncrappify
from uncrappify.evaluation.baselines import enlarge

DAMAGE = "x3"
#: Name to the stages of the training. With the feature loss, less than half of the five minutes goes to L1 alone.
LOSSES: dict[str, list[dict[str, Any]]] = {
    "L1": [STAGE | {"steps": 6000}],
    "feature": [STAGE | {"steps": 2000}, STAGE | {"steps": 2200, "loss": [{"l1": 1.0}, {"feature": 1.0}]}],
}
#: Share of the old in the average of the weights. A stage starts a new average, so it has to forget soon.
EMA = 0.99
SHEET = PROJECT / "docs" / "images" / "feature-loss.jpg"


def main() -> None:
    """Train with every seed and loss, print the scores, and draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="default: 0 1 2")
    parser.add_argument("--sheet", action="store_true", help=f"draw {SHEET.relative_to(PROJECT)}")
    add_options(parser)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        models = {name: Path(scratch) / f"{name}.safetensors" for name in LOSSES}
        for seed in arguments.seeds:
            for name, stages in LOSSES.items():
                training = {"ema": EMA, "stages": stages}
                changes = {"seed": seed, "model": {"upscaler": MODEL}, "training": training}
                rows.append({"seed": seed, "loss": name, **scored(changes, arguments.mirror, arguments.smoke)})
                shutil.copy(find_weights("superres", smoke=arguments.smoke), models[name])
                print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)
        if arguments.sheet:
            draw(models)
    print(pd.DataFrame(rows).groupby("loss").mean().drop(columns="seed").round(3).to_string())


def draw(models: Mapping[str, Path]) -> None:
    """Show what each model makes of the photographs of the default run's test set."""
    restorers = {name: uncrappify.load(path) for name, path in models.items()}
    with tempfile.TemporaryDirectory() as scratch:
        cases = [case for case in damaged("photographs", embedded(Path(scratch))) if case.damage == DAMAGE]
    lines = [
        Compared(
            f"{case.name}, {case.damage}",
            case.degraded,
            {
                "bicubic": enlarge(case.degraded, case.target.size, "bicubic"),
                **{name: restore(case.degraded) for name, restore in restorers.items()},
            },
            case.target,
        )
        for case in cases
    ]
    details(lines, ("L1", "feature")).save(SHEET, quality=85, optimize=True)


if __name__ == "__main__":
    main()
