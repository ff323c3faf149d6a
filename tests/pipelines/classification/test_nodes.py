"""The nodes of a classification, one after the other, on pictures of two classes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from uncrappify.datasets import TrainedModel, TrainingRun, Weights
from uncrappify.errors import UserError
from uncrappify.models.parameters import ClassificationModel
from uncrappify.pipelines.classification import nodes
from uncrappify.pipelines.classification.parameters import Evaluation
from uncrappify.sources import ClassFoldersOptions, LabelledSource, PictureSource
from uncrappify.training.parameters import ClassificationTraining

pytestmark = pytest.mark.usefixtures("one_thread")
Prepared = tuple[PictureSource, pd.DataFrame, pd.DataFrame, np.ndarray]


def write(folder: Path, label: str, level: int, count: int) -> None:
    (folder / label).mkdir(parents=True)
    for number in range(count):
        noise = np.random.default_rng(number + level).integers(-20, 20, (8, 8))
        Image.fromarray((level + noise).astype(np.uint8)).save(folder / label / f"{number}.png")


def prepare(path: Path) -> Prepared:
    source = LabelledSource(kind="class_folders", class_folders=ClassFoldersOptions(path=str(path)))
    raw = nodes.download(source, path.parent)
    manifest, metrics = nodes.list_pictures(raw)
    assert metrics["pictures_unusable"] == 0
    split, classes = nodes.split(raw, manifest)
    return raw, split, classes, nodes.decode(raw, split, None)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    write(tmp_path / "shades", "dark", 60, 20)
    write(tmp_path / "shades", "light", 190, 20)
    return prepare(tmp_path / "shades")


def train(prepared: Prepared, folder: Path) -> TrainedModel:
    raw, split, classes, pixels = prepared
    model = ClassificationModel.model_validate({"name": "cnn", "cnn": {"widths": [4], "strides": [2]}})
    training = ClassificationTraining.model_validate(
        {"padding": 0, "precision": "fp32", "stages": [{"batch_size": 16, "steps": 40, "lr": 0.05}]}
    )
    run = TrainingRun(folder / "cnn", folder / "snapshots")
    trained, *_ = nodes.train(raw, split, classes, pixels, model, training, 0, run)
    return trained


def test_every_row_of_the_array_is_the_picture_of_its_row_in_the_split(prepared: Prepared) -> None:
    raw, split, _, pixels = prepared
    for row, picture in zip(split.itertuples(), pixels, strict=True):
        assert np.array_equal(np.asarray(Image.open(raw.root / str(row.file))), picture[0])
    learned = nodes.select(pixels, split, prepared[2], "train")
    brightness = learned.pixels.mean((1, 2, 3))
    assert [learned.classes[label] for label in learned.labels] == [
        "light" if level > 125 else "dark" for level in brightness
    ]


def test_a_trained_model_is_evaluated_and_delivered_and_one_that_is_missing_is_said_to_be(
    prepared: Prepared, tmp_path: Path
) -> None:
    _, split, classes, pixels = prepared
    trained = train(prepared, tmp_path)
    assert trained.description.watched == "valid"
    assert trained.description.mean == pytest.approx([np.mean(pixels[split["split"] == "train"]) / 255], abs=1e-5)
    table, _, _, delivered, metrics, card, first, first_card, second, second_card = nodes.evaluate(
        pixels, split, classes, Evaluation(), "best", other_model=None, cnn_model=trained
    )
    assert table["note"].tolist() == ["not trained", "delivered"]
    assert delivered == {"model": "cnn"}
    assert metrics["accuracy"] == second["accuracy"] == 1.0
    assert metrics["train_seconds"] > 0
    assert (first, first_card) == ({}, "")
    assert second_card.startswith("# Which of 2 classes a picture belongs to")
    assert "delivers the model **cnn**" in card


def test_a_model_that_has_learned_from_other_pictures_is_left_out_and_named(
    prepared: Prepared, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = train(prepared, tmp_path)
    write(tmp_path / "others", "dark", 61, 20)
    write(tmp_path / "others", "light", 191, 20)
    _, split, classes, pixels = prepare(tmp_path / "others")
    with pytest.raises(UserError, match="no model of this pipeline is trained on this data"):
        nodes.evaluate(pixels, split, classes, Evaluation(), "best", cnn_model=trained)
    assert "cnn: trained on other data, and left out" in caplog.text


def test_a_model_that_has_learned_from_pictures_of_another_size_is_left_out(prepared: Prepared, tmp_path: Path) -> None:
    raw, split, classes, _ = prepared
    trained = train(prepared, tmp_path)
    larger = nodes.decode(raw, split, (16, 16))
    with pytest.raises(UserError, match="no model of this pipeline is trained on this data"):
        nodes.evaluate(larger, split, classes, Evaluation(), "best", cnn_model=trained)


def test_a_named_model_is_delivered_although_another_one_is_better_or_it_is_not_trained(
    prepared: Prepared, tmp_path: Path
) -> None:
    _, split, classes, pixels = prepared
    models = {"worse_model": None, "cnn_model": train(prepared, tmp_path)}
    for delivers, delivered, said in (
        ("worse", "worse", "The best of the models is **cnn**"),
        ("", "cnn", "This pipeline delivers the model **cnn**"),
        (None, "", "The best of the models is **cnn**"),
    ):
        outputs = nodes.evaluate(pixels, split, classes, Evaluation(), delivers, **models)
        assert outputs[3] == {"model": delivered}
        assert outputs[5].startswith(said)


def test_weights_of_other_classes_are_no_start(prepared: Prepared, tmp_path: Path) -> None:
    raw, split, classes, pixels = prepared
    file = tmp_path / "two.safetensors"
    Weights(filepath=str(file)).save(train(prepared, tmp_path))
    write(tmp_path / "shades", "grey", 120, 20)
    raw, split, classes, pixels = prepare(tmp_path / "shades")
    model = ClassificationModel.model_validate(
        {"name": "cnn", "cnn": {"widths": [4], "strides": [2]}, "weights": str(file)}
    )
    training = ClassificationTraining.model_validate({"stages": [{"batch_size": 16, "steps": 1}]})
    run = TrainingRun(tmp_path / "more", tmp_path / "snapshots")
    with pytest.raises(UserError, match=r"more.model.weights: these weights are of pictures with 2 classes, and yours"):
        nodes.train(raw, split, classes, pixels, model, training, 0, run)


def test_test_pictures_that_are_watched_are_said_to_be(tmp_path: Path) -> None:
    for part, offset in (("train", 0), ("test", 7)):
        write(tmp_path / "shades" / part, "dark", 60 + offset, 10)
        write(tmp_path / "shades" / part, "light", 190 + offset, 10)
    raw, *_ = prepare(tmp_path / "shades")
    held = raw.own_split["test"]
    raw = raw.model_copy(update={"own_split": {"valid": held, "test": held}})
    manifest, _ = nodes.list_pictures(raw)
    split, classes = nodes.split(raw, manifest)
    assert split["split"].value_counts().to_dict() == {"train": 20, "test": 20}
    trained = train((raw, split, classes, nodes.decode(raw, split, None)), tmp_path)
    assert trained.description.watched == "test"
    *_, card = nodes.evaluate(nodes.decode(raw, split, None), split, classes, Evaluation(), "best", cnn_model=trained)
    assert "it is not a score of unseen pictures" in card
