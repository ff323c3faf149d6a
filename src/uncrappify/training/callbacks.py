"""What watches a training: the clock, and the bar."""

from __future__ import annotations

import logging
import time
from statistics import median
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from rich.progress import Progress, TaskID

from uncrappify.progress import bar
from uncrappify.training.batches import Batches
from uncrappify.training.hardware import peak_memory_mb

log = logging.getLogger(__name__)

STEPS_UNTIL_ESTIMATE = 20
STEPS_BETWEEN_MOVES = 10
# Short titles: the bar has to fit on 80 columns.
SHOWN = {"train_loss": "loss", "valid_psnr": "PSNR"}


class Clock(Callback):
    """Measures steps, waiting and the whole; part of the checkpoint, so that a resumed training counts on.

    Args:
        batches: The batches of the stage.

    Attributes:
        seconds: Of training, validation included.
        step_seconds: Of each step, without validation.
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches
        self.seconds = 0.0
        self.step_seconds: list[float] = []
        self._ticked = 0.0
        self._validated = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._ticked = time.perf_counter()

    def on_train_batch_start(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Set Lightning's count for the log, which is one too high after a checkpoint that an exception left."""
        trainer.fit_loop.epoch_loop._batches_that_stepped = self.batches.position

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note when validation started."""
        self._validated = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave validation out of the step, but not out of the whole."""
        elapsed = time.perf_counter() - self._validated
        self.seconds += elapsed
        self._ticked += elapsed

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Count the batch and take the time of its step."""
        self.batches.position += 1
        now = time.perf_counter()
        self.step_seconds.append(now - self._ticked)
        self.seconds += self.step_seconds[-1]
        self._ticked = now
        if len(self.step_seconds) == STEPS_UNTIL_ESTIMATE:
            left = (len(self.batches) - trainer.global_step) * median(self.step_seconds)
            log.info(
                "%s steps: about %s and %.1f GB of memory", len(self.batches), duration(left), peak_memory_mb() / 1024
            )

    def state_dict(self) -> dict[str, Any]:
        """Give the measures, for the checkpoint."""
        waited = self.batches.seconds_waited
        return {"seconds": self.seconds, "step_seconds": self.step_seconds, "seconds_waited": waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the measures of a checkpoint."""
        self.seconds, self.step_seconds = state_dict["seconds"], state_dict["step_seconds"]
        self.batches.seconds_waited = state_dict["seconds_waited"]


class MovingAverage(EMAWeightAveraging):
    """Lightning's moving average of the weights, which takes the network's place while it is validated.

    An interrupt in the middle of a validation must not leave it there: the checkpoint that is written then would hold
    average and network the wrong way round.
    """

    _validating = False

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average into the network's place."""
        super().on_validation_epoch_start(trainer, pl_module)
        self._validating = True

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the network back."""
        super().on_validation_epoch_end(trainer, pl_module)
        self._validating = False

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Put the network back before the checkpoint is written."""
        if self._validating:
            self.on_validation_epoch_end(trainer, pl_module)


class Bar(Callback):
    """A bar with the loss and the time that is left.

    Args:
        description: What is trained.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self._progress: Progress
        self._task: TaskID

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar."""
        self._progress = bar()
        self._progress.start()
        self._task = self._progress.add_task(self.description, total=trainer.max_steps, completed=trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if trainer.global_step % STEPS_BETWEEN_MOVES:
            return
        measured = trainer.callback_metrics
        notes = [f"{title} {measured[name]:.4g}" for name, title in SHOWN.items() if name in measured]
        self._progress.update(
            self._task, completed=trainer.global_step, description=" ".join([self.description, *notes])
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the bar away."""
        self._progress.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the bar away."""
        if hasattr(self, "_progress"):
            self._progress.stop()


def duration(seconds: float) -> str:
    """Write a time as a person says it: ``3 min 20 s``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{value} {unit}" for value, unit in parts if value) or "0 s"
