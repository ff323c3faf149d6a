"""The nodes of a segmentation pipeline, each a sentence."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from PIL import Image
from plotly.graph_objects import Figure

from uncrappify import sources
from uncrappify.datasets import MaskedPictures, Pictures, TrainedModel
from uncrappify.errors import UserError
from uncrappify.models.parameters import SegmentationModel
from uncrappify.pictures.masks import Labels
from uncrappify.pipelines.nodes import counted, fingerprint, show, trained
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
    return manifest, class_pixels, counted(manifest)


def train(
    raw: PictureSource,
    split: pd.DataFrame,
    class_pixels: pd.DataFrame,
    labels: Labels,
    model: SegmentationModel,
    training: SegmentationTraining,
    seed: int,
    checkpoints: Path,
    snapshots: Path,
) -> tuple[TrainedModel, pd.DataFrame, Figure, dict[str, float]]:
    """Train the network.

    Args:
        raw: The folder with pictures.
        split: Which picture is for what, and its mask.
        class_pixels: How many pixels each class has in each picture.
        labels: What masks mean.
        model: Which network.
        training: How it is trained.
        seed: Of everything random.
        checkpoints: A folder of this training's own, where a killed one goes on.
        snapshots: A folder for pictures of the training.

    Returns:
        The model, the history, its curves, and the metrics of the training.
    """
    import lightning.pytorch as pl
    import torch

    from uncrappify.evaluation.curves import training_curves
    from uncrappify.evaluation.mask_sheet import draw_masked_batch_sheet
    from uncrappify.models import build_segmenter
    from uncrappify.training.segmentation import SegmentationTask

    pl.seed_everything(seed, verbose=False)
    network = build_segmenter(model.name, model.unet.model_dump(), len(labels.classes))
    train_pictures, valid_pictures = (_pictures(raw, split, labels, part) for part in ("train", "valid"))
    size = model.size or training.stages[-1].size
    pixels = class_pixels.set_index("name").reindex(index=list(train_pictures.names), columns=labels.classes)
    if pixels.isna().any(axis=None):
        raise UserError(
            "labels.classes: the masks were listed with other classes. Run again from the node list (the whole "
            "pipeline, without --from-nodes)."
        )
    name = checkpoints.parent.name
    task = SegmentationTask(
        name, network, train_pictures, valid_pictures, torch.tensor(pixels.to_numpy()), size, training
    )
    pictures, masks = task.batches(training.stages[0], seed)[0]
    show(draw_masked_batch_sheet(pictures.permute(0, 2, 3, 1).numpy(), masks.numpy(), labels), snapshots / "batch.png")
    fitted = trained(
        task,
        training,
        seed=seed,
        checkpoints=checkpoints,
        snapshots=snapshots,
        fingerprint=_fingerprint(split, labels, model, training, seed),
    )
    description = {
        "task": "segmentation",
        "model": model.name,
        "options": model.unet.architecture,
        "labels": labels.model_dump(mode="json"),
        "size": list(size),
        "normalisation": "RGB in 0..1",
        "metrics": fitted.metrics,
        "data": {"source": raw.name, "licence": raw.licence, "pictures": len(train_pictures)},
    }
    return TrainedModel(fitted.state, description), fitted.history, training_curves(fitted.history), fitted.metrics


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
    card = model_card(model.description, comparison, by_class, flip=evaluation.flip)
    figure = draw_confusion(counts, labels.classes)
    return by_picture, by_class, comparison, figure, sheet, scores.compute_metrics(), card


def _pictures(raw: PictureSource, split: pd.DataFrame, labels: Labels, part: str) -> MaskedPictures:
    rows = split[split["split"] == part]
    pictures, masks = (
        {name: raw.root / file for name, file in zip(rows["name"], rows[column], strict=True)}
        for column in ("file", "mask")
    )
    pixels = int((rows["width"] * rows["height"]).sum())
    return MaskedPictures(Pictures(pictures), masks, rows["name"].tolist(), labels, pixels)


def _fingerprint(
    split: pd.DataFrame, labels: Labels, model: SegmentationModel, training: SegmentationTraining, seed: int
) -> str:
    parameters = [labels.model_dump(), model.model_dump(), training.model_dump(mode="json"), seed]
    return fingerprint(split.filter(["name", "sha256", "mask_sha256", "split"]), parameters)
