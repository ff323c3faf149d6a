"""The model beside what needs no network: how many pixels of which class are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from uncrappify.datasets import MaskedPictures
from uncrappify.evaluation.confusion import Confusion, Counts
from uncrappify.pictures.masks import VOID, Classes

MODEL = "model"
SAMPLED_PIXELS = 20_000
SAMPLED_PICTURES = 200
PIXELS_AT_ONCE = 1 << 18


class Method(Protocol):
    """From a picture, uint8 (H, W, 3), to the class of each pixel, uint8 (H, W)."""

    def __call__(self, picture: NDArray[np.uint8], /) -> Classes:
        """Say which class each pixel belongs to."""


@dataclass(frozen=True)
class MostFrequentClass:
    """Says the same class everywhere.

    Args:
        number: The class.
    """

    number: int

    def __call__(self, picture: NDArray[np.uint8], /) -> Classes:
        """Fill the picture."""
        return np.full(picture.shape[:2], self.number, dtype=np.uint8)


class ColourAndPlace:
    """Logistic regression on a pixel's colour and place, and their products: what can be said without seeing shapes.

    Args:
        features: (N, 5), of pixels.
        classes: (N,), their classes, at least two.
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
        """Say the likeliest class of each pixel, some rows at a time."""
        places = np.arange(picture.shape[0] * picture.shape[1])
        parts = np.array_split(places, -(-len(places) // PIXELS_AT_ONCE))
        found = [self._model.predict(_features(picture, part)).astype(np.uint8) for part in parts]
        return np.concatenate(found).reshape(picture.shape[:2])


def _sampled(pictures: MaskedPictures, random: np.random.Generator) -> tuple[NDArray[np.float32], Classes]:
    """Draw pixels that are not void, as many of each picture."""
    names = random.permutation(pictures.names)[:SAMPLED_PICTURES]
    samples = []
    for name in names:
        picture, mask = pictures[name]
        places = np.flatnonzero(mask.ravel() != VOID)
        places = random.choice(places, min(SAMPLED_PIXELS // len(names), len(places)), replace=False)
        samples.append((_features(np.asarray(picture), places), mask.ravel()[places]))
    features, classes = (np.concatenate(part) for part in zip(*samples, strict=True))
    return features, classes


def _features(picture: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Column and row (0 to 1), red, green and blue (0 to 1) of pixels, counted row by row: (N, 5)."""
    height, width = picture.shape[:2]
    rows, columns = np.divmod(places, width)
    position = np.stack([columns / width, rows / height], axis=-1)
    return np.concatenate([position, picture.reshape(-1, 3)[places] / 255], axis=-1).astype(np.float32)


def baselines(pictures: MaskedPictures, seed: int) -> dict[str, Method]:
    """Give what a network has to be better than, by name.

    Args:
        pictures: Those that the network learnt from.
        seed: Of the pixels that are drawn from them.
    """
    features, classes = _sampled(pictures, np.random.default_rng(seed))
    methods: dict[str, Method] = {"most frequent class": MostFrequentClass(int(np.bincount(classes).argmax()))}
    # Of one class there is nothing to tell apart.
    return {"colour and place": ColourAndPlace(features, classes)} | methods if np.ptp(classes) else methods


@dataclass
class Scores:
    """What is counted of a set of pictures.

    Args:
        classes: Names.
    """

    classes: Sequence[str]
    pictures: list[dict[str, str | float]] = field(default_factory=list)
    _totals: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, name: str, truth: Classes, predicted: Mapping[str, Classes]) -> None:
        """Count a picture.

        Args:
            name: Of the picture.
            truth: Its classes.
            predicted: What each method says.
        """
        for method, prediction in predicted.items():
            counts = compared(prediction, truth, len(self.classes))
            self.pictures.append({"picture": name, "method": method, "accuracy": counts.accuracy, "miou": counts.miou})
            self._totals[method] = self._totals.get(method, 0) + counts.matrix

    def of(self, method: str) -> Counts:
        """Give the counts over all pictures of a method."""
        return Counts(self._totals[method])

    def by_picture(self) -> pd.DataFrame:
        """One row a picture and method: ``picture``, ``method``, ``accuracy``, ``miou`` (over its own classes)."""
        return pd.DataFrame(self.pictures)

    def by_class(self) -> pd.DataFrame:
        """One row a class: ``class``, ``share`` of the true pixels, the model's ``iou``, and ``mostly_taken_for``."""
        counts = self.of(MODEL)
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

    def comparison(self) -> pd.DataFrame:
        """One row a method: ``method``, ``miou`` and ``accuracy`` over all pixels, the model first."""
        methods = [MODEL, *(method for method in self._totals if method != MODEL)]
        rows = [{"method": name, "miou": self.of(name).miou, "accuracy": self.of(name).accuracy} for name in methods]
        return pd.DataFrame(rows)

    def headline(self) -> dict[str, float]:
        """Give the metrics that a run is known by.

        Returns:
            ``miou`` (mean over classes of the intersection over union, over all pixels) and ``accuracy`` (share of the
            pixels that are right), both without void; ``iou_<class>``; and ``miou_<method>`` of each baseline.
        """
        counts = self.of(MODEL)
        return {
            "miou": counts.miou,
            "accuracy": counts.accuracy,
            **{f"iou_{name}": float(iou) for name, iou in zip(self.classes, counts.iou, strict=True) if iou == iou},
            **{f"miou_{_key(name)}": self.of(name).miou for name in self._totals if name != MODEL},
        }


def compared(prediction: Classes, truth: Classes, classes: int) -> Counts:
    """Count which class was taken for which in one picture; both uint8 (H, W)."""
    confusion = Confusion(classes)
    confusion.update(torch.from_numpy(prediction.astype(np.int64)), torch.from_numpy(truth.astype(np.int64)))
    return confusion.counts()


def worst_first(scores: pd.DataFrame, count: int) -> list[tuple[str, float, float]]:
    """Give name, accuracy and mean IoU of the pictures that the model is worst at by accuracy, the worst first."""
    rows = scores[scores["method"] == MODEL].sort_values("accuracy", kind="stable").head(count)
    return list(rows[["picture", "accuracy", "miou"]].itertuples(index=False, name=None))


def _key(method: str) -> str:
    return method.replace(" ", "_")
