"""Losses between logits and classes, void left out."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from uncrappify.losses.segmentation import cross_entropy, dice, median_frequency_weights
from uncrappify.pictures.masks import VOID


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def target() -> torch.Tensor:
    return torch.randint(3, (2, 4, 5), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def test_cross_entropy_is_torchs(logits: torch.Tensor, target: torch.Tensor) -> None:
    weights = torch.tensor([1.0, 0.5, 3.0])
    target[0, 0] = VOID
    for given in (None, weights):
        wanted = F.cross_entropy(logits, target.long(), given, ignore_index=VOID)
        assert cross_entropy(logits, target, given) == pytest.approx(wanted.item(), rel=1e-5)


def test_a_batch_that_is_void_everywhere_has_no_loss_and_a_gradient_of_zero(logits: torch.Tensor) -> None:
    logits.requires_grad_()
    target = torch.full((2, 4, 5), VOID)
    loss = cross_entropy(logits, target) + dice(logits, target)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


def test_what_is_said_of_void_changes_nothing(logits: torch.Tensor, target: torch.Tensor) -> None:
    target[1] = VOID
    other = logits.clone()
    other[1] = 9.0
    assert cross_entropy(other, target) == cross_entropy(logits, target)
    assert dice(other, target) == dice(logits, target)


def test_dice_is_0_where_all_is_right_and_near_1_where_all_is_wrong(target: torch.Tensor) -> None:
    right = 50.0 * F.one_hot(target.long(), 3).permute(0, 3, 1, 2)
    assert dice(right, target) == pytest.approx(0, abs=1e-5)
    assert dice(-right, target) > 0.5


def test_dice_of_half_the_pixels_is_its_formula() -> None:
    logits = torch.tensor([100.0, -100.0]).view(1, 2, 1, 1).expand(1, 2, 1, 4)
    target = torch.tensor([[[0, 0, 1, 1]]])
    # Class 0: 2 * 2 of 4 + 2; class 1: 0 of 0 + 2; 1 is added above and below.
    assert dice(logits, target) == pytest.approx(1 - (5 / 7 + 1 / 3) / 2, abs=1e-5)


def test_the_class_of_the_median_frequency_weighs_1_and_one_that_is_missing_0() -> None:
    # Of the pictures that have them, the classes have 800 of 1900, 100 of 900, 1000 of 1900 pixels, and none.
    weights = median_frequency_weights(torch.tensor([[700, 0, 300, 0], [100, 100, 700, 0]]))
    frequencies = [800 / 1900, 100 / 900, 1000 / 1900]
    assert weights.tolist() == pytest.approx([*(frequencies[0] / one for one in frequencies), 0.0])
