"""Learning from each other: a generator and a critic take turns, whatever the pictures are made from."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from uncrappify.learners.turns import Turns
from uncrappify.losses.adversarial import Judgement, Objective
from uncrappify.training.collapse import CollapseGuard
from uncrappify.training.learner import Learner, Panel
from uncrappify.training.parameters import GanStage, GanTraining


class AdversarialLearner(Learner):
    """A generator, which is delivered, and a critic, each with an optimizer of its own.

    Each batch is a turn of one of both, while the other stays as it is, in eval mode. A subclass says how pictures are
    made from a batch, and what else the generator's are compared with.

    Args:
        generator: What is delivered.
        critic: (N, 3, H, W) around 0..1 to logits (N, h, w).
        objective: What both want.
        training: Who has the next turn, and what :class:`~uncrappify.training.learner.Learner` reads.

    Attributes:
        collapse: Why the training makes no sense any more; empty as long as it does.
        critic_error: The critic's loss in its last turn, without penalties; None after one of the generator.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("loss", {"train_generator_loss": "generator", "train_critic_loss": "critic"}),
        Panel("critic right", {"train_critic_accuracy": "of good and generated"}),
    )
    bar = {"train_generator_loss": "G", "train_critic_loss": "C"}
    validates_first = True

    def __init__(self, generator: nn.Module, critic: nn.Module, objective: Objective, training: GanTraining) -> None:
        super().__init__(generator, training)
        self.automatic_optimization = False
        self.critic: Any = critic.to(memory_format=torch.channels_last)
        self.objective = objective
        self.turns = Turns(training)
        self.collapse = ""
        self.critic_error: float | None = None
        self._latest: dict[str, Tensor] = {}

    @abstractmethod
    def make(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Make pictures.

        Returns:
            Good pictures and generated ones, (N, 3, H, W) each, in and around 0..1.
        """

    @abstractmethod
    def compare(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Give what the generator's loss has beside the critic's word: name to weighted value, may be empty."""

    def begin(self, stage: Any) -> None:
        """Prepare for a stage, whose weight of the critic's word counts from now on."""
        super().begin(stage)
        self._latest = {}

    def configure_callbacks(self) -> list[Callback]:
        """Stop a training that has collapsed."""
        return [CollapseGuard()]

    def configure_optimizers(self) -> Any:
        """Give the generator's optimizer and the critic's; both keep their rates."""
        rate = self._stage.critic_lr
        return [super().configure_optimizers(), self.make_optimizer([list(self.critic.parameters())], [rate])]

    def training_step(self, batch: Any, _: int) -> None:
        """Let one of both learn from a batch."""
        optimizers: Any = self.optimizers()
        generators, critics = optimizers
        weighs = self._stage.adversarial > 0
        if weighs and self.turns.is_critics:
            self.network.eval()
            self.critic.train()
            self._teach_critic(batch, critics)
        else:
            self.network.train()
            self.critic.eval()
            self._teach_generator(batch, generators, weighs=weighs)
        if not self.collapse:
            # Of both in every step: the one that is logged would else always be the other's.
            rates = {"lr": generators.param_groups[-1]["lr"], "lr_critic": critics.param_groups[-1]["lr"]}
            self.log_dict(self._latest | rates)

    @property
    def _stage(self) -> GanStage:
        assert isinstance(self.stage, GanStage)
        return self.stage

    def _teach_critic(self, batch: Any, optimizer: LightningOptimizer) -> None:
        with torch.no_grad():
            real, fake = self.make(batch)
        judgement = self.objective.judge(self.critic, real, fake)
        if self._step(optimizer, judgement.loss, "critic"):
            self._note_critic(judgement)

    def _note_critic(self, judgement: Judgement) -> None:
        self.critic_error = float(judgement.error.detach())
        self.turns.end_critics(self.critic_error)
        terms = {"critic_loss": judgement.loss, "critic_accuracy": judgement.accuracy}
        terms |= judgement.terms | judgement.penalties
        self._latest |= {f"train_{name}": value.detach() for name, value in terms.items()}

    def _teach_generator(self, batch: Any, optimizer: LightningOptimizer, *, weighs: bool) -> None:
        self.critic.requires_grad_(False)
        real, fake = self.make(batch)
        terms = self.compare(real, fake)
        if weighs:
            terms["adversarial"] = self._stage.adversarial * self.objective.fool(self.critic, real, fake)
        loss = torch.stack(list(terms.values())).sum()
        stepped = self._step(optimizer, loss, "generator")
        self.critic.requires_grad_(True)
        if stepped:
            self.critic_error = None
            self.turns.end_generators()
            found = {"generator_loss": loss, "loss": loss, **terms}
            self._latest |= {f"train_{name}": value.detach() for name, value in found.items()}

    def _step(self, optimizer: LightningOptimizer, loss: Tensor, who: str) -> bool:
        """Take a step, unless the loss is no number, which ends the training."""
        if not torch.isfinite(loss):
            self.collapse = f"the {who}'s loss is no number"
            return False
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.configure_gradient_clipping(optimizer.optimizer)
        optimizer.step()
        return True
