"""What critic and generator want of each other: the objectives of adversarial training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Critic = Callable[[Tensor], Tensor]
"""Maps pictures (N, 3, H, W) around 0..1 to logits of any shape (N, ...)."""


class Judgement(NamedTuple):
    """A critic's loss.

    Attributes:
        terms: Name to value: how wrong it is; log 2, about 0.69, in sum where it guesses.
        penalties: Name to value: what is added to keep it smooth.
        accuracy: Share of pictures that it takes for what they are, 0 to 1; of a picture the mean of its logits counts.
    """

    terms: dict[str, Tensor]
    penalties: dict[str, Tensor]
    accuracy: Tensor

    @property
    def error(self) -> Tensor:
        """Sum of the terms."""
        return torch.stack(list(self.terms.values())).sum()

    @property
    def loss(self) -> Tensor:
        """Sum of terms and penalties."""
        return torch.stack([*self.terms.values(), *self.penalties.values()]).sum()


class Objective(ABC):
    """What a critic is right by, and what a generator fools it by."""

    @abstractmethod
    def judge(self, critic: Critic, real: Tensor, fake: Tensor) -> Judgement:
        """Give the critic's loss.

        Args:
            critic: The critic.
            real: Good pictures, (N, 3, H, W), in 0..1.
            fake: Generated ones, of the same shape, without gradient.
        """

    @abstractmethod
    def fool(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Give the generator's loss, a scalar.

        Args:
            critic: The critic, whose weights need no gradient.
            real: Good pictures, (N, 3, H, W), in 0..1.
            fake: Generated ones, of the same shape, with gradient.
        """


class BCE(Objective):
    """Binary cross entropy of each part's logit (Goodfellow et al. 2014, the loss that does not saturate; the lesson).

    The critic's is the mean over real and generated pictures.
    """

    def judge(self, critic: Critic, real: Tensor, fake: Tensor) -> Judgement:
        """Give the critic's loss: ``critic_real`` and ``critic_fake``."""
        # As one batch, which takes less than two.
        of_real, of_fake = critic(torch.cat([real, fake])).float().chunk(2)
        terms = {"critic_real": F.softplus(-of_real).mean() / 2, "critic_fake": F.softplus(of_fake).mean() / 2}
        accuracy = (_share(_sum_up(of_real) > 0) + _share(_sum_up(of_fake) < 0)) / 2
        return Judgement(terms, {}, accuracy)

    def fool(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Give the generator's loss: the cross entropy of being taken for real."""
        return F.softplus(-critic(fake)).float().mean()


class R3(Objective):
    """Each generated picture against the good one beside it, and a critic that is smooth around both.

    Huang et al. 2024, The GAN is dead; long live the GAN!: relativistic pairing (Jolicoeur-Martineau 2018), with the
    zero-centred penalties R1 and R2 on the critic's gradient at good and at generated pictures. All of it in single
    precision: the gradient of a gradient has no room in half of it.

    Args:
        gamma: Weight of the penalties.
    """

    def __init__(self, gamma: float = 1.0) -> None:
        self.gamma = gamma

    def judge(self, critic: Critic, real: Tensor, fake: Tensor) -> Judgement:
        """Give the critic's loss: ``critic_pairs``, and the penalties ``critic_r1`` and ``critic_r2``."""
        with torch.autocast(real.device.type, enabled=False):
            real, fake = (pictures.detach().float().requires_grad_() for pictures in (real, fake))
            of_real, of_fake = critic(real), critic(fake)
            terms = {"critic_pairs": F.softplus(of_fake - of_real).mean()}
            penalties = {
                name: self.gamma / 2 * _squared_gradient(logits, pictures)
                for name, logits, pictures in (("critic_r1", of_real, real), ("critic_r2", of_fake, fake))
            }
        return Judgement(terms, penalties, _share(_sum_up(of_real) > _sum_up(of_fake)))

    def fool(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Give the generator's loss: the same pairs the other way round."""
        with torch.autocast(real.device.type, enabled=False):
            with torch.no_grad():
                of_real = critic(real.float())
            return F.softplus(of_real - critic(fake.float())).mean()


def _sum_up(logits: Tensor) -> Tensor:
    """Give the mean of each picture's logits, (N)."""
    return logits.detach().flatten(1).mean(1)


def _share(right: Tensor) -> Tensor:
    return right.float().mean()


def _squared_gradient(logits: Tensor, pictures: Tensor) -> Tensor:
    """Give the squared norm of the gradient of a logit by its picture: mean over pictures, a logit's share of each."""
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradient.square().sum() / logits.numel()
