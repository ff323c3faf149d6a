"""Four classifiers in one run, of which each can be trained alone; the lesson's settings; a folder of the user's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import uncrappify

MODELS = ["cnn", "conv_layer", "resnet", "densenet"]


@pytest.fixture(scope="module")
def one_of_four(tmp_path_factory, make_project):
    """The ResNet alone, in a fresh project."""
    project = make_project(tmp_path_factory.mktemp("one"))
    done = project.kedro("run", "--pipeline", "digits", "--tags", "data,resnet,evaluation", "--params", "smoke=true")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return project, done.stdout


def test_one_model_is_trained_and_evaluated_alone_and_the_others_are_said_to_be_missing(one_of_four):
    project, told = one_of_four
    assert "10 classes, the largest 1.1 times the smallest (3 with 183, 8 with 174)" in " ".join(told.split())
    table = pd.read_parquet(project.smoke / "08_reporting/digits/comparison.parquet")
    assert dict(zip(table["model"], table["note"], strict=True)) == dict.fromkeys(MODELS, "not trained") | {
        "resnet": "delivered"
    }
    assert table.set_index("model").loc["resnet", "parameters"] == 126_404
    assert {run.info.run_name for run in project.runs()} == {"digits", "resnet"}


def test_the_parent_has_the_metrics_of_the_delivered_model_and_the_child_its_own_parameters(one_of_four):
    project, _ = one_of_four
    parent, child = ({run.info.run_name: run for run in project.runs()}[name] for name in ("digits", "resnet"))
    assert parent.data.metrics["accuracy"] == child.data.metrics["accuracy"]
    assert parent.data.metrics["train_seconds"] == child.data.metrics["train_seconds"]
    assert child.data.metrics["parameters"] == 126_404
    assert child.data.params["training.stages.0.steps"] == "2"
    # Of the networks that it is not, MLflow's page would show the widths as differences.
    options = {name.split(".")[1] for name in child.data.params if name.startswith("model.")}
    assert options == {"name", "weights", child.info.run_name}
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_the_best_is_loaded_by_the_pipelines_name_and_gives_classes_with_probabilities(one_of_four, monkeypatch):
    project, _ = one_of_four
    assert json.loads((project.smoke / "06_models/digits/delivered.json").read_text()) == {"model": "resnet"}
    monkeypatch.chdir(project.root)
    with pytest.raises(uncrappify.errors.UserError, match="delivers the best of its models, and none is evaluated yet"):
        uncrappify.load("digits")
    classify = uncrappify.load(project.smoke / "06_models/digits/resnet/model.safetensors")
    found = classify(Image.new("RGB", (40, 30), "red"))
    assert set(found) == set("0123456789")
    assert sum(found.values()) == pytest.approx(1, abs=1e-5)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def digit(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8))


@pytest.mark.parametrize(
    ("environment", "pipeline"), [("lesson", "digits"), ("benchmark", "digits"), ("lesson", "landscape")]
)
def test_mnist_in_the_layout_of_its_archive(project, mirror, environment: str, pipeline: str):
    pictures = {
        f"mnist/{part}/{label}/{label * 100 + number:05}.png": digit(label * 100 + number + offset)
        for part, offset, each in (("train", 0, 12), ("test", 5000, 3))
        for label in range(10)
        for number in range(each)
    }
    folder = mirror({"mnist.tar.gz": pictures})
    values = f"smoke=true,mirror={folder}"
    done = project.kedro("run", "--env", environment, "--pipeline", pipeline, "--params", values)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    split = pd.read_parquet(project.smoke / f"05_model_input/{pipeline}/split.parquet")
    counts = split["split"].value_counts().to_dict()
    assert counts["test"] == 30
    # The lesson watches the test pictures, and holds none of the others back.
    assert counts["train"] == 120 if pipeline == "digits" and environment == "lesson" else counts["valid"] >= 10
    assert np.load(project.smoke / f"04_feature/{pipeline}/pixels.npy").shape == (150, 1, 28, 28)


def test_colour_pictures_in_class_folders_become_a_classifier(project, tmp_path: Path):
    for label, colour in (("Äpfel", (200, 30, 30)), ("pears", (40, 180, 60))):
        (tmp_path / "fruit" / label).mkdir(parents=True)
        for number in range(8):
            pixels = np.random.default_rng(number).integers(-30, 30, (20, 24, 3)) + colour
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "fruit" / label / f"{number}.png")
    values = f"smoke=true,pictures={tmp_path / 'fruit'}"
    done = project.kedro("run", "--pipeline", "digits", "--tags", "data,cnn,evaluation", "--params", values)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    classify = uncrappify.load(project.smoke / "06_models/digits/cnn/model.safetensors")
    assert classify.description.classes == ["pears", "Äpfel"]
    assert (classify.description.channels, classify.description.size) == (3, (20, 24))
