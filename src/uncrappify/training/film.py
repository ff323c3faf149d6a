"""Shows what a network makes while it learns: a picture at each validation."""

from __future__ import annotations

from typing import Any

import mlflow
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from uncrappify.datasets.training_run import TrainingRun
from uncrappify.training.batches import Batches


class Film(Callback):
    """Has the learner draw a sample at each validation, keeps it, and logs it as an image of that step.

    Args:
        run: The folder of the training.
        batches: Of the stage.
        offset: Steps of the stages before.
    """

    def __init__(self, run: TrainingRun, batches: Batches, offset: int) -> None:
        self._run, self._batches, self._offset = run, batches, offset

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw and keep the sample; the average is in the network's place by now."""
        learner: Any = pl_module
        picture = learner.draw_sample() if trainer.is_global_zero else None
        if picture is None:
            return
        step = self._offset + self._batches.position
        self._run.keep_frame(picture, step)
        if mlflow.active_run():
            mlflow.log_image(picture, key="film", step=step)
