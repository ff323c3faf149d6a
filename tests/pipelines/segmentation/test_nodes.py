"""The nodes as plain functions, on drawn streets."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from uncrappify.datasets import SegmentationDescription, TrainedModel, TrainingRun, disjoint
from uncrappify.models import build
from uncrappify.models.parameters import SegmentationModel
from uncrappify.pictures.masks import Labels
from uncrappify.pipelines.nodes import split
from uncrappify.pipelines.segmentation import nodes
from uncrappify.pipelines.segmentation.parameters import Evaluation
from uncrappify.scenes.streets import CLASSES
from uncrappify.sources import MaskedSource, PictureSource, StreetsOptions
from uncrappify.training.parameters import SegmentationTraining

pytestmark = pytest.mark.usefixtures("one_thread")
LABELS = Labels(classes=list(CLASSES))
UNET = {"encoder": "test_resnet", "pretrained": False, "bottleneck": True}
MODEL = SegmentationModel.model_validate({"unet": UNET})


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> PictureSource:
    source = MaskedSource(streets=StreetsOptions(train=3, valid=1, test=2))
    return nodes.download(source, tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def listed(streets: PictureSource) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    return nodes.list_pictures(streets, LABELS)


@pytest.fixture(scope="module")
def parts(streets: PictureSource, listed: Any) -> pd.DataFrame:
    return split(streets, listed[0])


def test_every_picture_is_listed_with_its_mask_and_its_pixels(listed: Any) -> None:
    manifest, class_pixels, metrics = listed
    assert metrics == {"pictures_usable": 6, "pictures_unusable": 0}
    assert manifest["mask"].str.startswith("masks/").all()
    assert class_pixels.columns.tolist() == ["name", *CLASSES]


def test_the_split_is_the_sources_own(parts: pd.DataFrame) -> None:
    disjoint(parts)
    assert parts["split"].value_counts().to_dict() == {"train": 3, "test": 2, "valid": 1}


def test_a_training_gives_weights_that_say_what_they_are(
    streets: PictureSource, listed: Any, parts: pd.DataFrame, tmp_path: Path
) -> None:
    stages = [
        {"size": [48, 64], "batch_size": 2, "steps": 2, "freeze_encoder": True},
        {"size": [96, 128], "batch_size": 2, "steps": 2, "lr": [1e-4, 1e-3]},
    ]
    training = SegmentationTraining.model_validate(
        {"stages": stages, "class_weights": "median_frequency", "dice": 1.0, "precision": "fp32"}
    )
    run = TrainingRun(tmp_path / "segmentation", tmp_path / "snapshots")
    model, history, _, layers, metrics = nodes.train(streets, parts, listed[1], LABELS, MODEL, training, 3, run)
    assert model.description.size == (96, 128)
    assert model.description.labels.classes == list(CLASSES)
    assert model.description.options["pretrained"] is False
    assert model.description.options["out_channels"] == 11
    # Of the frozen encoder batch norm alone learns.
    assert 0 < layers["trainable"].sum() < layers["parameters"].sum()
    assert history["step"].max() == 3
    assert 0 < metrics["valid_miou"] < 1
    assert Image.open(run.snapshots / "batch.png").width == 1600


def test_the_evaluation_scores_the_model_beside_what_needs_no_network(
    streets: PictureSource, parts: pd.DataFrame
) -> None:
    torch.manual_seed(0)
    description = {
        "model": "unet",
        "options": UNET,
        "labels": LABELS.model_dump(mode="json"),
        "size": [96, 128],
        "metrics": {"train_seconds": 12.6},
        "data": {"source": "streets", "licence": "CC0", "pictures": 3},
    }
    network = build("segmentation", "unet", UNET | {"out_channels": 11})
    untrained = TrainedModel(network.state_dict(), SegmentationDescription.model_validate(description))
    scores, by_class, comparison, figure, sheet, metrics, card = nodes.evaluate(
        streets, parts, LABELS, 0, untrained, Evaluation(sheet_rows=1, flip=True)
    )
    assert comparison["method"].tolist() == ["model", "colour and place", "most frequent class"]
    assert scores.groupby("method").size().to_dict() == dict.fromkeys(comparison["method"], 2)
    assert by_class["share"].sum() == pytest.approx(1)
    assert metrics["miou"] == comparison["miou"][0] < comparison["miou"][1]
    assert np.shape(figure.data[0].z) == (11, 11)
    assert sheet.width == 1600
    assert f"| model | {metrics['miou']:.3f} | {metrics['accuracy']:.3f} |" in card
    assert "192x144" not in card
    assert "128x96 pixels" in card
