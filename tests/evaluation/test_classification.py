"""What is measured of classifiers has the right values, and the best is delivered."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from uncrappify.datasets import ClassificationDescription, LabelledPictures, TrainedModel
from uncrappify.evaluation.class_sheet import draw_labelled_batch_sheet, draw_mistakes
from uncrappify.evaluation.classification import ClassScores, measure_activations, score
from uncrappify.evaluation.comparison import find_best, tabulate
from uncrappify.evaluation.confusion import find_confused
from uncrappify.models import build

pytestmark = pytest.mark.usefixtures("one_thread")
PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], dtype=np.float32)
LABELS = np.array([0, 1, 1, 2])


def make_scores(**training: float) -> ClassScores:
    description = ClassificationDescription(
        model="cnn", options={}, classes=["a", "b", "c"], size=(8, 8), mean=[0.5], std=[0.2], metrics=training
    )
    return ClassScores(PROBABILITIES, LABELS, parameters=7, step_memory_mb=1.5, description=description)


def test_accuracy_loss_and_counts_of_four_pictures() -> None:
    scores = make_scores()
    assert scores.accuracy == 0.75
    assert scores.loss == pytest.approx(-np.log([0.5, 0.8, 0.2, 0.4]).mean(), rel=1e-6)
    assert scores.counts.matrix.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert find_confused(scores.counts, ["a", "b", "c"]) == [("b", "a", 1)]


def test_a_right_class_of_no_probability_has_a_finite_loss() -> None:
    scores = replace(make_scores(), probabilities=np.eye(3, dtype=np.float32)[[0]], labels=np.array([1]))
    assert scores.loss == pytest.approx(-np.log(1e-12))


def test_the_best_is_that_on_the_validation_pictures_and_of_equals_the_one_with_the_lower_loss() -> None:
    scores = {
        "first": make_scores(valid_accuracy=0.9, valid_loss=0.1),
        "second": make_scores(valid_accuracy=0.95, valid_loss=0.4),
        "third": make_scores(valid_accuracy=0.95, valid_loss=0.3),
        "fourth": make_scores(valid_accuracy=0.95, valid_loss=0.35),
    }
    assert find_best(scores) == "third"


def test_a_model_that_is_not_trained_has_a_row_that_says_so() -> None:
    scores = {"b": make_scores(valid_accuracy=0.5, train_seconds=12.0)}
    table = tabulate(["a", "b"], scores, "b")
    assert table["model"].tolist() == ["a", "b"]
    assert table["note"].tolist() == ["not trained", "delivered"]
    assert table.loc[1, ["parameters", "accuracy", "seconds"]].tolist() == [7, 0.75, 12.0]
    assert table.loc[0, ["parameters", "accuracy", "seconds"]].isna().all()


def test_what_a_step_keeps_is_counted_once_and_without_weights_and_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4), nn.BatchNorm1d(4)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    kept = measure_activations(network, (1, 4, 4))
    # The input, the ReLU's output (also the next layer's input), what batch norm normalises and its statistics, the
    # loss's probabilities and the class.
    assert 4 * (16 + 8 + 4 + 4) <= kept <= 4 * (16 + 8 + 4 + 4) + 4 * 3 * 4 + 8
    assert not network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_dense_net_keeps_more_than_a_residual_one_of_the_same_widths() -> None:
    options = {"in_channels": 1, "out_channels": 10, "mean": [0.1], "std": [0.3]}
    plain, residual, dense = (
        measure_activations(build("classification", name, options), (1, 28, 28))
        for name in ("conv_layer", "resnet", "densenet")
    )
    assert plain < residual < dense


def test_a_trained_model_is_scored_by_its_own_probabilities() -> None:
    description = ClassificationDescription(
        model="cnn", options={"widths": [4], "strides": [2]}, classes=["a", "b"], size=(8, 8), mean=[0.5], std=[0.2]
    )
    torch.manual_seed(0)
    network = build("classification", "cnn", description.to_build).eval()
    pixels = torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8)
    labels = network(pixels / 255).argmax(1)
    test = LabelledPictures(pixels.numpy(), labels.numpy(), list("uvwxyz"), ["a", "b"])
    scores = score(TrainedModel(network.state_dict(), description), test)
    assert scores.accuracy == 1.0
    assert scores.parameters == sum(parameter.numel() for parameter in network.parameters())
    np.testing.assert_allclose(scores.probabilities, network(pixels / 255).softmax(1).detach().numpy(), atol=1e-5)


def test_the_sheet_shows_the_surest_mistakes_first_and_says_how_many_there_are() -> None:
    pixels = np.zeros((4, 1, 8, 8), dtype=np.uint8)
    pixels[2] = 255
    sheet = draw_mistakes(LabelledPictures(pixels, LABELS, list("wxyz"), ["a", "b", "c"]), PROBABILITIES, most=3)
    assert sheet.width == 1600
    # The mistake is white, what is right is black, and it is the first.
    centres = [sheet.getpixel((40 + 95 + number * 190, sheet.height // 3)) for number in range(2)]
    assert centres == [(255, 255, 255), (0, 0, 0)]


def test_a_batch_of_colour_pictures_is_drawn_over_its_classes() -> None:
    pixels = np.zeros((3, 3, 8, 8), dtype=np.uint8)
    pixels[0, 1] = 255
    sheet = draw_labelled_batch_sheet(pixels, ["green", "black", "a class with a name that is longer than its column"])
    assert sheet.getpixel((40 + 90, sheet.height // 2)) == (0, 255, 0)
