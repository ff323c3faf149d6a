"""The confusion matrix, and the accuracy and IoU that follow from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unicodedata import normalize

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from uncrappify.pictures.masks import VOID

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


# Of a name of a metric, without a number that is added; MLflow takes 250.
_LONGEST = 200


@dataclass(frozen=True)
class Counts:
    """Number of pixels, or of pictures, by true class (row) and predicted class (column), without void.

    Args:
        matrix: int64 (classes, classes).
    """

    matrix: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Share of pixels, or pictures, whose class is right, without void (the lesson's ``acc_camvid``); 0 to 1."""
        return float(np.trace(self.matrix) / max(1, self.matrix.sum()))

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class, over all pixels; NaN if it is neither true nor predicted anywhere."""
        right = np.diag(self.matrix)
        union = self.matrix.sum(0) + self.matrix.sum(1) - right
        return np.where(union > 0, right / np.maximum(union, 1), np.nan)

    @property
    def miou(self) -> float:
        """Mean of :attr:`iou` over the classes for which it is not NaN."""
        return float(np.nanmean(self.iou))


class Confusion(MulticlassConfusionMatrix):
    """torchmetrics' confusion matrix without void, fast also where PyTorch's deterministic algorithms are on.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes, ignore_index=VOID, validate_args=False)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count pixels; both tensors hold classes and have the same shape, whichever it is."""
        with _nondeterministic():
            super().update(preds.flatten(), target.flatten().long())

    def compute_counts(self) -> Counts:
        """Return the counts so far."""
        return Counts(self.compute().cpu().numpy())


def name_metrics(classes: Sequence[str]) -> dict[str, str]:
    """Name each class's IoU as MLflow allows it: letters, digits, and ``_-. ``, of at most 250 characters.

    Other characters, such as the vowel signs of Hindi, become ``_``; names that are the same then get a number.

    Returns:
        Class to the name of its metric, ``iou_<class>``.
    """
    named: dict[str, str] = {}
    for place, name in enumerate(classes):
        metric = "iou_" + re.sub(r"[^\w. -]", "_", normalize("NFC", name))[:_LONGEST]
        named[name] = f"{metric}_{place}" if metric in named.values() else metric
    return named


@contextmanager
def _nondeterministic() -> Iterator[None]:
    """Integer counts do not depend on the order of addition, and torchmetrics' deterministic way takes seconds."""
    strict, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warn)


def find_confused(counts: Counts, classes: Sequence[str], most: int = 5) -> list[tuple[str, str, int]]:
    """Find the pairs of classes that are confused most often.

    Args:
        counts: By true and predicted class.
        classes: Names of the classes.
        most: How many pairs at most.

    Returns:
        True class, predicted class and how often, the most frequent first; those that never happen are left out.
    """
    wrong = counts.matrix - np.diag(np.diag(counts.matrix))
    places = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(classes)) for place in places]
    return [(classes[true], classes[taken], int(wrong[true, taken])) for true, taken in pairs if wrong[true, taken]]


def draw_confusion(counts: Counts, classes: Sequence[str]) -> Figure:
    """Draw the confusion matrix, each row in percent of what belongs to the true class.

    Args:
        counts: Pixels by true and predicted class.
        classes: Names of the classes.

    Returns:
        A heatmap.
    """
    from plotly.graph_objects import Figure, Heatmap

    shares = 100 * counts.matrix / np.maximum(counts.matrix.sum(1, keepdims=True), 1)
    heatmap = Heatmap(
        # Lists, because plotly writes arrays as base64, which the plotly.js of a viewer may be too old to read.
        z=shares.round(2).tolist(),
        x=list(classes),
        y=list(classes),
        text=[[f"{share:.0f}" if share >= 0.5 else "" for share in row] for row in shares],
        texttemplate="%{text}",
        hovertemplate="%{y}: %{z:.1f} % taken for %{x}<extra></extra>",
        colorscale="Blues",
        zmin=0,
        zmax=100,
        colorbar={"title": "% of row"},
        xgap=1,
        ygap=1,
    )
    figure = Figure(heatmap)
    # Categories, also where the names of the classes are numbers.
    figure.update_xaxes(title_text="predicted", type="category", side="bottom", automargin=True)
    figure.update_yaxes(title_text="true", type="category", autorange="reversed", automargin=True)
    figure.update_layout(margin={"l": 20, "r": 20, "t": 30, "b": 20}, template="plotly_white")
    return figure
