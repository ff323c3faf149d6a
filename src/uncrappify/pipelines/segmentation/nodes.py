"""The nodes of a segmentation pipeline, each a sentence."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from PIL import Image
from plotly.graph_objects import Figure

from uncrappify import sources
from uncrappify.datasets import MaskedPictures, Pictures, SegmentationDescription, TrainedModel, TrainingRun
from uncrappify.errors import UserError
from uncrappify.models.parameters import SegmentationModel
from uncrappify.pictures.masks import Labels
from uncrappify.pipelines.nodes import count_pictures, describe_data, hash_content, read_ancestor
from uncrappify.pipelines.segmentation.model_card import model_card
from uncrappify.pipelines.segmentation.parameters import Evaluation
from uncrappify.sources import MaskedSource, PictureSource
from uncrappify.training.parameters import SegmentationTraining


def download(source: MaskedSource, raw_data: Path) -> PictureSource:
    """Bring pictures and masks here, or draw them.

    Args:
        source: Where they come from.
        raw_data: The folder for raw data of all sources.

    Returns:
        The folder that they are in.
    """
    return sources.fetch(source, raw_data)


def list_pictures(raw: PictureSource, labels: Labels) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Look at every picture and mask once and write down what is wrong with it.

    Args:
        raw: The folder with pictures and masks.
        labels: What masks mean.

    Returns:
        The manifest, one row a picture; how many pixels each class has in it; ``pictures_usable`` and
        ``pictures_unusable``.

    Raises:
        UserError: A mask does not fit its picture or the labels.
    """
    manifest, class_pixels = sources.examine_masks(raw, sources.list_pictures(raw), labels)
    return manifest, class_pixels, count_pictures(manifest)


def train(
    raw: PictureSource,
    split: pd.DataFrame,
    class_pixels: pd.DataFrame,
    labels: Labels,
    model: SegmentationModel,
    training: SegmentationTraining,
    seed: int,
    run: TrainingRun,
) -> tuple[TrainedModel, pd.DataFrame, Figure, pd.DataFrame, dict[str, float]]:
    """Train the network.

    Args:
        raw: The folder with pictures.
        split: Which picture is for what, and its mask.
        class_pixels: How many pixels each class has in each picture.
        labels: What masks mean.
        model: Which network, and which weights it starts from.
        training: How it is trained.
        seed: Of everything random.
        run: The training's folder, where a killed one goes on.

    Returns:
        The model, the history, its curves, the table of layers, and the metrics of the training.
    """
    import lightning.pytorch as pl
    import torch

    from uncrappify.learners.segmentation import SegmentationData, SegmentationLearner
    from uncrappify.models import build
    from uncrappify.training.fit import fit

    pl.seed_everything(seed, verbose=False)
    classes = {"out_channels": len(labels.classes)}
    network = build(model.kind, model.name, model.to_build | classes)
    train, valid = (_pictures(raw, split, labels, part) for part in ("train", "valid"))
    pixels = class_pixels.set_index("name").reindex(index=list(train.names), columns=labels.classes)
    if pixels.isna().any(axis=None):
        raise UserError(
            "labels.classes: the masks were listed with other classes. Run again from the node list (the whole "
            "pipeline, without --from-nodes)."
        )
    learner = SegmentationLearner(network, training, torch.tensor(pixels.to_numpy()))
    size = model.size or training.stages[-1].size
    data = SegmentationData(train, valid, size, training, hash_content(split))
    description = SegmentationDescription(
        model=model.name,
        options=model.options.architecture | classes,
        labels=labels,
        size=size,
        data=describe_data(raw, split, hash_content(split)),
    )
    ancestor = read_ancestor(model)
    return fit(learner, data, training, seed=seed, run=run, description=description, ancestor=ancestor).outputs


def evaluate(
    raw: PictureSource, split: pd.DataFrame, labels: Labels, seed: int, model: TrainedModel, evaluation: Evaluation
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Figure, Image.Image, dict[str, float], str]:
    """Score the test pictures, beside what needs no network.

    Args:
        raw: The folder with pictures.
        split: Which picture is for what, and its mask.
        labels: What masks mean.
        seed: Of the pixels that the baseline learns from.
        model: The trained model.
        evaluation: How, and what is shown.

    Returns:
        Scores by picture and method, by class, and by method; the confusion matrix; a sheet of pictures, the worst
        first; the metrics; and the model card.
    """
    import numpy as np

    from uncrappify.evaluation.confusion import draw_confusion
    from uncrappify.evaluation.mask_sheet import draw_segmentation_sheet
    from uncrappify.evaluation.segmentation import MODEL, Scores, find_worst, fit_baselines
    from uncrappify.inference import Segmenter
    from uncrappify.progress import track

    segment = Segmenter.from_trained(model, flip=evaluation.flip)
    if segment.labels.classes != labels.classes:
        raise UserError(
            "labels.classes: the model was trained for other classes. Run again from the node list (the whole "
            "pipeline, without --from-nodes)."
        )
    methods = {MODEL: segment} | fit_baselines(_pictures(raw, split, labels, "train"), seed)
    test = _pictures(raw, split, labels, "test")
    scores = Scores(labels.classes)
    for name in track(test.names, "evaluating", len(test)):
        picture, truth = test[name]
        scores.add(name, truth, {name: method(np.asarray(picture)) for name, method in methods.items()})
    counts, by_picture = scores.get_counts(MODEL), scores.tabulate_pictures()
    # Segmented once more, so that not all of them have to be kept.
    shown = (
        ((name, *test[name], segment(np.asarray(test.pictures[name]))), accuracy, miou)
        for name, accuracy, miou in find_worst(by_picture, evaluation.sheet_rows)
    )
    sheet = draw_segmentation_sheet(shown, labels, counts.iou.tolist())
    comparison, by_class = scores.tabulate_methods(), scores.tabulate_classes()
    card = model_card(segment.description, comparison, by_class, flip=evaluation.flip)
    figure = draw_confusion(counts, labels.classes)
    return by_picture, by_class, comparison, figure, sheet, scores.compute_metrics(), card


def _pictures(raw: PictureSource, split: pd.DataFrame, labels: Labels, part: str) -> MaskedPictures:
    rows = split[split["split"] == part]
    names = rows["name"].tolist()
    pictures, masks = (
        {name: raw.root / file for name, file in zip(names, rows[column], strict=True)} for column in ("file", "mask")
    )
    known, known_masks = (dict(zip(names, rows[column], strict=True)) for column in ("sha256", "mask_sha256"))
    pixels = int((rows["width"] * rows["height"]).sum())
    return MaskedPictures(Pictures(pictures, known), masks, names, labels, pixels, known_masks)
