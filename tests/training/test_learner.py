"""Which parameters learn in a stage, and how fast."""

import pytest
import torch

from uncrappify.models.unet import RestorationUNet
from uncrappify.models.upscaler import Upscaler
from uncrappify.training.learner import Learner
from uncrappify.training.parameters import Stage, Training

pytestmark = pytest.mark.usefixtures("one_thread")


def unet() -> RestorationUNet:
    torch.manual_seed(0)
    return RestorationUNet(scale=1, encoder="test_resnet", pretrained=False)


def module(network: torch.nn.Module, **options: object) -> Learner:
    stage = Stage.model_validate({"steps": 50, **options})
    learner = Learner(network, Training(stages=[stage]))
    learner.begin(stage)
    return learner


def optimizer(made: Learner) -> torch.optim.Optimizer:
    configured = made.configure_optimizers()
    return configured["optimizer"] if isinstance(configured, dict) else configured


def test_two_rates_are_the_ends_of_a_geometric_row() -> None:
    network = unet()
    groups = optimizer(module(network, lr=[1e-6, 1e-4], schedule="constant")).param_groups
    assert [group["lr"] for group in groups] == pytest.approx([1e-6, 1e-5, 1e-4])
    assert [len(group["params"]) for group in groups] == [len(part) for part in network.parameter_groups()]
    cycle = optimizer(module(network, lr=[1e-6, 1e-4])).param_groups
    assert [group["max_lr"] for group in cycle] == pytest.approx([1e-6, 1e-5, 1e-4])


def test_one_rate_is_that_of_all_parameters() -> None:
    network = Upscaler(scale=3, channels=4, blocks=1)
    (group,) = optimizer(module(network, lr=2e-3, schedule="constant")).param_groups
    assert group["lr"] == 2e-3
    assert len(group["params"]) == len(list(network.parameters()))


def test_a_frozen_encoder_is_as_before_after_steps_and_learns_again_in_the_next_stage() -> None:
    network = unet()
    made = module(network, freeze_encoder=True, lr=1e-2, schedule="constant")
    encoder = network.unet.encoder
    learning = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert learning
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    steps = optimizer(made)
    for _ in range(2):
        steps.zero_grad()
        network.train()(torch.rand(2, 3, 64, 64)).square().mean().backward()
        steps.step()
    moved = {name for name, parameter in network.named_parameters() if not torch.equal(parameter, before[name])}
    assert {name for name in moved if name.startswith("unet.encoder.")} <= {f"unet.encoder.{name}" for name in learning}
    assert "unet.head.weight" in moved
    module(network)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_frozen_batch_norm_keeps_its_statistics() -> None:
    network = unet()
    module(network, freeze_encoder=True, freeze_batch_norm=True)
    assert not any(parameter.requires_grad for parameter in network.unet.encoder.parameters())
    before = {name: buffer.clone() for name, buffer in network.unet.encoder.named_buffers()}
    network.train()(torch.rand(2, 3, 64, 64))
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.unet.encoder.named_buffers())
