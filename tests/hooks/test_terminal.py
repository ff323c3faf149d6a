"""The summary of a run."""

from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from uncrappify.hooks.terminal import _comparison

METRICS = ["psnr", "gain_over_bicubic", "ssim", "psnr_y", "ssim_y", "gradient_energy_ratio", "feature_distance"]
OF_TEXT = ["psnr_in_text", "gain_in_text", "psnr_outside_text", "gain_outside_text"]


@pytest.mark.parametrize("metrics", [[*METRICS, "texture_distance"], [*METRICS, *OF_TEXT, "texture_distance"]])
def test_the_comparison_fits_on_80_columns_with_every_figure(metrics):
    figures = {metric: 20 + number / 7 for number, metric in enumerate(metrics)}
    methods = ["model", "nearest", "bilinear", "bicubic", "lanczos"]
    console = Console(file=StringIO(), width=80)
    console.print(_comparison("restore", pd.DataFrame([{"method": method, **figures} for method in methods])))
    shown = console.file.getvalue()
    assert "…" not in shown
    assert all(method in shown for method in methods)
    for metric, figure in figures.items():
        decimals = 2 if metric.startswith(("psnr", "gain")) else 1 if metric == "texture_distance" else 3
        assert shown.count(f" {figure:.{decimals}f}") == 5
