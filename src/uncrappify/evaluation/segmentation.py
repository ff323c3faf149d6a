"""Evaluation of a segmentation: scores of the model and of baselines without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from uncrappify.datasets import MaskedPictures
from uncrappify.evaluation.confusion import Confusion, Counts, name_metrics
from uncrappify.pictures.masks import VOID, Classes

MODEL = "model"
SAMPLED_PIXELS = 20_000
SAMPLED_PICTURES = 200
PIXELS_AT_ONCE = 1 << 18


class Method(Protocol):
    """A function from a picture, uint8 (H, W, 3), to the class of each pixel, uint8 (H, W)."""

    def __call__(self, picture: NDArray[np.uint8], /) -> Classes:
        """Predict the class of each pixel."""


@dataclass(frozen=True)
class MostFrequentClass:
    """Predicts the same class everywhere.

    Args:
        number: Index of the class.
    """

    number: int

    def __call__(self, picture: NDArray[np.uint8], /) -> Classes:
        """Fill the picture."""
        return np.full(picture.shape[:2], self.number, dtype=np.uint8)


class ColourAndPlace:
    """Logistic regression on a pixel's colour and position, and their products: a baseline that sees no shapes.

    Args:
        features: Features of pixels, (N, 5).
        classes: Their classes, (N,), with at least two different ones.
    """

    def __init__(self, features: NDArray[np.float32], classes: Classes) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import PolynomialFeatures, StandardScaler

        self._model = make_pipeline(
            PolynomialFeatures(2, include_bias=False), StandardScaler(), LogisticRegression(max_iter=1000)
        )
        self._model.fit(features, classes)

    def __call__(self, picture: NDArray[np.uint8], /) -> Classes:
        """Predict the class of each pixel, in batches of pixels."""
        places = np.arange(picture.shape[0] * picture.shape[1])
        parts = np.array_split(places, -(-len(places) // PIXELS_AT_ONCE))
        found = [self._model.predict(_compute_features(picture, part)).astype(np.uint8) for part in parts]
        return np.concatenate(found).reshape(picture.shape[:2])


def _sample_pixels(pictures: MaskedPictures, random: np.random.Generator) -> tuple[NDArray[np.float32], Classes]:
    """Draw pixels that are not void at random, as many from each picture."""
    names = random.permutation(pictures.names)[:SAMPLED_PICTURES]
    samples = []
    for name in names:
        picture, mask = pictures[name]
        places = np.flatnonzero(mask.ravel() != VOID)
        places = random.choice(places, min(SAMPLED_PIXELS // len(names), len(places)), replace=False)
        samples.append((_compute_features(np.asarray(picture), places), mask.ravel()[places]))
    features, classes = (np.concatenate(part) for part in zip(*samples, strict=True))
    return features, classes


def _compute_features(picture: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return column, row, red, green and blue, each in 0..1, of the pixels at flat indices ``places``: (N, 5)."""
    height, width = picture.shape[:2]
    rows, columns = np.divmod(places, width)
    position = np.stack([columns / width, rows / height], axis=-1)
    return np.concatenate([position, picture.reshape(-1, 3)[places] / 255], axis=-1).astype(np.float32)


def fit_baselines(pictures: MaskedPictures, seed: int) -> dict[str, Method]:
    """Fit the baselines that a network has to beat.

    Args:
        pictures: The training pictures.
        seed: Seed for the pixels that are drawn from them.

    Returns:
        Name to method.
    """
    features, classes = _sample_pixels(pictures, np.random.default_rng(seed))
    methods: dict[str, Method] = {"most frequent class": MostFrequentClass(int(np.bincount(classes).argmax()))}
    # Logistic regression needs at least two classes.
    return {"colour and place": ColourAndPlace(features, classes)} | methods if np.ptp(classes) else methods


@dataclass
class Scores:
    """Counts over a set of pictures, by method.

    Args:
        classes: Names of the classes.
    """

    classes: Sequence[str]
    pictures: list[dict[str, str | float]] = field(default_factory=list)
    _totals: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, name: str, truth: Classes, predicted: Mapping[str, Classes]) -> None:
        """Count a picture.

        Args:
            name: Name of the picture.
            truth: True class of each pixel, uint8 (H, W).
            predicted: Name of the method to its prediction, uint8 (H, W).
        """
        for method, prediction in predicted.items():
            counts = compare(prediction, truth, len(self.classes))
            self.pictures.append({"picture": name, "method": method, "accuracy": counts.accuracy, "miou": counts.miou})
            self._totals[method] = self._totals.get(method, 0) + counts.matrix

    def get_counts(self, method: str) -> Counts:
        """Return a method's counts over all pictures."""
        return Counts(self._totals[method])

    def tabulate_pictures(self) -> pd.DataFrame:
        """Return one row a picture and method: ``picture``, ``method``, ``accuracy``, ``miou`` (of its own classes)."""
        return pd.DataFrame(self.pictures)

    def tabulate_classes(self) -> pd.DataFrame:
        """Return one row a class: ``class``, ``share`` of true pixels, the model's ``iou``, ``mostly_taken_for``."""
        counts = self.get_counts(MODEL)
        true = counts.matrix.sum(1)
        wrong = counts.matrix * (1 - np.eye(len(self.classes), dtype=np.int64))
        return pd.DataFrame(
            {
                "class": list(self.classes),
                "share": true / true.sum(),
                "iou": counts.iou,
                "mostly_taken_for": [self.classes[row.argmax()] if row.any() else "" for row in wrong],
            }
        )

    def tabulate_methods(self) -> pd.DataFrame:
        """Return one row a method: ``method``, ``miou`` and ``accuracy`` over all pixels, the model first."""
        methods = [MODEL, *(method for method in self._totals if method != MODEL)]
        rows = [
            {"method": name, "miou": self.get_counts(name).miou, "accuracy": self.get_counts(name).accuracy}
            for name in methods
        ]
        return pd.DataFrame(rows)

    def compute_metrics(self) -> dict[str, float]:
        """Compute the metrics that are logged for a run.

        Returns:
            ``miou`` (mean over classes of the intersection over union, over all pixels) and ``accuracy`` (share of the
            pixels that are right), both without void; ``iou_<class>``; and ``miou_<method>`` of each baseline.
        """
        counts, named = self.get_counts(MODEL), name_metrics(self.classes)
        return {
            "miou": counts.miou,
            "accuracy": counts.accuracy,
            **{named[name]: float(iou) for name, iou in zip(self.classes, counts.iou, strict=True) if iou == iou},
            **{f"miou_{_to_key(name)}": self.get_counts(name).miou for name in self._totals if name != MODEL},
        }


def compare(prediction: Classes, truth: Classes, classes: int) -> Counts:
    """Count the confusions of one picture's prediction; both uint8 (H, W)."""
    confusion = Confusion(classes)
    confusion.update(torch.from_numpy(prediction.astype(np.int64)), torch.from_numpy(truth.astype(np.int64)))
    return confusion.compute_counts()


def find_worst(scores: pd.DataFrame, count: int) -> list[tuple[str, float, float]]:
    """Return name, accuracy and mean IoU of the ``count`` pictures with the model's lowest accuracy, worst first."""
    rows = scores[scores["method"] == MODEL].sort_values("accuracy", kind="stable").head(count)
    return list(rows[["picture", "accuracy", "miou"]].itertuples(index=False, name=None))


def _to_key(method: str) -> str:
    return method.replace(" ", "_")
