"""The nodes of a classification pipeline, each a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from plotly.graph_objects import Figure

from uncrappify import sources
from uncrappify.datasets import ClassificationDescription, LabelledPictures, TrainedModel, TrainingRun
from uncrappify.errors import UserError
from uncrappify.models.parameters import ClassificationModel
from uncrappify.pipelines import nodes as shared
from uncrappify.pipelines.classification.parameters import Evaluation
from uncrappify.sources import LabelledSource, PictureSource
from uncrappify.training.parameters import ClassificationTraining

SMALLEST_SIDE = 4


def download(source: LabelledSource, raw_data: Path) -> PictureSource:
    """Bring the pictures here.

    Args:
        source: Where they come from.
        raw_data: The folder for raw data of all sources.

    Returns:
        The folder that they are in.
    """
    return sources.fetch(source, raw_data)


def list_pictures(raw: PictureSource) -> tuple[pd.DataFrame, dict[str, float]]:
    """Look at every picture once and write down what is wrong with it, and its class.

    Args:
        raw: The folder with pictures.

    Returns:
        The manifest, one row a picture; ``pictures_usable`` and ``pictures_unusable``.
    """
    manifest = sources.label_pictures(raw, sources.list_pictures(raw, smallest=SMALLEST_SIDE))
    return manifest, shared.count_pictures(manifest)


def split(raw: PictureSource, manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Assign every usable picture to train, valid or test, within each class, and show the classes.

    Args:
        raw: Says which pictures its source holds back, if it does.
        manifest: One row a picture.

    Returns:
        The usable rows of the manifest with ``split``, and how many pictures each class has in each.

    Raises:
        UserError: If a class has too few pictures, or there is only one.
    """
    sources.check_classes(raw, manifest)
    assigned = shared.split(raw, manifest)
    return assigned, sources.count_classes(assigned)


def decode(raw: PictureSource, split: pd.DataFrame, size: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    """Decode all pictures, once for all models.

    Args:
        raw: The folder with pictures.
        split: The pictures to decode.
        size: Height and width that they are brought to; None: they all have the same.

    Returns:
        (N, C, H, W), in the order of the table; C is 1 where all are grey, else 3.

    Raises:
        UserError: If pictures differ in size and none is given, or there is no room for all.
    """
    return sources.decode_pictures(raw, split, size)


def train(
    raw: PictureSource,
    split: pd.DataFrame,
    classes: pd.DataFrame,
    pixels: npt.NDArray[np.uint8],
    model: ClassificationModel,
    training: ClassificationTraining,
    seed: int,
    run: TrainingRun,
) -> tuple[TrainedModel, pd.DataFrame, Figure, pd.DataFrame, dict[str, float]]:
    """Train a network.

    Args:
        raw: Says where the pictures are from.
        split: Which picture is for what, and its class.
        classes: The classes, in order.
        pixels: The pictures, decoded.
        model: Which network, and which weights it starts from.
        training: How it is trained.
        seed: Of everything random.
        run: The training's folder, where a killed one goes on.

    Returns:
        The model, the history, its curves, the table of layers, and the metrics of the training.
    """
    import lightning.pytorch as pl

    from uncrappify.learners.classification import ClassificationData, ClassificationLearner
    from uncrappify.models import build
    from uncrappify.training.fit import fit

    pl.seed_everything(seed, verbose=False)
    watched = shared.find_watched(split)
    learned, valid = (select(pixels, split, classes, part) for part in ("train", watched))
    content, ancestor = hash_pictures(split, pixels), shared.read_ancestor(model)
    _check_ancestor(ancestor, learned, run.name)
    description = ClassificationDescription(
        model=model.name,
        options=model.options.architecture,
        classes=list(learned.classes),
        size=learned.size,
        mean=learned.mean,
        std=learned.std,
        data=shared.describe_data(raw, split, content),
        watched=watched,
    )
    network = build(model.kind, model.name, description.to_build | model.to_build)
    learner = ClassificationLearner(network, training, learned.shape)
    data = ClassificationData(learned, valid, training, content)
    return fit(learner, data, training, seed=seed, run=run, description=description, ancestor=ancestor).outputs


def evaluate(
    pixels: npt.NDArray[np.uint8],
    split: pd.DataFrame,
    classes: pd.DataFrame,
    evaluation: Evaluation,
    delivers: str | None,
    **models: TrainedModel | None,
) -> tuple[Any, ...]:
    """Score the models on the test pictures, and say which of them the pipeline delivers.

    Args:
        pixels: The pictures, decoded.
        split: Which picture is for what, and its class.
        classes: The classes, in order.
        evaluation: What is shown.
        delivers: ``best``: the best on the pictures that were watched; else a model's name, empty for the last; None:
            no model.
        models: ``<model>_model``, trained; None where it is not.

    Returns:
        The table of models; of the delivered one, or else of the best, the confusion matrix, a sheet with the surest
        mistakes, its name, and its metrics; the pipeline's card; then metrics and card of each model, empty where it
        is not trained.

    Raises:
        UserError: If none of the models is trained on these pictures.
    """
    from uncrappify.evaluation.class_sheet import draw_mistakes
    from uncrappify.evaluation.classification import score
    from uncrappify.evaluation.confusion import draw_confusion
    from uncrappify.pipelines.classification.model_card import model_card, pipeline_card

    test = select(pixels, split, classes, "test")
    content = hash_pictures(split, pixels)
    found = shared.compare(models, content, delivers, lambda model: score(model, test), model_card)
    best = found.scores[found.shown]
    return (
        found.table,
        draw_confusion(best.counts, test.classes),
        draw_mistakes(test, best.probabilities, evaluation.sheet_pictures),
        {"model": found.delivered or ""},
        found.metrics,
        pipeline_card(found.table, found.shown, found.cards[found.shown]),
        *found.each,
    )


def select(pixels: npt.NDArray[np.uint8], split: pd.DataFrame, classes: pd.DataFrame, part: str) -> LabelledPictures:
    """Take the pictures of a part of the split.

    Args:
        pixels: All pictures, in the order of ``split``.
        split: Which picture is for what, and its class.
        classes: The classes, in order.
        part: train, valid or test.
    """
    names: Sequence[str] = classes["class"].tolist()
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[name] for name in split["label"]], dtype=np.int64)
    pictures = LabelledPictures(pixels, labels, split["name"].tolist(), names)
    return pictures.take(np.flatnonzero(split["split"] == part))


def hash_pictures(split: pd.DataFrame, pixels: npt.NDArray[np.uint8]) -> str:
    """Hash what a training gets to see: the content of the pictures, and the size that they are seen in."""
    return f"{shared.hash_content(split)}-{'x'.join(map(str, pixels.shape[1:]))}"


def _check_ancestor(ancestor: TrainedModel | None, learned: LabelledPictures, name: str) -> None:
    """Check that weights to start from are of as many classes, and of as many channels.

    Raises:
        UserError: If they are not.
    """
    if ancestor is None:
        return
    theirs: Any = ancestor.description
    for what, given, needed in (
        ("classes", len(theirs.classes), len(learned.classes)),
        ("channels", theirs.channels, learned.shape[0]),
    ):
        if given != needed:
            raise UserError(
                f"{name}.model.weights: these weights are of pictures with {given} {what}, and yours have {needed}. "
                "Start from weights of the same, or from fresh ones."
            )
