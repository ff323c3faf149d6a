"""What a training learns from and is watched by; what the batches are is the task's own."""

from __future__ import annotations

from typing import Any, Protocol

from PIL import Image


class BatchSource(Protocol):
    """Whole batches, each a pure function of its number."""

    @property
    def workers(self) -> int:
        """How many processes should make batches; 0 where making them is cheap."""

    def __getitem__(self, step: int) -> Any:
        """Give the batch of a step."""


class Data(Protocol):
    """The samples of a training."""

    @property
    def fingerprint(self) -> str:
        """Hash of the content of all samples that are trained or validated on."""

    def __len__(self) -> int:
        """How many samples an epoch has."""

    def batches(self, stage: Any, seed: int) -> BatchSource:
        """Give the training batches of a stage.

        Args:
            stage: A :class:`~uncrappify.training.parameters.Stage` of the task's own kind.
            seed: Of everything random in them.
        """

    def validation(self) -> Any:
        """Give the validation batches, the same for all stages; None to leave validation out."""

    def draw(self, batch: Any) -> Image.Image | None:
        """Draw a batch as the network gets it; None where there is nothing to see."""
