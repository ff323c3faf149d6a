"""Losses have the values of their formulas, and a weighted sum keeps its terms apart."""

import math

import pytest
import torch

from uncrappify.losses import LOSSES, WeightedLoss
from uncrappify.losses.pixel import charbonnier, l1, l1_y, mse
from uncrappify.training.parameters import RestorationStage

PREDICTION = torch.tensor([0.0, 0.5, 1.0, 1.0])
TARGET = torch.tensor([0.0, 0.0, 0.0, 0.5])


def test_l1_is_the_mean_distance() -> None:
    assert float(l1(PREDICTION, TARGET)) == pytest.approx((0 + 0.5 + 1 + 0.5) / 4)


def test_mse_is_the_mean_squared_distance() -> None:
    assert float(mse(PREDICTION, TARGET)) == pytest.approx((0 + 0.25 + 1 + 0.25) / 4)


def test_l1_y_is_the_mean_distance_of_luminances() -> None:
    prediction, target = torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)
    prediction[0, 1] = 0.5
    # Green counts 0.587 in one picture of two.
    assert float(l1_y(prediction, target)) == pytest.approx(0.587 * 0.5 / 2)
    grey = torch.full((1, 3, 2, 2), 0.25)
    assert float(l1_y(grey, torch.zeros_like(grey))) == pytest.approx(0.25)


def test_charbonnier_has_the_value_of_its_formula() -> None:
    expected = sum(math.sqrt(distance**2 + 1e-6) for distance in (0, 0.5, 1, 0.5)) / 4
    assert float(charbonnier(PREDICTION, TARGET)) == pytest.approx(expected)
    assert float(charbonnier(TARGET, TARGET)) == pytest.approx(1e-3)


def test_charbonnier_is_smooth_where_prediction_and_target_are_equal() -> None:
    slopes = []
    for distance in (-1e-5, 0.0, 1e-5):
        prediction = torch.tensor([distance], requires_grad=True)
        charbonnier(prediction, torch.zeros(1)).backward()
        slopes.append(float(prediction.grad))
    assert slopes[1] == 0
    assert slopes[2] == pytest.approx(1e-5 / math.sqrt(1e-10 + 1e-6), rel=1e-3)
    assert slopes[0] == -slopes[2]


def test_charbonnier_is_l1_far_from_zero() -> None:
    prediction = torch.tensor([0.7], requires_grad=True)
    loss = charbonnier(prediction, torch.zeros(1))
    loss.backward()
    assert loss.item() == pytest.approx(0.7, abs=1e-6)
    assert float(prediction.grad) == pytest.approx(1, abs=1e-5)


def test_weighted_terms_are_apart_and_sum_up() -> None:
    loss = WeightedLoss([("l1", 2.0), ("mse", 0.5)])
    terms = loss(PREDICTION, TARGET)
    assert {name: float(value) for name, value in terms.items()} == pytest.approx({"l1": 2 * 0.5, "mse": 0.5 * 0.375})
    assert float(sum(terms.values())) == pytest.approx(1.1875)


@pytest.mark.parametrize("name", LOSSES)
def test_every_known_loss_falls_towards_the_target(name: str) -> None:
    (term,) = RestorationStage(steps=1, loss=[{name: 1.0}]).loss
    loss = WeightedLoss(list(term.items()))
    target = torch.linspace(0, 0.5, 3 * 24 * 24).reshape(1, 3, 24, 24)
    far, near, equal = (sum(loss(target + distance, target).values()) for distance in (0.5, 0.1, 0.0))
    assert far.shape == ()
    assert far > near > equal >= 0


def test_an_unknown_loss_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        WeightedLoss([("l3", 1.0)])
