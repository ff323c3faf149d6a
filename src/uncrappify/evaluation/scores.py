"""Scores of models and of every baseline: by draw of the damage, by picture, and as means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from uncrappify.degradations import Draw
from uncrappify.evaluation.baselines import BASELINES, enlarge
from uncrappify.evaluation.metrics import Pixels, gradient_energy_ratio, psnr, psnr_by_part, ssim
from uncrappify.evaluation.perceptual import create_textures, feature_distances, lpips_distances
from uncrappify.evaluation.protocol import psnr_y, ssim_y

if TYPE_CHECKING:
    from uncrappify.evaluation.texture import TextureStatistics

MODEL = "model"
"""What a pipeline's only model is called in its tables."""

GAINS = {"psnr": "gain_over_bicubic", "psnr_in_text": "gain_in_text", "psnr_outside_text": "gain_outside_text"}
"""Each PSNR to the column with its difference to that of bicubic enlargement; as a metric, ``psnr_`` is before it."""

BY_DRAW = tuple(column for pair in GAINS.items() for column in pair)
"""Columns that are measured for every draw, in dB, those of text for recipes with text."""

METRICS = (*BY_DRAW, "ssim", "psnr_y", "ssim_y", "gradient_energy_ratio", "feature_distance", "lpips")


@dataclass(frozen=True)
class ScoredPicture:
    """A picture, damaged by one draw of a recipe, and what models made of it, RGB.

    Args:
        name: Of the picture.
        degraded: The damaged picture, of the target's size or smaller.
        predictions: Name of each model to what it made, of the target's size.
        target: What it should be.
        text: (H, W) of the target, where the damage is text; None for a recipe without.
        draw: Number of the draw; beyond the first, 0, only PSNR is measured.
        seed: Of the draw.
        drawn: What each step drew (``jpeg.quality``: 43).
    """

    name: str
    degraded: Image.Image
    predictions: Mapping[str, Image.Image]
    target: Image.Image
    text: NDArray[np.bool_] | None = None
    draw: int = 0
    seed: int = 0
    drawn: Mapping[str, Draw] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """What is measured of models and baselines.

    Args:
        by_draw: One row a picture, draw and method: ``picture``, ``draw``, ``seed``, ``method`` (models, nearest,
            bilinear, bicubic, lanczos), :data:`BY_DRAW`, for a picture's first draw the other :data:`METRICS`
            (``lpips`` if its weights are available), and what each step drew.
        texture_distances: Of each method, on the first draws of all pictures.
        models: Names of the models.
    """

    by_draw: pd.DataFrame
    texture_distances: Mapping[str, float]
    models: tuple[str, ...]

    @property
    def metrics(self) -> list[str]:
        """Columns of :attr:`by_draw` that are measured."""
        return [metric for metric in METRICS if metric in self.by_draw]

    @property
    def by_picture(self) -> pd.DataFrame:
        """Means over draws: one row a picture and method, with ``picture``, ``method`` and the metrics."""
        return self.by_draw.groupby(["picture", "method"], sort=False)[self.metrics].mean().reset_index()

    def estimate_errors(self, column: str) -> pd.DataFrame:
        """Estimate by how much a mean over draws and pictures may be off.

        The standard error over pictures is the standard deviation of the pictures' means over the square root of their
        number: how much another choice of pictures would change the result. That over draws, ``sqrt(sum_p v_p / d_p) /
        P`` for ``P`` pictures with the variance ``v_p`` of the ``d_p`` draws of each, is how much other draws would.

        Args:
            column: One of :data:`BY_DRAW`.

        Returns:
            One row a method: ``standard_error`` over pictures, NaN for a single one, and ``standard_error_draws``, NaN
            for single draws.
        """
        draws = self.by_draw.pivot(index=["picture", "draw"], columns="method", values=column).groupby(level="picture")
        means = draws.mean()
        over_draws = (draws.var() / draws.count()).sum(min_count=1) ** 0.5 / means.count()
        return pd.DataFrame({"standard_error": means.std() / means.count() ** 0.5, "standard_error_draws": over_draws})


def score_pictures(pictures: Iterable[ScoredPicture]) -> Scores:
    """Score models and baselines, picture by picture; only one picture is in memory at a time.

    Args:
        pictures: The test pictures, each with its draws one after the other.

    Raises:
        ValueError: If there are no pictures, or a prediction differs in size from its target (names both).
    """
    rows: list[dict[str, object]] = []
    textures: dict[str, TextureStatistics] = {}
    models: tuple[str, ...] = ()
    for picture in pictures:
        models = tuple(picture.predictions)
        # The empty name is that of the targets.
        textures = textures or _create_textures(["", *models, *BASELINES])
        rows += _score(picture, textures)
    if not rows:
        raise ValueError("there are no pictures to score")
    good = textures.pop("")
    distances = {method: texture.distance(good) for method, texture in textures.items()}
    return Scores(pd.DataFrame(rows), distances, models)


def summarise(scores: Scores) -> pd.DataFrame:
    """Average each method's scores over draws and pictures, the models first.

    Args:
        scores: Of the test pictures.

    Returns:
        One row a method: ``method``, the :data:`METRICS` that are there, and ``texture_distance``.
    """
    means = scores.by_picture.drop(columns="picture").groupby("method", sort=False).mean()
    means["texture_distance"] = pd.Series(dict(scores.texture_distances))
    return means.loc[[*scores.models, *BASELINES]].reset_index()


def compute_metrics(scores: Scores, model: str = MODEL) -> dict[str, float]:
    """Compute the metrics that are logged for a model's run.

    Args:
        scores: Of the test pictures.
        model: Which of their models.

    Returns:
        What :func:`summarise` says of the model (``psnr``) and of bicubic enlargement (``psnr_bicubic``), the model's
        gains as ``psnr_gain_over_bicubic``, ``psnr_gain_in_text`` and ``psnr_gain_outside_text`` (dB), and
        ``psnr_gain_over_bicubic_worst``: the smallest gain of any picture (dB), negative if the model made a picture
        worse. The errors of :meth:`Scores.estimate_errors` have a name such as ``psnr_standard_error`` over pictures,
        and ``psnr_standard_error_draws`` over draws. Without what cannot be told.
    """
    means = {row.pop("method"): row for row in summarise(scores).to_dict("records")}
    names = {column: f"psnr_{column}" if column in GAINS.values() else str(column) for column in means[model]}
    figures = {name: means[model][column] for column, name in names.items()}
    figures |= {f"{name}_bicubic": means["bicubic"][column] for column, name in names.items() if name == column}
    for column in scores.metrics:
        if column in BY_DRAW:
            for error, size in scores.estimate_errors(column).loc[model].items():
                figures[f"{names[column]}_{error}"] = size
    gains = scores.by_picture.query("method == @model")["gain_over_bicubic"]
    figures["psnr_gain_over_bicubic_worst"] = gains.min()
    return {name: float(figure) for name, figure in figures.items() if not math.isnan(figure)}


def _create_textures(names: list[str]) -> dict[str, TextureStatistics]:
    return dict(zip(names, create_textures(len(names)), strict=True))


def _score(picture: ScoredPicture, textures: Mapping[str, TextureStatistics]) -> list[dict[str, object]]:
    name, degraded, target = picture.name, picture.degraded, picture.target
    for model, prediction in picture.predictions.items():
        if prediction.size != target.size:
            raise ValueError(f"{name}: the prediction of {model} is {prediction.size}, its target {target.size}")
    candidates = {model: np.asarray(prediction) for model, prediction in picture.predictions.items()}
    candidates |= {method: np.asarray(enlarge(degraded, target.size, method)) for method in BASELINES}
    truth = np.asarray(target)
    measured = {method: _measure(pixels, truth, picture.text) for method, pixels in candidates.items()}
    if picture.draw == 0:
        scale = max(1, round(target.width / degraded.width))
        for method, pixels in candidates.items():
            measured[method] |= _measure_closely(pixels, truth, scale)
        looks = list(candidates.values())
        distances = feature_distances(looks, truth, [textures[method] for method in ("", *candidates)])
        for metric, found in (("feature_distance", distances), ("lpips", lpips_distances(looks, truth))):
            for method, distance in zip(candidates, found, strict=False):
                measured[method][metric] = distance
    for metric, gain in GAINS.items():
        for figures in measured.values():
            if metric in figures:
                figures[gain] = figures[metric] - measured["bicubic"][metric]
    place = {"picture": name, "draw": picture.draw, "seed": picture.seed}
    return [place | {"method": method} | figures | dict(picture.drawn) for method, figures in measured.items()]


def _measure(prediction: Pixels, target: Pixels, text: NDArray[np.bool_] | None) -> dict[str, float]:
    """Measure what is measured for every draw, and quickly."""
    figures = {"psnr": psnr(prediction, target)}
    if text is not None:
        figures["psnr_in_text"], figures["psnr_outside_text"] = psnr_by_part(prediction, target, text)
    return figures


def _measure_closely(prediction: Pixels, target: Pixels, scale: int) -> dict[str, float]:
    return {
        "ssim": ssim(prediction, target),
        "psnr_y": psnr_y(prediction, target, scale),
        "ssim_y": ssim_y(prediction, target, scale),
        "gradient_energy_ratio": gradient_energy_ratio(prediction, target),
    }
