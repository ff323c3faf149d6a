"""Several models of one pipeline beside each other: the table, the best, and which one is delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from uncrappify.parameters.delivery import BEST

NOT_TRAINED = "not trained"
DELIVERED = "delivered"


class Scores(Protocol):
    """What is measured of a model."""

    @property
    def training_metrics(self) -> dict[str, float]:
        """Metrics of the training, with those of the last validation."""

    @property
    def row(self) -> dict[str, float | None]:
        """What the table says of it, ``parameters`` first."""


def find_best(scores: Mapping[str, Scores]) -> str:
    """Find the model that had most right of what was watched in the end, of equals the one with the lower loss on it.

    Args:
        scores: Of the trained models.
    """

    def rank(name: str) -> tuple[float, float]:
        measured = scores[name].training_metrics
        return measured.get("valid_accuracy", 0.0), -measured.get("valid_loss", np.inf)

    return max(scores, key=rank)


def choose_delivered(
    delivers: str | None, names: Sequence[str], scores: Mapping[str, Scores]
) -> tuple[str | None, str]:
    """Say which model a pipeline delivers, and which is shown.

    Args:
        delivers: ``best``; else a model's name, empty for the last; None: no model.
        names: Of all models of the pipeline.
        scores: Of the trained ones.

    Returns:
        The delivered one's name, if any; the same where it is trained, else the best one's.
    """
    best = find_best(scores)
    if delivers is None:
        return None, best
    delivered = {BEST: best, "": names[-1]}.get(delivers, delivers)
    return delivered, delivered if delivered in scores else best


def tabulate(names: Sequence[str], scores: Mapping[str, Scores], delivered: str | None) -> pd.DataFrame:
    """Put the models side by side.

    Args:
        names: All models of the pipeline, in order.
        scores: Of those that are trained.
        delivered: The one that the pipeline delivers, if any.

    Returns:
        One row a model: ``model``, what :attr:`Scores.row` has, and a ``note``; figures of a model that is not trained
        are missing.
    """
    rows = []
    for name in names:
        note = NOT_TRAINED if name not in scores else DELIVERED if name == delivered else ""
        rows.append({"model": name, **(scores[name].row if name in scores else {}), "note": note})
    figures = next(iter(scores.values())).row
    return pd.DataFrame(rows, columns=["model", *figures, "note"]).astype({"parameters": "Int64"})
