"""Which model should a user take? The default upscaler, and two U-Nets that train about as long.

    python benchmarks/superres_models.py [--smoke]

Each row is a run of the pipeline `superres` in MLflow on the embedded photographs, with the default's recipe and
augmentation, scored on the default's test pictures. The U-Nets have the Lite0 encoder, once with two convolutions a
block and once with a residual block; their steps are those that the upscaler's time holds on two cores of an AMD EPYC
(Zen 5). In the end all models restore the test pictures in turn, on the CPU.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from pipeline_run import find_weights, run_pipeline
from superres_peers import DAMAGES, by_model, damaged, embedded, load_ours, measure

from uncrappify.inference import Restorer

METRICS = ["psnr", "psnr_gain_over_bicubic", "feature_distance"]
STAGE: dict[str, Any] = {"size": 96, "batch_size": 8, "loss": [{"l1": 1.0}]}
#: First the decoder alone, then all. A stage starts a new average of the weights, so it has to forget soon.
UNET_TRAINING: dict[str, Any] = {
    "ema": 0.99,
    "stages": [
        STAGE | {"steps": 180, "lr": [1e-4, 1e-3], "freeze_encoder": True},
        STAGE | {"steps": 420, "lr": [1e-4, 1e-3]},
    ],
}
#: Name to what differs from the default run.
MODELS: dict[str, dict[str, Any]] = {
    "upscaler": {},
    **{
        f"unet, {block}": {"model": {"name": "unet", "unet": {"block": block}}, "training": UNET_TRAINING}
        for block in ("convolutions", "residual")
    },
}
ROUNDS = 5


def main() -> None:
    """Train every model, and print one table of quality and cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="two batches a stage, to see that it runs")
    smoke = parser.parse_args().smoke
    rows, models = {}, {}
    for name, changes in MODELS.items():
        rows[name] = scored(changes, smoke)
        models[name] = load_ours(find_weights("superres", smoke=smoke))
        print(pd.DataFrame(rows).T.round(3).to_string(), flush=True)
    table = pd.DataFrame(rows).T.join(cost(models, 1 if smoke else ROUNDS))
    table["parameters"] = table["parameters"].map("{:,.0f}".format)
    print(table.round(3).to_string())


def scored(changes: dict[str, Any], smoke: bool) -> dict[str, float]:
    """Train and score one model.

    Args:
        changes: What differs from the default's parameters.
        smoke: Train two batches a stage only.

    Returns:
        ``train_seconds``, and means over the test pictures: ``psnr`` and ``psnr_gain_over_bicubic`` in dB,
        ``feature_distance``.
    """
    outputs = run_pipeline("superres", {"superres": changes, "smoke": smoke})
    means = outputs["superres.test_metrics"].load()
    seconds = outputs["superres.training_metrics"].load()["train_seconds"]
    return {"train_seconds": seconds} | {metric: means[metric] for metric in METRICS}


def cost(models: Mapping[str, Restorer], rounds: int) -> pd.DataFrame:
    """Give ``parameters`` and ``seconds_a_megapixel`` of output of each model: medians of rounds, all in turn."""
    with tempfile.TemporaryDirectory() as scratch:
        cases = damaged("photographs", embedded(Path(scratch)))
    pictures = [case.degraded for case in cases if case.damage == next(iter(DAMAGES))]
    taken = measure({name: partial(by_model, model) for name, model in models.items()}, pictures, rounds)
    megapixels = sum(case.target.width * case.target.height for case in cases) / len(DAMAGES) / 1e6
    return pd.DataFrame(
        {
            name: {
                "parameters": turns[0].parameters,
                "seconds_a_megapixel": statistics.median(turn.seconds for turn in turns) / megapixels,
            }
            for name, turns in taken.items()
        }
    ).T


if __name__ == "__main__":
    main()
