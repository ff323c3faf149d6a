"""Scores of the model and of every baseline, by picture and as means."""

import math
from collections.abc import Iterable
from itertools import chain, starmap

import numpy as np
import pandas as pd
from PIL import Image

from uncrappify.evaluation.baselines import BASELINES, enlarge
from uncrappify.evaluation.metrics import Pixels, gradient_energy_ratio, psnr, ssim
from uncrappify.evaluation.perceptual import feature_distances, lpips_distances
from uncrappify.evaluation.protocol import psnr_y, ssim_y

MODEL = "model"

#: Name, degraded, prediction, target; prediction and target have the same size.
ScoredPicture = tuple[str, Image.Image, Image.Image, Image.Image]


def score_pictures(pictures: Iterable[ScoredPicture]) -> pd.DataFrame:
    """Score the model and the baselines, picture by picture; only one picture is in memory at a time.

    Args:
        pictures: Name, degraded, prediction and target of each picture, RGB.

    Returns:
        One row a picture and method: ``picture``, ``method`` (model, nearest, bilinear, bicubic, lanczos), ``psnr``
        (dB), ``ssim``, ``psnr_y`` (dB), ``ssim_y``, ``feature_distance``, ``gradient_energy_ratio``, and ``lpips`` if
        its weights are available.

    Raises:
        ValueError: If there are no pictures, or a prediction differs in size from its target (names the picture).
    """
    rows = list(chain.from_iterable(starmap(_score, pictures)))
    if not rows:
        raise ValueError("there are no pictures to score")
    return pd.DataFrame(rows)


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Average each method's scores over the pictures, the model first.

    Args:
        scores: The table of ``score_pictures``.

    Returns:
        One row a method: ``method``, ``psnr``, ``gain_over_bicubic`` (dB), and each other metric of ``scores``.
    """
    means = scores.drop(columns="picture").groupby("method", sort=False).mean().loc[[MODEL, *BASELINES]]
    gains = means["psnr"] - float(means["psnr"].to_dict()["bicubic"])
    # Next to the PSNR.
    means.insert(1, "gain_over_bicubic", gains)
    return means.reset_index()


def compute_metrics(scores: pd.DataFrame) -> dict[str, float]:
    """Compute the metrics that are logged for a run.

    Args:
        scores: The table of ``score_pictures``.

    Returns:
        Means over pictures of each metric of ``scores`` for the model (``psnr``) and for bicubic enlargement
        (``psnr_bicubic``), without those that no picture has; ``psnr_gain_over_bicubic`` (dB), and
        ``psnr_gain_over_bicubic_worst``: the smallest gain of any picture (dB), negative if the model made a
        picture worse.
    """
    model, bicubic = (scores[scores["method"] == method].set_index("picture") for method in (MODEL, "bicubic"))
    gain = model["psnr"] - bicubic["psnr"]
    means = {
        f"{metric}{suffix}": float(table[metric].mean())
        for table, suffix in ((model, ""), (bicubic, "_bicubic"))
        for metric in scores.columns.drop(["picture", "method"])
    }
    return {
        **{name: mean for name, mean in means.items() if not math.isnan(mean)},
        "psnr_gain_over_bicubic": float(gain.mean()),
        "psnr_gain_over_bicubic_worst": float(gain.min()),
    }


def _score(
    name: str, degraded: Image.Image, prediction: Image.Image, target: Image.Image
) -> list[dict[str, str | float]]:
    if prediction.size != target.size:
        raise ValueError(f"{name}: the prediction is {prediction.size}, its target {target.size}")
    candidates = {MODEL: np.asarray(prediction)}
    candidates |= {method: np.asarray(enlarge(degraded, target.size, method)) for method in BASELINES}
    truth = np.asarray(target)
    scale = max(1, round(target.width / degraded.width))
    rows: list[dict[str, str | float]] = [
        {"picture": name, "method": method, **_measure(pixels, truth, scale)} for method, pixels in candidates.items()
    ]
    for metric, measure in (("feature_distance", feature_distances), ("lpips", lpips_distances)):
        for row, distance in zip(rows, measure(list(candidates.values()), truth), strict=False):
            row[metric] = distance
    return rows


def _measure(prediction: Pixels, target: Pixels, scale: int) -> dict[str, float]:
    return {
        "psnr": psnr(prediction, target),
        "ssim": ssim(prediction, target),
        "psnr_y": psnr_y(prediction, target, scale),
        "ssim_y": ssim_y(prediction, target, scale),
        "gradient_energy_ratio": gradient_energy_ratio(prediction, target),
    }
