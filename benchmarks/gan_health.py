"""Draw how a GAN fares: both losses, texture and PSNR of the validation pictures, and the film's first and last frame.

    python benchmarks/gan_health.py FILE.png [--sick] [--smoke]

Runs `restore`. With `--sick`, the critic learns 13 times as fast, and its word counts 25 times as much.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from PIL import Image
from pipeline_run import PROJECT, run_pipeline

SICK = {"critic_lr": 2e-2, "adversarial": 1.0}
PANELS = {
    "loss": {"train_critic_loss": "critic", "train_generator_loss": "generator"},
    "texture distance": {"valid_texture_distance": "valid"},
    "PSNR, dB": {"valid_psnr": "valid"},
}


def main() -> None:
    """Run and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--sick", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="two batches a stage, to see that it runs")
    arguments = parser.parse_args()
    stage = {"stages": {"0": SICK}} if arguments.sick else {}
    parameters = {"restore": {"gan": {"training": stage}} if stage else {}, "smoke": arguments.smoke}
    run_pipeline("restore", parameters)
    data = PROJECT / "data" / ("smoke" if arguments.smoke else "")
    history = pd.read_parquet(data / "06_models/restore/gan/history.parquet")
    frames = sorted((data / "08_reporting/restore/gan/snapshots/film").glob("*.png"))
    draw(history, [frames[0], frames[-1]], arguments.file)


def draw(history: pd.DataFrame, frames: list[Path], file: Path) -> None:
    """Draw curves, and pictures below them."""
    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(13, 3.4), constrained_layout=True)
    for axis, (title, lines) in zip(axes, PANELS.items(), strict=True):
        for column, name in lines.items():
            points = history[["step", column]].dropna()
            axis.plot(points["step"], points[column].rolling(5, min_periods=1).median(), label=name)
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
    axes[0].set_yscale("log")
    axes[0].legend()
    figure.savefig(file, dpi=100)
    curves = Image.open(file).convert("RGB")
    shown = [Image.open(frame).convert("RGB") for frame in frames]
    page = Image.new("RGB", (curves.width, curves.height + shown[0].height + 20), "white")
    page.paste(curves, (0, 0))
    for number, picture in enumerate(shown):
        page.paste(picture, (20 + number * (curves.width // 2), curves.height + 10))
    page.save(file)


if __name__ == "__main__":
    main()
