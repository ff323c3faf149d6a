"""Learning which class a picture belongs to: cross entropy on the decoded pictures, accuracy."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MeanMetric

from uncrappify.datasets import LabelledPictures
from uncrappify.evaluation.class_sheet import draw_labelled_batch_sheet
from uncrappify.training.labelled import LabelledBatches
from uncrappify.training.learner import LEARNING_RATE, LOSS, Learner, Panel
from uncrappify.training.parameters import ClassificationStage, ClassificationTraining
from uncrappify.training.trajectory import Trajectory

BATCH_PIXELS = 500 * 28 * 28
"""Of the validation pictures that are looked at at once."""

Batch = tuple[Tensor, Tensor]


class ClassificationLearner(Learner):
    """A network that learns which class a picture belongs to.

    Args:
        network: (N, C, H, W) in 0..1 to logits (N, classes).
        training: Its ``label_smoothing`` and ``snapshots`` count, and what
            :class:`~uncrappify.training.learner.Learner` reads.
        shape: C, H and W of the pictures.
    """

    panels = (LOSS, Panel("accuracy", {"valid_accuracy": "valid accuracy"}), LEARNING_RATE)
    bar = {"train_loss": "loss", "valid_accuracy": "accuracy"}

    def __init__(self, network: nn.Module, training: ClassificationTraining, shape: tuple[int, ...]) -> None:
        super().__init__(network, training)
        self.label_smoothing = training.label_smoothing
        self.snapshots = training.snapshots
        self.shape = shape
        self.valid_loss, self.valid_accuracy = MeanMetric(), MeanMetric()

    def configure_callbacks(self) -> list[Callback]:
        """Keep weights while training, where that is asked for."""
        return [Trajectory(self.snapshots)] if self.snapshots else []

    def example(self) -> Tensor:
        """Give a black picture: (1, C, H, W)."""
        return torch.zeros(1, *self.shape)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Give the loss of a batch."""
        logits, labels = self._predict(batch)
        return self.log_loss({"cross_entropy": F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)})

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure loss, without smoothing, and accuracy."""
        logits, labels = self._predict(batch)
        self.valid_loss.update(F.cross_entropy(logits, labels, reduction="none"))
        self.valid_accuracy.update((logits.argmax(1) == labels).float())

    def on_validation_epoch_end(self) -> None:
        """Log the means over all validation pictures."""
        self.log_dict({"valid_loss": self.valid_loss.compute(), "valid_accuracy": self.valid_accuracy.compute()})
        self.valid_loss.reset()
        self.valid_accuracy.reset()

    def _predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        pictures, labels = batch
        logits: Tensor = self.network(pictures.to(memory_format=torch.channels_last).float() / 255)
        return logits.float(), labels


class ClassificationData:
    """Pictures, decoded, and their classes.

    Args:
        train: Pictures to learn from.
        valid: Pictures to watch.
        training: What happens to pictures.
        fingerprint: Of the content of all these pictures, and their classes.
    """

    def __init__(
        self, train: LabelledPictures, valid: LabelledPictures, training: ClassificationTraining, fingerprint: str = ""
    ) -> None:
        self.train = train
        self.valid = valid
        self.fingerprint = fingerprint
        self._training = training

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.train)

    def batches(self, stage: ClassificationStage, seed: int) -> LabelledBatches:
        """Give the batches of a stage."""
        pixels, labels = (torch.from_numpy(part) for part in (self.train.pixels, self.train.labels))
        return LabelledBatches(pixels, labels, stage, self._training, seed)

    def validation(self) -> DataLoader[Batch]:
        """Give the validation pictures, in batches."""
        parts = (torch.from_numpy(part) for part in (self.valid.pixels, self.valid.labels))
        batch_size = max(1, BATCH_PIXELS // (self.valid.shape[1] * self.valid.shape[2]))
        batches = list(zip(*(torch.split(part, batch_size) for part in parts), strict=True))
        return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]

    def draw(self, batch: Batch) -> Image.Image:
        """Draw each picture over the name of its class."""
        pictures, labels = batch
        return draw_labelled_batch_sheet(pictures.numpy(), [self.train.classes[label] for label in labels.tolist()])
