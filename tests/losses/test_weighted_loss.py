"""A loss with a network in it trains beside a model without becoming part of it."""

import copy

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from uncrappify.learners.restoration import RestorationLearner
from uncrappify.losses import WeightedLoss
from uncrappify.losses.parameters import FeatureOptions
from uncrappify.models.upscaler import Upscaler
from uncrappify.training.parameters import RestorationStage, RestorationTraining


@pytest.fixture(scope="module")
def module() -> RestorationLearner:
    stage = RestorationStage(size=24, steps=1, loss=[{"l1": 1.0}, {"feature": 2.0}])
    learner = RestorationLearner(Upscaler(scale=3, channels=4, blocks=1), RestorationTraining(stages=[stage]))
    learner.begin(stage)
    return learner


def test_each_term_of_a_loss_is_logged_and_carries_both_weights():
    once = WeightedLoss([("feature", FeatureOptions())])
    twice = WeightedLoss([("mse", 1.0), ("feature", FeatureOptions(weight=2.0))])
    pair = torch.rand(1, 3, 24, 24), torch.rand(1, 3, 24, 24)
    single, double = once(*pair), twice(*pair)
    assert list(double) == ["mse", *single]
    assert {name: float(2 * value) for name, value in single.items()} == pytest.approx(
        {name: float(value) for name, value in double.items() if name != "mse"}
    )


def test_the_network_of_a_loss_is_neither_in_the_checkpoint_nor_among_the_parameters(module):
    assert all(name.startswith("network.") for name in module.state_dict())
    trained = sum(parameter.numel() for parameter in module.parameters())
    assert trained == sum(parameter.numel() for parameter in module.network.parameters())


def test_the_moving_average_shares_the_network_of_a_loss(module):
    average = AveragedModel(copy.deepcopy(module))
    assert average.module.loss is module.loss
    assert average.module.network is not module.network
    assert not any("loss" in name for name in average.state_dict())


def test_a_step_lowers_the_loss_and_leaves_the_network_of_the_loss_alone(module):
    (feature,) = (loss for name, loss, _ in module.loss.terms if name == "feature")
    before = [parameter.clone() for parameter in feature.parameters()]
    torch.manual_seed(0)
    inputs, target = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 24, 24)
    optimizer = torch.optim.SGD(module.network.parameters(), lr=1e-3)

    def step() -> float:
        optimizer.zero_grad()
        loss = sum(module.loss(module.network(inputs), target).values())
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    losses = [step() for _ in range(4)]
    assert losses[-1] < losses[0]
    assert all(torch.equal(a, b) for a, b in zip(before, feature.parameters(), strict=True))
