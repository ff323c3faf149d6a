"""The critic is the lesson's, each logit judges a part of the picture, and spectral norm bounds what it says."""

import pytest
import torch
from torch import nn

from uncrappify.models.critic import Critic
from uncrappify.models.parameters import CriticOptions

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_lessons_critic_has_its_parameters_and_logits() -> None:
    with torch.device("meta"):
        critic = Critic(channels=128)
        assert critic(torch.empty(1, 3, 128, 128)).shape == (1, 5, 5)
        assert critic(torch.empty(1, 3, 256, 256)).shape == (1, 13, 13)
    convolutions = {
        "4x4 from 3": 3 * 128 * 16 + 128,
        "dense block": 2 * (128 * 128 * 9 + 128),
        "to 512": 256 * 512 * 16 + 512,
        "attention": 512 * (64 + 64 + 512) + 1,
        "to 1024": 512 * 1024 * 16 + 1024,
        "to 2048": 1024 * 2048 * 16 + 2048,
        "to a logit": 2048 * 16,
    }
    assert sum(parameter.numel() for parameter in critic.parameters()) == sum(convolutions.values())


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_the_smallest_picture_gives_one_logit(blocks: int) -> None:
    critic, side = Critic(channels=4, blocks=blocks), CriticOptions(blocks=blocks).smallest
    assert critic(torch.rand(2, 3, side, side)).shape == (2, 1, 1)
    with pytest.raises(RuntimeError):
        critic(torch.rand(2, 3, side - 2, side - 2))


def test_a_logit_judges_a_part_of_the_picture() -> None:
    torch.manual_seed(0)
    critic = Critic(channels=4, blocks=1, dropout=0, self_attention=False).eval()
    picture = torch.rand(1, 3, 64, 64)
    changed = picture.clone()
    changed[..., :8, :8] = 0
    moved = (critic(picture) != critic(changed))[0]
    assert bool(moved[0, 0])
    assert not bool(moved[8:, :].any() or moved[:, 8:].any())


def test_dropout_rests_where_it_is_0() -> None:
    critic = Critic(channels=4, dropout=0).train()
    assert not [module for module in critic.modules() if isinstance(module, nn.Dropout2d)]


def test_spectral_norm_keeps_the_weights_at_norm_1() -> None:
    torch.manual_seed(0)
    critic = Critic(channels=4, blocks=1).train()
    for _ in range(50):
        critic(torch.rand(1, 3, 32, 32))
    critic.eval()
    weights = [module.weight for module in critic.modules() if isinstance(module, nn.Conv2d | nn.Conv1d)]
    norms = [float(torch.linalg.matrix_norm(weight.flatten(1), 2)) for weight in weights]
    assert len(norms) == 8
    assert norms == pytest.approx([1.0] * len(norms), abs=0.05)


def test_without_a_norm_there_is_none() -> None:
    critic = Critic(channels=4, norm="none")
    assert not any("parametrizations" in name for name, _ in critic.named_parameters())
