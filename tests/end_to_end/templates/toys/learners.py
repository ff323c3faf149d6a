"""What the two models of the toy template learn by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from uncrappify.learners.restoration import RestorationLearner
from uncrappify.training.learner import LOSS, Best, Panel


class TwoOptimizers(RestorationLearner):
    """A network and a critic of it, trained in turn."""

    panels = (LOSS, Panel("critic", {"train_critic": "critic"}))
    bar = {"train_loss": "loss", "train_critic": "critic"}

    def __init__(self, network: nn.Module, training: Any) -> None:
        super().__init__(network, training)
        self.automatic_optimization = False
        self.critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 3))

    def configure_optimizers(self) -> Any:
        return [torch.optim.Adam(part.parameters(), lr=1e-3) for part in (self.network, self.critic)]

    def training_step(self, batch: Any, _: int) -> None:
        generate, judge = self.optimizers()
        terms, prediction, target = self._terms(batch)
        loss = terms["l1"] - 0.01 * self.critic(prediction).mean()
        self._step(generate, loss)
        critic = (
            self.critic(prediction.detach()).mean() - self.critic(target).mean() + self.critic(target).pow(2).mean()
        )
        self._step(judge, critic)
        self.log_dict({"train_loss": loss, "train_critic": critic})

    def _step(self, optimizer: Any, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.configure_gradient_clipping(optimizer)
        optimizer.step()


class Second(RestorationLearner):
    """Delivers the weights of its best validation."""

    best = Best("valid_psnr", largest=True)
