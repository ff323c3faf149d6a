"""Is the default test set special? Train as often as it takes for each embedded photograph to be tested once.

    python benchmarks/leave_three_out.py [--smoke]

Every fold is a run of the pipeline `superres` in MLflow with other pictures held back, and all else as in the default.
"""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd
from pipeline_run import run_pipeline

# The two views of the motorcycle count as one photograph. The watched picture is never one of the fold's own.
FOLDS = {
    ("chelsea", "coffee", "flower"): "rocket",
    ("astronaut", "camera", "china"): "rocket",
    ("grace_hopper", "motorcycle_left", "rocket"): "chelsea",
}


def main() -> None:
    """Run the folds and print the gain of each picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="two batches a stage, to see that it runs")
    smoke = parser.parse_args().smoke
    scores = pd.concat([gains(list(test), valid, smoke) for test, valid in FOLDS.items()])
    print(scores.round(2).to_string())
    print(f"mean {scores['gain'].mean():.2f} dB, worst {scores['gain'].min():.2f} dB")


def gains(test: list[str], valid: str, smoke: bool) -> pd.DataFrame:
    """Train without some pictures and score them.

    Args:
        test: Names of the pictures.
        valid: Name of the picture that is watched.
        smoke: Train two batches only.

    Returns:
        PSNR of model and bicubic and their difference in dB, one row a picture.
    """
    held_back: dict[str, Any] = {"superres": {"source": {"embedded": {"test": test, "valid": [valid]}}}}
    scores: pd.DataFrame = run_pipeline("superres", held_back | {"smoke": smoke})["superres.scores"].load()
    psnr = scores.pivot_table(index="picture", columns="method", values="psnr")[["model", "bicubic"]]
    return psnr.assign(gain=psnr["model"] - psnr["bicubic"])


if __name__ == "__main__":
    main()
