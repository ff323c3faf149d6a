"""The feature loss compares what a frozen network sees, and its terms are those of the formula."""

import pytest
import torch
from torch.nn.functional import interpolate

from uncrappify.losses.feature import FeatureLoss, gram
from uncrappify.losses.parameters import FeatureOptions
from uncrappify.models.encoders import build_encoder


@pytest.fixture(scope="module")
def loss():
    return FeatureLoss(**FeatureOptions().model_dump(exclude={"weight"}))


@pytest.fixture
def pair():
    """A smooth picture and what bicubic makes of its third."""
    torch.manual_seed(0)
    target = interpolate(torch.rand(2, 3, 16, 16), size=(48, 48), mode="bilinear")
    small = interpolate(target, size=(16, 16), mode="area")
    return interpolate(small, size=(48, 48), mode="bilinear"), target


def test_the_gram_matrix_of_ones_is_one_over_the_channels():
    assert torch.allclose(gram(torch.ones(2, 5, 3, 4)), torch.full((2, 5, 5), 1 / 5))


def test_the_gram_matrix_does_not_see_where_something_is():
    maps = torch.rand(1, 4, 6, 6)
    assert torch.allclose(gram(maps), gram(maps.roll((2, 3), (2, 3)).flip(2)), atol=1e-6)


def test_the_gram_matrix_of_large_half_precision_maps_is_finite_and_single_precision_under_autocast():
    maps = torch.full((1, 2, 64, 64), 200.0, dtype=torch.float16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = gram(maps)
    assert found.dtype == torch.float32
    assert found.flatten().tolist() == pytest.approx([200**2 / 2] * 4)


def test_equal_pictures_have_no_loss(loss, pair):
    assert [float(value) for value in loss(pair[1], pair[1].clone()).values()] == [0] * 6


def test_the_terms_are_those_of_the_formula(loss, pair):
    encoder = build_encoder("efficientnet_lite0", [1, 2, 3]).eval()
    with torch.no_grad():
        mine, theirs = (encoder((side - 0.5) / 0.5) for side in pair)
        terms = loss(*pair)
    assert list(terms) == ["feature_0", "feature_1", "feature_2", "gram_0", "gram_1", "gram_2"]
    for index, (a, b, weight, gram_weight) in enumerate(
        zip(mine, theirs, [0.02, 0.02, 0.03], [0.02, 0.05, 0.2], strict=True)
    ):
        assert float(terms[f"feature_{index}"]) == pytest.approx(weight * float((a - b).abs().mean()), rel=1e-4)
        by_hand = [torch.einsum("nchw,ndhw->ncd", x, x) / x[0].numel() for x in (a, b)]
        expected = gram_weight * float((by_hand[0] - by_hand[1]).abs().mean())
        assert float(terms[f"gram_{index}"]) == pytest.approx(expected, rel=1e-4)


def test_gradients_reach_the_prediction_and_neither_the_network_nor_the_target(loss, pair):
    prediction, target = (side.clone().requires_grad_() for side in pair)
    for name in loss(prediction, target):
        prediction.grad = None
        loss(prediction, target)[name].backward()
        assert float(prediction.grad.abs().sum()) > 0, name
    assert target.grad is None
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in loss.parameters())


def test_the_network_stays_in_eval_mode_and_as_it_is(loss, pair):
    loss.train()
    before = {name: tensor.clone() for name, tensor in loss.state_dict().items()}
    loss(*pair)
    assert not any(module.training for module in loss.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in loss.state_dict().items())


def test_a_picture_counts_the_same_whatever_is_beside_it_in_the_batch(loss, pair):
    alone = [loss(pair[0][[n]], pair[1][[n]]) for n in (0, 1)]
    together = loss(*pair)
    for name, value in together.items():
        assert float(value) == pytest.approx(float(alone[0][name] + alone[1][name]) / 2, rel=1e-3)


def test_no_layer_counts_far_more_than_the_pixels_at_the_start(loss, pair):
    pixels = float((pair[0] - pair[1]).abs().mean())
    ratios = [float(value) / pixels for value in loss(*pair).values()]
    assert all(0.1 < ratio < 10 for ratio in ratios), ratios
