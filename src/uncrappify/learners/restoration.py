"""Learning to undo damage: crops in, weighted losses, PSNR on whole pictures to choose by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from uncrappify.datasets import PicturePairs
from uncrappify.degradations import Recipe
from uncrappify.evaluation.sheet import draw_batch_sheet
from uncrappify.losses import WeightedLoss
from uncrappify.training.crops import PairCrops, PixelPairs, decode_pairs
from uncrappify.training.learner import LEARNING_RATE, LOSS, Learner, Panel
from uncrappify.training.parameters import PairTraining, RestorationStage, Stage

# Validation is watched, not reported: these bounds keep it quick and its memory small on any folder.
VALIDATION_PICTURES = 32
VALIDATION_SIDE = 1024

Batch = tuple[Tensor, Tensor]


class RestorationLearner(Learner):
    """A network that learns to undo damage.

    Args:
        network: (N, 3, H, W) in 0..1 to (N, 3, H * scale, W * scale).
        training: As in :class:`~uncrappify.training.learner.Learner`.
    """

    panels = (LOSS, Panel("valid PSNR, dB", {"valid_psnr": "valid PSNR"}), LEARNING_RATE)
    bar = {"train_loss": "loss", "valid_psnr": "PSNR"}

    def begin(self, stage: Stage) -> None:
        """Prepare for a stage, whose loss counts from now on."""
        super().begin(stage)
        assert isinstance(stage, RestorationStage)
        self.loss = weigh_losses(stage)

    def example(self) -> Tensor:
        """Give a black crop of the stage's size: (1, 3, size / scale, size / scale)."""
        assert isinstance(self.stage, RestorationStage)
        side = self.stage.size // int(self.network.scale)
        return torch.zeros(1, 3, side, side)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Give the loss of a batch of crops."""
        return self.log_loss(self._terms(batch)[0])

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure the loss and the PSNR of a whole picture, rounded to 8 bit as it would be saved."""
        terms, prediction, target = self._terms(batch)
        loss, psnr = torch.stack(list(terms.values())).sum(), compute_psnr(round_to_8_bit(prediction), target)
        self.log_dict({"valid_loss": loss, "valid_psnr": psnr}, batch_size=1, sync_dist=True)

    def _terms(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        inputs, target = (scale_to_unit(side) for side in batch)
        prediction = self.network(inputs)
        return self.loss(prediction, target), prediction, target


def weigh_losses(stage: RestorationStage) -> WeightedLoss:
    """Give the weighted sum of a stage's losses."""
    return WeightedLoss([(name, weight) for term in stage.loss for name, weight in term.items()])


def scale_to_unit(pictures: Tensor) -> Tensor:
    """Bring pictures (N, C, H, W) from 0..255 to 0..1, the channels of a pixel side by side."""
    return pictures.to(memory_format=torch.channels_last).float() / 255


def round_to_8_bit(pictures: Tensor) -> Tensor:
    """Bring pictures around 0..1 to what they are when they are saved, 0..1; bfloat16 knows no 255 steps."""
    return (pictures.float().clamp(0, 1) * 255).round() / 255


def compute_psnr(prediction: Tensor, target: Tensor) -> Tensor:
    """Compute the PSNR in dB of pictures of any equal shape, both in 0..1, at most about 108."""
    return -10 * torch.log10((prediction - target).square().mean().clamp(min=1e-6 / 255**2))


class RestorationData:
    """Degraded pictures, and what they should become.

    Args:
        train: Pictures to learn from.
        valid: Pictures to watch; may be empty.
        recipe: How variants of training pictures are degraded.
        training: Augmentation, variants and devices count.
        seed: Of the variants.
        fingerprint: Of the content of all these pictures.
    """

    def __init__(
        self,
        train: PicturePairs,
        valid: PicturePairs,
        recipe: Recipe,
        training: PairTraining,
        seed: int,
        fingerprint: str = "",
    ) -> None:
        self.train = train
        self.valid = valid
        self.fingerprint = fingerprint
        self._recipe, self._training, self._seed = recipe, training, seed

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.train)

    @cached_property
    def pixels(self) -> PixelPairs:
        """All training pictures, decoded, with their variants."""
        training = self._training
        return decode_pairs(
            self.train, self._recipe, training.augment, training.variants, self._seed, training.processes
        )

    def batches(self, stage: RestorationStage, seed: int) -> PairCrops:
        """Give the crops of a stage."""
        training = self._training
        return PairCrops(self.train, self.pixels, stage, training.augment, seed, training.crops_on_text)

    def validation(self) -> DataLoader[Batch] | None:
        """Give validation pictures one by one, the middle of large ones."""
        pictures: Sequence[Batch] = self.read_middles(VALIDATION_PICTURES)
        return DataLoader(pictures, batch_size=1) if pictures else None  # type: ignore[arg-type]

    def read_middles(self, number: int) -> list[Batch]:
        """Read the first validation pictures, the middle of large ones.

        Returns:
            Input (3, h, w) and target (3, h * scale, w * scale) of each, uint8.
        """
        return [self._middle(name) for name in self.valid.names[:number]]

    def draw(self, batch: Batch) -> Image.Image:
        """Draw each crop above its target."""
        return draw_batch_sheet(*(side.permute(0, 2, 3, 1).numpy() for side in batch))

    def _middle(self, name: str) -> Batch:
        degraded, target = (np.asarray(side) for side in self.valid[name])
        scale = self.valid.scale
        side = VALIDATION_SIDE // scale
        top, left = (max(0, length - side) // 2 for length in degraded.shape[:2])
        inputs = degraded[top : top + side, left : left + side]
        targets = target[top * scale : (top + side) * scale, left * scale : (left + side) * scale]
        # Copies: tensors must not share the read-only memory of Pillow's pictures.
        return tuple(torch.from_numpy(part.copy()).permute(2, 0, 1) for part in (inputs, targets))  # type: ignore[return-value]
