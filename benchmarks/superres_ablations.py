"""What does each choice of the benchmark's super-resolution bring? Ten minutes on two cores, one choice changed.

    python benchmarks/superres_ablations.py [NAME ...] --mirror FOLDER [--smoke]

Every row is a run of the pipeline `superres` in MLflow, environment `benchmark`, scored on 37 photographs of BSDS500's
validation set that the training does not watch; Set5 is not used. The steps are those that ten minutes hold on two
cores of an AMD EPYC (Zen 5), so that another machine repeats the training and not the time.
"""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd
from pipeline_run import run_pipeline

WATCHED = [f"bsds/val/{digit}*.jpg" for digit in (1, 4, 5, 6, 7, 8, 9)]
SCORED = ["bsds/val/2*.jpg", "bsds/val/3*.jpg"]
METRICS = ["psnr", "psnr_y", "feature_distance", "gradient_energy_ratio"]
STAGE: dict[str, Any] = {"size": 96, "batch_size": 8, "lr": 1e-3, "pct_start": 0.05, "loss": [{"l1": 1.0}]}
MODEL = {"channels": 48, "blocks": 8}
#: Name to steps, and what differs from the base: keys of the stage, of the training, of the model, or the seed.
CHOICES: dict[str, tuple[int, dict[str, Any]]] = {
    "base": (11200, {}),
    "seed 1": (11200, {"seed": 1}),
    "seed 2": (11200, {"seed": 2}),
    "batch 16": (5300, {"batch_size": 16}),
    "64 channels": (7000, {"channels": 64}),
    "32 channels": (19000, {"channels": 32}),
    "16 blocks": (6000, {"blocks": 16}),
    "4 blocks": (19000, {"blocks": 4}),
    "crops of 144": (5000, {"size": 144}),
    "crops of 48": (11200, {"size": 48, "batch_size": 32}),
    "no average": (11200, {"ema": 0.0}),
    "constant rate": (11200, {"schedule": "constant"}),
    "half the rate": (11200, {"lr": 5e-4}),
    "twice the rate": (11200, {"lr": 2e-3}),
    "luminance": (11200, {"loss": [{"l1_y": 0.9}, {"l1": 0.1}]}),
}


def main() -> None:
    """Train each choice and print its scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CHOICES)}; default: all")
    add_options(parser)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(CHOICES):
        parser.error(f"no choice {', '.join(sorted(unknown))}; there are {', '.join(CHOICES)}")
    rows = {}
    for name in arguments.names or CHOICES:
        rows[name] = scored(chosen(name), arguments.mirror, arguments.smoke)
        print(pd.DataFrame(rows).T.round(3).to_string(), flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every benchmark that trains on BSDS500."""
    parser.add_argument("--mirror", required=True, help="folder or URL with bsds.tar (docs/add-a-source.md)")
    parser.add_argument("--smoke", action="store_true", help="two batches a stage, to see that it runs")


def scored(changes: dict[str, Any], mirror: str, smoke: bool) -> dict[str, float]:
    """Train and score one choice.

    Args:
        changes: What differs from the environment's parameters.
        mirror: Where the photographs are.
        smoke: Train two batches a stage only.

    Returns:
        Means over the photographs: ``psnr`` and ``psnr_y`` in dB, ``feature_distance``, ``gradient_energy_ratio``;
        ``train_seconds``.
    """
    held_back = {"source": {"archive": {"layout": {"valid": WATCHED, "test": SCORED}}}, "test_source": None}
    parameters = {"superres": held_back | changes, "mirror": mirror, "smoke": smoke}
    outputs = run_pipeline("superres", parameters, env="benchmark")
    scores: pd.DataFrame = outputs["superres.scores"].load()
    means = scores[scores["method"] == "model"][METRICS].mean()
    seconds = outputs["superres.training_metrics"].load()["train_seconds"]
    return {metric: float(means[metric]) for metric in METRICS} | {"train_seconds": seconds}


def chosen(name: str) -> dict[str, Any]:
    """Give the parameters that differ from the environment's."""
    steps, changes = CHOICES[name]
    stage = STAGE | {"steps": steps} | {key: changes[key] for key in changes if key in {*STAGE, "schedule"}}
    return {
        "model": {"upscaler": MODEL | {key: changes[key] for key in changes if key in MODEL}},
        "training": {"stages": [stage]} | {key: changes[key] for key in changes if key == "ema"},
        **{key: changes[key] for key in changes if key == "seed"},
    }


if __name__ == "__main__":
    main()
