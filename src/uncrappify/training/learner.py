"""A network in a stage of its training: which parameters learn, how fast, and by which schedule."""

from __future__ import annotations

from math import isclose
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn

from uncrappify import memory
from uncrappify.training.parameters import Stage, Training


class StageModule(pl.LightningModule):
    """The lesson's optimizer for any network: AdamW on all parameters and one cycle.

    Args:
        network: What learns. With two learning rates it gives ``parameter_groups``, the input's side first; where an
            encoder is frozen, it has ``freeze_encoder`` and ``unfreeze_encoder``.
        stage: Its learning rate, freezing, steps and schedule count.
        training: Its betas and weight decay count.
    """

    def __init__(self, network: nn.Module, stage: Stage, training: Training) -> None:
        super().__init__()
        # Convolutions on a CPU and on tensor cores want the channels of a pixel side by side.
        self.network: Any = network.to(memory_format=torch.channels_last)
        self.stage = stage
        self.training_parameters = training
        self._freeze()

    def on_fit_start(self) -> None:
        """Leave out what costs time and changes no result; on a CPU, keep the memory that this process frees.

        In each process that trains; ``fit`` has it all as it was in the end.
        """
        # With Lightning's `deterministic`, torch fills every new tensor, to show who reads what nobody wrote.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        if self.device.type == "cpu":
            memory.keep_freed()

    def configure_optimizers(self) -> Any:
        """Give AdamW on what is not frozen, and the schedule, which moves every step."""
        groups, rates = self._groups()
        optimizer = torch.optim.AdamW(
            [{"params": group, "lr": rate} for group, rate in zip(groups, rates, strict=True)],
            betas=self.training_parameters.betas,
            weight_decay=self.training_parameters.weight_decay,
            # One pass over the parameters instead of ten; but Lightning limits no gradients of it in mixed precision.
            fused=not self.training_parameters.gradient_clip,
        )
        if self.stage.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=rates,
            total_steps=self.stage.steps,
            pct_start=_way_up(self.stage),
            div_factor=25,
            final_div_factor=1e4,
            base_momentum=0.85,
            max_momentum=0.95,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def log_loss(self, terms: dict[str, Tensor]) -> Tensor:
        """Log a step's loss, its terms where there are several, and the learning rate, the decoder's if there are two.

        Args:
            terms: Name to weighted value.

        Returns:
            Their sum.
        """
        loss = torch.stack(list(terms.values())).sum()
        self.log("train_loss", loss, sync_dist=True)
        self.log("lr", self.trainer.optimizers[0].param_groups[-1]["lr"])
        if len(terms) > 1:
            self.log_dict({f"train_{name}": value for name, value in terms.items()}, sync_dist=True)
        return loss

    def _freeze(self) -> None:
        if self.stage.freeze_encoder:
            self.network.freeze_encoder(batch_norm=self.stage.freeze_batch_norm)
        elif hasattr(self.network, "unfreeze_encoder"):
            self.network.unfreeze_encoder()

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


def _way_up(stage: Stage) -> float:
    """Give ``pct_start``, or a bit more where that is one step: torch divides by the steps on the way up less one."""
    return stage.pct_start * (1.01 if isclose(stage.pct_start * stage.steps, 1) else 1)
