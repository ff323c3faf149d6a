"""Training a network to tell classes apart: pictures with masks in, cross entropy, mean IoU on whole pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from uncrappify.datasets import MaskedPictures
from uncrappify.evaluation.confusion import Confusion
from uncrappify.inference.segmenter import working_size
from uncrappify.losses.segmentation import cross_entropy, dice, median_frequency_weights
from uncrappify.training.learner import StageModule
from uncrappify.training.masked_crops import MaskedCrops, decoded
from uncrappify.training.parameters import SegmentationStage, SegmentationTraining

# Validation is watched, not reported.
VALIDATION_PICTURES = 32

Batch = tuple[Tensor, Tensor]


class SegmentationModule(StageModule):
    """A network and its loss.

    Args:
        network: (N, 3, H, W) in 0..1 to logits (N, classes, H, W).
        stage: As in :class:`StageModule`.
        training: Its ``dice`` counts, and what :class:`StageModule` reads.
        classes: How many.
        class_weights: (classes,), of the cross entropy.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        stage: SegmentationStage,
        training: SegmentationTraining,
        classes: int,
        class_weights: Tensor | None,
    ) -> None:
        super().__init__(network, stage, training)
        self.dice = training.dice
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.confusion = Confusion(classes)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Give the loss of a batch."""
        return self.log_loss(self._terms(*self._predicted(batch)))

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure the loss, and count which class was taken for which."""
        logits, target = self._predicted(batch)
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

    def _predicted(self, batch: Batch) -> tuple[Tensor, Tensor]:
        pictures, target = batch
        logits: Tensor = self.network(pictures.to(memory_format=torch.channels_last).float() / 255)
        return logits, target


class SegmentationTask:
    """Pictures to the class of every pixel.

    Args:
        name: Of the pipeline, for the bar.
        network: With fresh weights.
        train: Pictures to learn from.
        valid: Pictures to watch; may be empty.
        pixels: (pictures, classes), how many pixels each class has in each training picture.
        size: Height and width whose area validation pictures are brought to.
        training: Augmentation, loss and optimizer.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        train: MaskedPictures,
        valid: MaskedPictures,
        pixels: Tensor,
        size: tuple[int, int],
        training: SegmentationTraining,
    ) -> None:
        self.name = name
        self.network = network
        self.train = train
        self.valid = valid
        self.size = size
        self.training = training
        self.class_weights = median_frequency_weights(pixels) if training.class_weights == "median_frequency" else None
        self.decoded = decoded(train, training.processes)

    def module(self, stage: SegmentationStage) -> SegmentationModule:
        """Give the Lightning module of a stage."""
        classes = len(self.train.labels.classes)
        return SegmentationModule(self.network, stage, self.training, classes, self.class_weights)

    def batches(self, stage: SegmentationStage, seed: int) -> MaskedCrops:
        """Give the batches of a stage."""
        return MaskedCrops(self.train, self.decoded, stage, self.training.augment, seed)

    def validation(self) -> DataLoader[Batch] | None:
        """Give validation pictures one by one, in the size that they will be segmented in."""
        pictures: Sequence[Batch] = [self._resized(name) for name in self.valid.names[:VALIDATION_PICTURES]]
        return DataLoader(pictures, batch_size=1) if pictures else None  # type: ignore[arg-type]

    def _resized(self, name: str) -> Batch:
        picture, mask = self.valid[name]
        size = working_size(picture.size, self.size)
        seen = np.array(picture.resize(size, Image.Resampling.BILINEAR))
        target = np.array(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
        return torch.from_numpy(seen).permute(2, 0, 1), torch.from_numpy(target)
