"""The table of scores: each picture by the model and by every baseline, and what is concluded from it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from PIL import Image

from uncrappify.evaluation.baselines import BASELINES, enlarge
from uncrappify.evaluation.metrics import psnr, ssim

MODEL = "model"
METRICS = ["psnr", "ssim"]

#: Name, degraded, prediction, target; prediction and target have the same size.
ScoredPicture = tuple[str, Image.Image, Image.Image, Image.Image]


def score_pictures(pictures: Iterable[ScoredPicture]) -> pd.DataFrame:
    """Score the model beside the baselines, picture by picture; one picture at a time is in memory.

    Args:
        pictures: Name, degraded, prediction and target of each picture, RGB.

    Returns:
        One row a picture and method: ``picture``, ``method`` (model, nearest, bilinear, bicubic, lanczos), ``psnr``
        (dB), ``ssim``.

    Raises:
        ValueError: If there are no pictures, or a prediction differs in size from its target (names the picture).
    """
    rows = [row for picture in pictures for row in _score(*picture)]
    if not rows:
        raise ValueError("there are no pictures to score")
    return pd.DataFrame(rows)


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """The comparison: mean over pictures of each method's scores, the model first.

    Args:
        scores: The table of ``score_pictures``.

    Returns:
        One row a method: ``method``, ``psnr`` (dB), ``ssim``, ``gain_over_bicubic`` (dB).
    """
    means = scores.groupby("method", sort=False)[METRICS].mean().loc[[MODEL, *BASELINES]]
    gains = means["psnr"] - float(means["psnr"].to_dict()["bicubic"])
    return means.assign(gain_over_bicubic=gains).reset_index()


def headline(scores: pd.DataFrame) -> dict[str, float]:
    """The metrics that a run is known by.

    Args:
        scores: The table of ``score_pictures``.

    Returns:
        Means over pictures ``psnr``, ``ssim`` (of the model), ``psnr_bicubic``, ``ssim_bicubic``,
        ``psnr_gain_over_bicubic`` (dB), and ``psnr_gain_over_bicubic_worst``: the least gain of any one picture (dB),
        negative where the model made a picture worse.
    """
    model, bicubic = (scores[scores["method"] == method].set_index("picture")[METRICS] for method in (MODEL, "bicubic"))
    gain = model["psnr"] - bicubic["psnr"]
    return {
        "psnr": float(model["psnr"].mean()),
        "ssim": float(model["ssim"].mean()),
        "psnr_bicubic": float(bicubic["psnr"].mean()),
        "ssim_bicubic": float(bicubic["ssim"].mean()),
        "psnr_gain_over_bicubic": float(gain.mean()),
        "psnr_gain_over_bicubic_worst": float(gain.min()),
    }


def _score(
    name: str, degraded: Image.Image, prediction: Image.Image, target: Image.Image
) -> list[dict[str, str | float]]:
    if prediction.size != target.size:
        raise ValueError(f"{name}: the prediction is {prediction.size}, its target {target.size}")
    candidates = {MODEL: prediction} | {method: enlarge(degraded, target.size, method) for method in BASELINES}
    truth = np.asarray(target)
    return [
        {"picture": name, "method": method, "psnr": psnr(pixels, truth), "ssim": ssim(pixels, truth)}
        for method, pixels in ((method, np.asarray(picture)) for method, picture in candidates.items())
    ]
