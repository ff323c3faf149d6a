"""What the nodes of several templates share."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from uncrappify import sources
from uncrappify.datasets.description import TrainingData
from uncrappify.datasets.weights import TrainedModel, read_weights
from uncrappify.errors import UserError
from uncrappify.models.parameters import Network
from uncrappify.sources import PictureSource

log = logging.getLogger(__name__)

FEW_PICTURES = 3


def split(raw: PictureSource, manifest: pd.DataFrame) -> pd.DataFrame:
    """Assign every usable picture to train, valid or test.

    Args:
        raw: Says which pictures its source holds back, if it does.
        manifest: One row a picture.

    Returns:
        The usable rows of the manifest with ``split``.
    """
    assigned = sources.assign_splits(raw, manifest[manifest["usable"]])
    tested = int((assigned["split"] == "test").sum())
    if tested < FEW_PICTURES and not raw.own_split:
        log.warning("the test has %d of %d pictures: a score says little of so few", tested, len(assigned))
    return assigned


def count_pictures(manifest: pd.DataFrame) -> dict[str, float]:
    """Count what a manifest lists: ``pictures_usable`` and ``pictures_unusable``."""
    usable = int(manifest["usable"].sum())
    return {"pictures_usable": usable, "pictures_unusable": len(manifest) - usable}


def find_watched(split: pd.DataFrame) -> str:
    """Say which part is watched while a model trains: without one for that, the test, as in published results."""
    return "valid" if (split["split"] == "valid").any() else "test"


def hash_content(split: pd.DataFrame) -> str:
    """Hash what a training gets to see: the content of the pictures to learn from and to watch, twins and masks too.

    Where no picture is only for watching, those of the test are watched.
    """
    seen = split[split["split"] != "test"] if find_watched(split) == "valid" else split
    seen = seen.filter(["name", "label", "sha256", "degraded_sha256", "mask_sha256", "split"])
    return hashlib.sha256(seen.to_csv(index=False).encode()).hexdigest()


def describe_data(raw: PictureSource, split: pd.DataFrame, content: str) -> TrainingData:
    """Say what a model has learned from, for its description."""
    pictures = int((split["split"] == "train").sum())
    return TrainingData(source=raw.name, licence=raw.licence, pictures=pictures, fingerprint=content)


def leave_out_others(models: Mapping[str, TrainedModel | None], content: str) -> dict[str, TrainedModel]:
    """Leave out the models that are not trained, and those that have learned from other pictures, and name these.

    A model that has not learned here at all, only taken the weights of another one, is kept.

    Args:
        models: Name to trained model; None where it is not trained.
        content: Hash of what a training on the present pictures gets to see.

    Raises:
        UserError: If none is left.
    """
    trained = {name: model for name, model in models.items() if model}
    usable = {name: model for name, model in trained.items() if _has_learned_from(model, content)}
    if others := ", ".join(name for name in trained if name not in usable):
        log.warning(
            "%s: trained on other data, and left out; run the whole pipeline, or train it on this by its tag", others
        )
    if not usable:
        raise UserError(
            "no model of this pipeline is trained on this data. Run the whole pipeline, or train one of the "
            f"models by its tag, such as --tags data,{next(iter(models))},evaluation."
        )
    return usable


def _has_learned_from(model: TrainedModel, content: str) -> bool:
    data = model.description.data
    return not model.description.metrics.get("train_seconds") or (data is not None and data.fingerprint == content)


def read_ancestor(model: Network) -> TrainedModel | None:
    """Read the weights that a model starts from; None where it starts with fresh ones."""
    return read_weights(Path(model.weights)) if model.weights else None


class Comparison(NamedTuple):
    """Several models of a pipeline beside each other.

    Attributes:
        scores: Of each that is trained.
        table: One row a model.
        delivered: Name of the one that the pipeline delivers, if any.
        shown: The same where it is trained, else the best one's name.
        cards: Model card of each that is trained.
        each: Metrics and card of each model in turn, empty where it is not trained.
    """

    scores: dict[str, Any]
    table: pd.DataFrame
    delivered: str | None
    shown: str
    cards: dict[str, str]
    each: list[Any]

    @property
    def metrics(self) -> dict[str, float]:
        """Of the model that is shown, and of its training."""
        best = self.scores[self.shown]
        metrics: dict[str, float] = best.metrics | best.training_metrics
        return metrics


def compare(
    models: Mapping[str, TrainedModel | None],
    content: str,
    delivers: str | None,
    score: Callable[[TrainedModel], Any],
    write_card: Callable[[Any], str],
) -> Comparison:
    """Score the models of a pipeline, and say which of them it delivers.

    Args:
        models: ``<model>_model``, trained; None where it is not.
        content: Hash of what a training on the present data gets to see.
        delivers: ``best``: the best on what was watched; else a model's name, empty for the last; None: no model.
        score: Measures a model.
        write_card: Writes a model card from that.

    Raises:
        UserError: If none of the models is trained on this data.
    """
    from uncrappify.evaluation.comparison import choose_delivered, tabulate

    names = {name.removesuffix("_model"): model for name, model in models.items()}
    scores = {name: score(model) for name, model in leave_out_others(names, content).items()}
    delivered, shown = choose_delivered(delivers, list(names), scores)
    cards = {name: write_card(found) for name, found in scores.items()}
    each = [part for name in names for part in (scores[name].metrics if name in scores else {}, cards.get(name, ""))]
    return Comparison(scores, tabulate(list(names), scores, delivered), delivered, shown, cards, each)
