"""Learning to tell classes apart: pictures with masks in, cross entropy, mean IoU on whole pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from uncrappify.datasets import MaskedPictures
from uncrappify.evaluation.confusion import Confusion
from uncrappify.evaluation.mask_sheet import draw_masked_batch_sheet
from uncrappify.inference.segmenter import working_size
from uncrappify.losses.segmentation import cross_entropy, dice, median_frequency_weights
from uncrappify.training.learner import LEARNING_RATE, LOSS, Learner, Panel
from uncrappify.training.masked_crops import Decoded, MaskedCrops, decode_masked
from uncrappify.training.parameters import SegmentationStage, SegmentationTraining

# Validation is watched, not reported.
VALIDATION_PICTURES = 32

Batch = tuple[Tensor, Tensor]


class SegmentationLearner(Learner):
    """A network that learns which class a pixel belongs to.

    Args:
        network: (N, 3, H, W) in 0..1 to logits (N, classes, H, W).
        training: Its ``dice`` and ``class_weights`` count, and what
            :class:`~uncrappify.training.learner.Learner` reads.
        pixels: (pictures, classes), how many pixels each class has in each training picture.
    """

    panels = (LOSS, Panel("valid", {"valid_miou": "mean IoU", "valid_accuracy": "accuracy"}), LEARNING_RATE)
    bar = {"train_loss": "loss", "valid_miou": "mIoU"}

    class_weights: Tensor | None

    def __init__(self, network: nn.Module, training: SegmentationTraining, pixels: Tensor) -> None:
        super().__init__(network, training)
        self.dice = training.dice
        weights = median_frequency_weights(pixels) if training.class_weights == "median_frequency" else None
        self.register_buffer("class_weights", weights, persistent=False)
        self.confusion = Confusion(pixels.shape[1])

    def example(self) -> Tensor:
        """Give a black picture of the stage's size: (1, 3, H, W)."""
        assert isinstance(self.stage, SegmentationStage)
        return torch.zeros(1, 3, *self.stage.size)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Give the loss of a batch."""
        return self.log_loss(self._terms(*self._predict(batch)))

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure the loss, and count which class was taken for which."""
        logits, target = self._predict(batch)
        loss = torch.stack(list(self._terms(logits, target).values())).sum()
        self.log("valid_loss", loss, batch_size=1, sync_dist=True)
        self.confusion.update(logits.argmax(1), target)

    def on_validation_epoch_end(self) -> None:
        """Log what the counts of all validation pictures give."""
        counts = self.confusion.compute_counts()
        self.log_dict({"valid_accuracy": counts.accuracy, "valid_miou": counts.miou})
        self.confusion.reset()

    def _terms(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        terms = {"cross_entropy": cross_entropy(logits, target, self.class_weights)}
        return terms | {"dice": self.dice * dice(logits, target)} if self.dice else terms

    def _predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        pictures, target = batch
        logits: Tensor = self.network(pictures.to(memory_format=torch.channels_last).float() / 255)
        return logits, target


class SegmentationData:
    """Pictures, and the class of every pixel.

    Args:
        train: Pictures to learn from.
        valid: Pictures to watch; may be empty.
        size: Height and width whose area validation pictures are brought to.
        training: Augmentation and devices count.
        fingerprint: Of the content of all these pictures and masks.
    """

    def __init__(
        self,
        train: MaskedPictures,
        valid: MaskedPictures,
        size: tuple[int, int],
        training: SegmentationTraining,
        fingerprint: str = "",
    ) -> None:
        self.train = train
        self.valid = valid
        self.size = size
        self.fingerprint = fingerprint
        self._training = training

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.train)

    @cached_property
    def decoded(self) -> Decoded:
        """All training pictures with their masks, decoded."""
        return decode_masked(self.train, self._training.processes)

    def batches(self, stage: SegmentationStage, seed: int) -> MaskedCrops:
        """Give the batches of a stage."""
        return MaskedCrops(self.train, self.decoded, stage, self._training.augment, seed)

    def validation(self) -> DataLoader[Batch] | None:
        """Give validation pictures one by one, in the size that they will be segmented in."""
        pictures: Sequence[Batch] = [self._resize(name) for name in self.valid.names[:VALIDATION_PICTURES]]
        return DataLoader(pictures, batch_size=1) if pictures else None  # type: ignore[arg-type]

    def draw(self, batch: Batch) -> Image.Image:
        """Draw each picture beside its mask."""
        pictures, masks = batch
        return draw_masked_batch_sheet(pictures.permute(0, 2, 3, 1).numpy(), masks.numpy(), self.train.labels)

    def _resize(self, name: str) -> Batch:
        picture, mask = self.valid[name]
        size = working_size(picture.size, self.size)
        seen = np.array(picture.resize(size, Image.Resampling.BILINEAR))
        target = np.array(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
        return torch.from_numpy(seen).permute(2, 0, 1), torch.from_numpy(target)
