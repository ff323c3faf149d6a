"""What differs in kind between tasks: a network with its loss, its optimizers and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import Any, ClassVar, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchmetrics import Metric

from uncrappify.training.parameters import Stage, Training


class Panel(NamedTuple):
    """A part of the training's curves.

    Attributes:
        title: Of its axis.
        lines: Name of a metric to its name in the legend.
        logarithmic: Whether the axis is.
        from_zero: Whether the axis begins there: what stays as it is would else be drawn on one from -1 to 1.
    """

    title: str
    lines: dict[str, str]
    logarithmic: bool = False
    from_zero: bool = False


LOSS = Panel("loss", {"train_loss": "train", "valid_loss": "valid"}, logarithmic=True)
LEARNING_RATE = Panel("learning rate", {"lr": "learning rate"}, from_zero=True)


class Best(NamedTuple):
    """What to choose the delivered weights by.

    Attributes:
        metric: Of the validation.
        largest: Whether the largest value is the best, or the smallest.
    """

    metric: str
    largest: bool = False


class Learner(pl.LightningModule):
    """A network that learns by the lesson's optimizer: AdamW on all parameters, and one cycle.

    A learner with two optimizers sets ``automatic_optimization`` to False, overrides :meth:`configure_optimizers` and
    steps in its ``training_step``; Lightning's ``configure_callbacks`` may add callbacks, such as one that stops early.

    Args:
        network: What learns. With two learning rates it gives ``parameter_groups``, the input's side first; where an
            encoder is frozen, it has ``freeze_encoder`` and ``unfreeze_encoder``.
        training: Its betas, weight decay and limit of the gradient count.

    Attributes:
        panels: What the curves show, from top to bottom.
        bar: Metrics on the progress bar, with short titles: it has to fit on 80 columns.
        best: What the best validation is judged by; None: the weights of the last step are delivered.
        validates_first: Whether what a stage starts from is validated too, and may be the best.
        stage: The stage that is trained.
    """

    panels: ClassVar[tuple[Panel, ...]] = (LOSS, LEARNING_RATE)
    bar: ClassVar[dict[str, str]] = {"train_loss": "loss"}
    best: ClassVar[Best | None] = None
    validates_first: ClassVar[bool] = False

    stage: Stage

    def __init__(self, network: nn.Module, training: Training) -> None:
        super().__init__()
        # Convolutions on a CPU and on tensor cores want the channels of a pixel side by side.
        self.network: Any = network.to(memory_format=torch.channels_last)
        self.training_parameters = training

    @property
    def delivered(self) -> nn.Module:
        """The network that is averaged, validated and delivered."""
        network: nn.Module = self.network
        return network

    def begin(self, stage: Stage) -> None:
        """Prepare for a stage: what is frozen in it, and its loss.

        Args:
            stage: With its number of steps.
        """
        self.stage = stage
        if stage.freeze_encoder:
            self.network.freeze_encoder(batch_norm=stage.freeze_batch_norm)
        elif hasattr(self.network, "unfreeze_encoder"):
            self.network.unfreeze_encoder()

    def may_deliver(self, metrics: Mapping[str, Tensor]) -> bool:
        """Say whether weights with these metrics of their validation may be delivered as the best."""
        return True

    def draw_sample(self) -> Image.Image | None:
        """Draw what the delivered network makes in the middle of its training; None where that is not shown."""
        return None

    def on_fit_start(self) -> None:
        """Empty the metrics that count: what a process is started with, all of them may share, the last stage's too."""
        for module in self.modules():
            if isinstance(module, Metric):
                module.reset()

    def forward(self, x: Tensor) -> Any:
        """Run the delivered network."""
        return self.delivered(x)

    def example(self) -> Tensor | None:
        """Give what the delivered network takes in the stage, a batch of one; None to leave sizes out of its table."""
        return None

    def configure_optimizers(self) -> Any:
        """Give AdamW on what is not frozen, and the schedule, which moves every step."""
        groups, rates = self._groups()
        optimizer = self.make_optimizer(groups, rates)
        if self.stage.schedule == "constant":
            return optimizer
        assert self.stage.steps is not None
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=rates,
            total_steps=self.stage.steps,
            pct_start=_way_up(self.stage.pct_start, self.stage.steps),
            div_factor=25,
            final_div_factor=1e4,
            base_momentum=0.85,
            max_momentum=0.95,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def make_optimizer(self, groups: list[list[nn.Parameter]], rates: list[float]) -> torch.optim.AdamW:
        """Give AdamW with a learning rate for each group of parameters."""
        return torch.optim.AdamW(
            [{"params": group, "lr": rate} for group, rate in zip(groups, rates, strict=True)],
            betas=self.training_parameters.betas,
            weight_decay=self.training_parameters.weight_decay,
            # One pass over the parameters instead of ten.
            fused=True,
        )

    def configure_gradient_clipping(self, optimizer: torch.optim.Optimizer, *_: Any, **__: Any) -> None:
        """Limit the norm of the gradient; here, because Lightning does so for one optimizer that is not fused alone."""
        if limit := self.training_parameters.gradient_clip:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, limit)

    def log_loss(self, terms: dict[str, Tensor]) -> Tensor:
        """Log a step's loss, its terms where there are several, and the learning rate, the decoder's if there are two.

        Args:
            terms: Name to weighted value.

        Returns:
            Their sum.
        """
        loss = torch.stack(list(terms.values())).sum()
        self.log("train_loss", loss, sync_dist=True)
        for number, optimizer in enumerate(self.trainer.optimizers):
            self.log(f"lr_{number}" if number else "lr", optimizer.param_groups[-1]["lr"])
        if len(terms) > 1:
            self.log_dict({f"train_{name}": value for name, value in terms.items()}, sync_dist=True)
        return loss

    def _groups(self) -> tuple[list[list[nn.Parameter]], list[float]]:
        """Give the parameters that learn in groups, and each group's highest rate."""
        lr = self.stage.lr
        if isinstance(lr, tuple):
            groups = self.network.parameter_groups()
            rates = np.geomspace(*lr, len(groups)).tolist()
        else:
            groups, rates = [list(self.network.parameters())], [lr]
        learning = [[parameter for parameter in group if parameter.requires_grad] for group in groups]
        kept = [(group, rate) for group, rate in zip(learning, rates, strict=True) if group]
        return [group for group, _ in kept], [rate for _, rate in kept]


def _way_up(pct_start: float, steps: int) -> float:
    """Give ``pct_start``, or a bit more where that is one step: torch divides by the steps on the way up less one."""
    return pct_start * (1.01 if isclose(pct_start * steps, 1) else 1)
