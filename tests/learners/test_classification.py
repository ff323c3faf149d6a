"""A network learns classes, and what is watched is what the evaluation measures."""

from pathlib import Path

import numpy as np
import pytest
import torch

from uncrappify.datasets import ClassificationDescription, LabelledPictures, TrainingRun
from uncrappify.evaluation.classification import score
from uncrappify.learners.classification import ClassificationData, ClassificationLearner
from uncrappify.models import build
from uncrappify.training.fit import Fitted, fit
from uncrappify.training.parameters import ClassificationTraining

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def pictures() -> LabelledPictures:
    """A bar across, or a bar down, at any place."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 60, (96, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(96) % 2
    for picture, label in zip(pixels, labels, strict=True):
        place = random.integers(8)
        picture[(0, slice(None), place) if label else (0, place)] = 250
    return LabelledPictures(pixels, labels, [str(number) for number in range(96)], ["across", "down"])


def train(pictures: LabelledPictures, folder: Path, **changes: object) -> Fitted:
    stage = {"batch_size": 16, "steps": 60, "lr": 0.02}
    training = ClassificationTraining.model_validate({"stages": [stage], "padding": 1, "precision": "fp32"} | changes)
    description = ClassificationDescription(
        model="resnet",
        options={"widths": [8], "strides": [2]},
        classes=list(pictures.classes),
        size=pictures.size,
        mean=pictures.mean,
        std=pictures.std,
    )
    torch.manual_seed(0)
    learner = ClassificationLearner(build("classification", "resnet", description.to_build), training, pictures.shape)
    run = TrainingRun(folder, folder / "snapshots")
    data = ClassificationData(pictures, pictures, training)
    return fit(learner, data, training, seed=0, run=run, description=description)


def test_a_network_learns_to_tell_bars_across_from_bars_down(pictures: LabelledPictures, tmp_path: Path) -> None:
    fitted = train(pictures, tmp_path)
    assert fitted.metrics["valid_accuracy"] > 0.95


def test_a_training_computes_with_the_threads_that_it_is_told_and_leaves_the_others_as_they_were(
    pictures: LabelledPictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    step = ClassificationLearner.training_step
    monkeypatch.setattr(
        ClassificationLearner,
        "training_step",
        lambda learner, *batch: (seen.append(torch.get_num_threads()), step(learner, *batch))[1],
    )
    before = torch.get_num_threads()
    train(pictures, tmp_path, threads=before + 1)
    assert set(seen) == {before + 1}
    assert torch.get_num_threads() == before


def test_what_is_watched_is_what_the_evaluation_measures(pictures: LabelledPictures, tmp_path: Path) -> None:
    # Smoothed, so that the training's own loss is another one.
    fitted = train(pictures, tmp_path, label_smoothing=0.1)
    scores = score(fitted.model, pictures)
    assert fitted.metrics["valid_accuracy"] == pytest.approx(scores.accuracy)
    assert fitted.metrics["valid_loss"] == pytest.approx(scores.loss, rel=1e-3)


def test_smoothing_adds_what_all_classes_have_alike(pictures: LabelledPictures) -> None:
    stage = {"batch_size": 4, "steps": 1}
    network = build("classification", "cnn", {"in_channels": 1, "out_channels": 4, "mean": [0.5], "std": [0.2]}).eval()
    batch = torch.from_numpy(pictures.pixels[:4]), torch.tensor([0, 1, 2, 3])
    losses = {}
    for smoothing in (0.0, 0.2):
        training = ClassificationTraining.model_validate({"stages": [stage], "label_smoothing": smoothing})
        learner = ClassificationLearner(network, training, pictures.shape)
        learner.log_loss = lambda terms: terms["cross_entropy"]  # type: ignore[method-assign]
        losses[smoothing] = learner.training_step(batch, 0).item()
    logs = network(batch[0] / 255).log_softmax(1)
    hard = -logs[torch.arange(4), batch[1]].mean()
    assert losses[0.0] == pytest.approx(float(hard), rel=1e-5)
    assert losses[0.2] == pytest.approx(float(0.8 * hard - 0.2 * logs.mean()), rel=1e-5)


def test_pictures_know_their_shape_and_how_bright_they_are() -> None:
    pixels = np.zeros((2, 3, 4, 6), dtype=np.uint8)
    pixels[0, 0] = 255
    pictures = LabelledPictures(pixels, np.array([0, 1]), ["a", "b"], ["x", "y"])
    assert (pictures.shape, pictures.size) == ((3, 4, 6), (4, 6))
    assert pictures.mean == [0.5, 0.0, 0.0]
    # A channel without contrast is not divided by nothing.
    assert pictures.std == pytest.approx([0.5, 1 / 255, 1 / 255], abs=1e-6)
