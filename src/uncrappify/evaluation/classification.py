"""How good classifiers are: accuracy, what is taken for what, and what each costs."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uncrappify.datasets import ClassificationDescription, LabelledPictures, TrainedModel
from uncrappify.evaluation.confusion import Counts
from uncrappify.inference.classifier import Classifier

BATCH_TOLD = 128
"""Pictures in the batch whose memory is told."""

BATCH_MEASURED = 2
"""Pictures in the batch that is measured for it: of large ones, more would not fit."""

SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class ClassScores:
    """What is measured of a classifier.

    Args:
        probabilities: (N, classes), of the test pictures.
        labels: (N,), their classes.
        parameters: How many numbers the network has learned.
        step_memory_mb: What a training step on 128 pictures keeps in memory for its backward pass, in MB.
        description: Of the model, with the metrics of its training.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    parameters: int
    step_memory_mb: float
    description: ClassificationDescription

    @property
    def training_metrics(self) -> dict[str, float]:
        """Metrics of the training, with those of the last validation."""
        return self.description.metrics

    @property
    def accuracy(self) -> float:
        """Share of the test pictures whose most probable class is right, 0 to 1."""
        return float((self.probabilities.argmax(1) == self.labels).mean())

    @property
    def loss(self) -> float:
        """Mean cross entropy of the test pictures, in nats; a probability counts as 1e-12 at least."""
        right = self.probabilities[np.arange(len(self.labels)), self.labels]
        return float(-np.log(np.maximum(right, SMALLEST_PROBABILITY)).mean())

    @property
    def counts(self) -> Counts:
        """Number of test pictures by true and predicted class."""
        classes = self.probabilities.shape[1]
        pairs = self.labels * classes + self.probabilities.argmax(1)
        return Counts(np.bincount(pairs, minlength=classes**2).reshape(classes, classes))

    @property
    def row(self) -> dict[str, float | None]:
        """What the table of models says: ``accuracy`` on the test pictures and on the ``valid`` ones, and the costs."""
        return {
            "parameters": self.parameters,
            "accuracy": self.accuracy,
            "valid": self.training_metrics.get("valid_accuracy"),
            "seconds": self.training_metrics.get("train_seconds"),
            "step_memory_mb": self.step_memory_mb,
        }

    @property
    def metrics(self) -> dict[str, float]:
        """``accuracy``, ``loss``, ``parameters`` and ``step_memory_mb``, as the attributes define them."""
        return {
            "accuracy": self.accuracy,
            "loss": self.loss,
            "parameters": self.parameters,
            "step_memory_mb": self.step_memory_mb,
        }


def score(model: TrainedModel, test: LabelledPictures) -> ClassScores:
    """Classify the test pictures.

    Args:
        model: A trained classifier of the same classes.
        test: The pictures.
    """
    classifier = Classifier.from_trained(model)
    network = classifier.network
    return ClassScores(
        probabilities=classifier.compute_probabilities(torch.from_numpy(test.pixels)).numpy(),
        labels=test.labels,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        step_memory_mb=measure_activations(network, test.shape) * BATCH_TOLD / 2**20,
        description=classifier.description,
    )


def measure_activations(network: nn.Module, shape: tuple[int, ...]) -> float:
    """Measure what a training step keeps in memory for its backward pass, apart from the weights.

    Args:
        network: The network.
        shape: C, H and W of the pictures.

    Returns:
        Bytes a picture, in 32-bit numbers; the same on every machine.
    """
    batch = torch.zeros(BATCH_MEASURED, *shape)
    # A copy: batch norm counts the black batch.
    network = deepcopy(network).train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = network(batch.to(next(network.parameters()).device))
        # Kept alive until it is counted: a freed block's address would be taken again.
        F.cross_entropy(logits, torch.zeros(len(batch), dtype=torch.int64, device=logits.device))
    return sum(kept.values()) / BATCH_MEASURED
