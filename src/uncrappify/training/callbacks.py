"""What watches a training: the clock, and the bar."""

from __future__ import annotations

import logging
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, WeightAveraging
from rich.progress import Progress, TaskID
from torch import Tensor

from uncrappify.progress import format_duration, make_bar
from uncrappify.training.batches import Batches
from uncrappify.training.hardware import peak_memory_mb

log = logging.getLogger(__name__)

# Lightning writes to the terminal by handlers of its own; its messages belong into the log file. Here, because every
# process that trains loads this module.
for _name in ("lightning", "lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_name).handlers.clear()
    logging.getLogger(_name).propagate = True

STEPS_UNTIL_ESTIMATE = 20
STEPS_BETWEEN_MOVES = 10
# Short titles: the bar has to fit on 80 columns.
SHOWN = {"train_loss": "loss", "valid_psnr": "PSNR", "valid_miou": "mIoU"}


class Clock(Callback):
    """Measures steps, waiting and the whole; part of the checkpoint, so that a resumed training counts on.

    Args:
        batches: The batches of the stage.

    Attributes:
        seconds: Of training, validation included.
        step_seconds: Of each step, without validation.
        peak_memory_mb: Of this process; the first one's where several train together.
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches
        self.seconds = 0.0
        self.step_seconds: list[float] = []
        self.peak_memory_mb = 0.0
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
        if len(self.step_seconds) == STEPS_UNTIL_ESTIMATE and trainer.is_global_zero:
            left = (len(self.batches) - trainer.global_step) * median(self.step_seconds)
            log.info(
                "%s steps: about %s and %.1f GB of memory",
                len(self.batches),
                format_duration(left),
                peak_memory_mb() / 1024,
            )

    def state_dict(self) -> dict[str, Any]:
        """Give the measures, for the checkpoint."""
        return {
            "seconds": self.seconds,
            "step_seconds": self.step_seconds,
            "seconds_waited": self.batches.seconds_waited,
            "peak_memory_mb": max(self.peak_memory_mb, peak_memory_mb()),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the measures of a checkpoint."""
        self.seconds, self.step_seconds = state_dict["seconds"], state_dict["step_seconds"]
        self.batches.seconds_waited = state_dict["seconds_waited"]
        self.peak_memory_mb = state_dict["peak_memory_mb"]


class LastCheckpoint(Callback):
    """Saves the end of a training; after all callbacks that change the weights.

    Args:
        file: Where to.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save it."""
        trainer.save_checkpoint(self.file)


class MovingAverage(WeightAveraging):
    """Lightning's moving average of the weights, which takes the network's place while it is validated.

    An interrupt in the middle of a validation must not leave it there: the checkpoint that is written then would hold
    average and network the wrong way round.

    Args:
        decay: How much of the average a step keeps.
    """

    def __init__(self, decay: float) -> None:
        # A function of a module, which other processes can be given; that of EMAWeightAveraging is a local one.
        super().__init__(avg_fn=partial(_decayed, decay))
        self._validating = False

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


def _decayed(decay: float, average: Tensor, current: Tensor, _: int) -> Tensor:
    return decay * average + (1 - decay) * current


class Bar(Callback):
    """A bar with the loss and the time that is left.

    Args:
        description: What is trained.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self._progress: Progress
        self._task: TaskID

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep the terminal to the bar: in a process that was started to train, nobody has sent warnings elsewhere."""
        if trainer.world_size > 1:
            logging.captureWarnings(True)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar; one for all processes."""
        self._progress = make_bar() if trainer.is_global_zero else Progress(disable=True)
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
