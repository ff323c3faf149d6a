"""Training a network to undo damage: crops in, weighted losses, PSNR on whole pictures to choose by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from uncrappify.datasets import PicturePairs
from uncrappify.degradations import Recipe
from uncrappify.losses import WeightedLoss
from uncrappify.training.crops import PairCrops, decoded
from uncrappify.training.learner import StageModule
from uncrappify.training.parameters import RestorationStage, RestorationTraining

# Validation is watched, not reported: these bounds keep it quick and its memory small on any folder.
VALIDATION_PICTURES = 32
VALIDATION_SIDE = 1024

Batch = tuple[Tensor, Tensor]


class RestorationModule(StageModule):
    """A network and its loss.

    Args:
        network: (N, 3, H, W) in 0..1 to (N, 3, H * scale, W * scale).
        stage: Its loss counts, and what :class:`StageModule` reads.
        training: As in :class:`StageModule`.
    """

    def __init__(self, network: nn.Module, stage: RestorationStage, training: RestorationTraining) -> None:
        super().__init__(network, stage, training)
        self.loss = _weighted_loss(stage)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Give the loss of a batch of crops."""
        return self.log_loss(self._terms(batch)[0])

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure the loss and the PSNR of a whole picture, rounded to 8 bit as it would be saved."""
        terms, prediction, target = self._terms(batch)
        # float: bfloat16 knows no 255 steps.
        error = (prediction.float().clamp(0, 1) * 255).round() - target * 255
        psnr = 10 * torch.log10(255**2 / error.square().mean().clamp(min=1e-6))
        loss = torch.stack(list(terms.values())).sum()
        self.log_dict({"valid_loss": loss, "valid_psnr": psnr}, batch_size=1, sync_dist=True)

    def _terms(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        inputs, target = (side.to(memory_format=torch.channels_last).float() / 255 for side in batch)
        prediction = self.network(inputs)
        return self.loss(prediction, target), prediction, target


class RestorationTask:
    """Degraded pictures to good ones.

    Args:
        name: Of the pipeline, for the bar.
        network: With fresh weights.
        train: Pictures to learn from.
        valid: Pictures to watch; may be empty.
        recipe: How variants of training pictures are degraded.
        training: Augmentation and optimizer.
        seed: Of the variants.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        train: PicturePairs,
        valid: PicturePairs,
        recipe: Recipe,
        training: RestorationTraining,
        seed: int,
    ) -> None:
        self.name = name
        self.network = network
        self.train = train
        self.valid = valid
        self.training = training
        # What a loss of a later stage lacks must not show only when the earlier ones are done.
        for stage in training.stages:
            _weighted_loss(stage)
        self.pixels = decoded(train, recipe, training.augment, training.variants, seed, training.processes)

    def module(self, stage: RestorationStage) -> RestorationModule:
        """Give the Lightning module of a stage."""
        return RestorationModule(self.network, stage, self.training)

    def batches(self, stage: RestorationStage, seed: int) -> PairCrops:
        """Give the crops of a stage."""
        return PairCrops(self.train, self.pixels, stage, self.training.augment, seed)

    def validation(self) -> DataLoader[Batch] | None:
        """Give validation pictures one by one, the middle of large ones."""
        names = self.valid.names[:VALIDATION_PICTURES]
        pictures: Sequence[Batch] = [self._middle(name) for name in names]
        return DataLoader(pictures, batch_size=1) if pictures else None  # type: ignore[arg-type]

    def _middle(self, name: str) -> Batch:
        degraded, target = (np.asarray(side) for side in self.valid[name])
        scale = self.valid.scale
        side = VALIDATION_SIDE // scale
        top, left = (max(0, length - side) // 2 for length in degraded.shape[:2])
        inputs = degraded[top : top + side, left : left + side]
        targets = target[top * scale : (top + side) * scale, left * scale : (left + side) * scale]
        # Copies: tensors must not share the read-only memory of Pillow's pictures.
        return tuple(torch.from_numpy(part.copy()).permute(2, 0, 1) for part in (inputs, targets))  # type: ignore[return-value]


def _weighted_loss(stage: RestorationStage) -> WeightedLoss:
    return WeightedLoss([(name, weight) for term in stage.loss for name, weight in term.items()])
