"""The summary of a run."""

from io import StringIO

import pandas as pd
import pytest
import torch
from rich.console import Console

import uncrappify.hooks.terminal
from uncrappify.datasets import RestorationDescription, TrainedModel, Weights
from uncrappify.datasets.description import LanguageDescription
from uncrappify.errors import UserError
from uncrappify.hooks.terminal import _comparison, _say_usage
from uncrappify.text.tokens import MARKS

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


@pytest.mark.parametrize(
    ("description", "usage"),
    [
        (
            RestorationDescription(model="upscaler", options={}, scale=3, recipe=[]),
            "uncrappify apply nice PICTURES -o FOLDER",
        ),
        (
            LanguageDescription(model="gru", options={}, vocabulary=[*MARKS, "one"], text="numbers"),
            "uncrappify count, or uncrappify continue",
        ),
    ],
)
def test_what_is_trained_is_used_by_a_command(description, usage, tmp_path, monkeypatch):
    file = tmp_path / "model.safetensors"
    Weights(filepath=str(file)).save(TrainedModel({"weight": torch.zeros(1)}, description))
    monkeypatch.setattr(uncrappify.hooks.terminal, "find_trained_weights", lambda _: file)
    assert _say_usage("nice") == usage


def test_a_pipeline_that_delivers_nothing_is_used_by_none(monkeypatch):
    def refuse(_):
        raise UserError("landscape delivers no model")

    monkeypatch.setattr(uncrappify.hooks.terminal, "find_trained_weights", refuse)
    assert _say_usage("landscape") == ""
