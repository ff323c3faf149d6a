"""The objectives have the values of their formulas, and want opposite things of critic and generator."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from uncrappify.losses.adversarial import BCE, R3, Objective


def scaled_mean(factor: float) -> Callable[[Tensor], Tensor]:
    """A critic whose logit is the picture's mean, times a factor, at each of two places."""
    return lambda pictures: factor * pictures.mean((1, 2, 3))[:, None].expand(-1, 2)


REAL, FAKE = torch.full((3, 3, 4, 4), 0.75), torch.full((3, 3, 4, 4), 0.25)


def test_bce_is_the_cross_entropy_of_each_logit() -> None:
    judgement = BCE().judge(scaled_mean(4), REAL, FAKE)
    # Logits 3 and 1.
    assert judgement.terms["critic_real"].item() == pytest.approx(math.log(1 + math.exp(-3)) / 2)
    assert judgement.terms["critic_fake"].item() == pytest.approx(math.log(1 + math.exp(1)) / 2)
    assert not judgement.penalties
    # It takes all generated pictures for good ones.
    assert judgement.accuracy.item() == 0.5
    assert float(BCE().fool(scaled_mean(4), REAL, FAKE)) == pytest.approx(math.log(1 + math.exp(-1)))


def test_r3_is_the_pairs_and_the_squared_gradients() -> None:
    judgement = R3(gamma=10.0).judge(scaled_mean(4), REAL, FAKE)
    assert judgement.terms["critic_pairs"].item() == pytest.approx(math.log(1 + math.exp(1 - 3)))
    # Each of 48 values has the gradient 4 / 48 by each of two logits: (2 * 4)^2 / 48, a logit's share of it is half.
    expected = 10.0 / 2 * (2 * 4 / 48) ** 2 * 48 / 2
    assert {name: value.item() for name, value in judgement.penalties.items()} == pytest.approx(
        {"critic_r1": expected, "critic_r2": expected}
    )
    assert judgement.loss.item() == pytest.approx(judgement.error.item() + 2 * expected)
    assert judgement.accuracy.item() == 1
    assert float(R3().fool(scaled_mean(4), REAL, FAKE)) == pytest.approx(math.log(1 + math.exp(3 - 1)))


@pytest.mark.parametrize("objective", [BCE(), R3()], ids=["bce", "r3"])
def test_a_critic_that_guesses_has_the_loss_log_2(objective: Objective) -> None:
    judgement = objective.judge(scaled_mean(0), REAL, FAKE)
    assert judgement.error.item() == pytest.approx(math.log(2))
    assert float(objective.fool(scaled_mean(0), REAL, FAKE)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("objective", [BCE(), R3()], ids=["bce", "r3"])
def test_what_the_critic_gains_by_the_generator_loses(objective: Objective) -> None:
    errors = [objective.judge(scaled_mean(factor), REAL, FAKE).terms.popitem()[1].item() for factor in (1.0, 2.0)]
    losses = [float(objective.fool(scaled_mean(factor), REAL, 1 - REAL)) for factor in (1.0, 2.0)]
    fake = FAKE.clone().requires_grad_()
    objective.fool(scaled_mean(1), REAL, fake).backward()  # type: ignore[no-untyped-call]
    assert errors[0] != errors[1]
    assert losses[0] != losses[1]
    assert fake.grad is not None
    # Brighter pictures look more real to this critic.
    assert bool((fake.grad < 0).all())


def test_the_penalties_are_in_single_precision_within_mixed_precision() -> None:
    critic = torch.nn.Conv2d(3, 1, 3)
    with torch.autocast("cpu", torch.bfloat16):
        judgement = R3().judge(critic, REAL, FAKE)
        lost = R3().fool(critic, REAL, FAKE)
    assert {value.dtype for value in (*judgement.terms.values(), *judgement.penalties.values(), lost)} == {
        torch.float32
    }
    judgement.loss.backward()  # type: ignore[no-untyped-call]
    assert critic.weight.grad is not None
    assert bool(critic.weight.grad.isfinite().all())
