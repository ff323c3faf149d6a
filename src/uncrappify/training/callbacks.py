"""What watches a training and keeps its results: the clock, the bar, the delivered weights, the checkpoints."""

from __future__ import annotations

import logging
import math
import time
from copy import deepcopy
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.loops.evaluation_loop import RestartStage
from rich.progress import Progress, TaskID
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from uncrappify.errors import DivergedError
from uncrappify.progress import format_duration, make_bar
from uncrappify.training.batches import Batches
from uncrappify.training.hardware import peak_memory_mb
from uncrappify.training.history import History
from uncrappify.training.learner import Best

log = logging.getLogger(__name__)

# Lightning writes to the terminal by handlers of its own; its messages belong into the log file. Here, because every
# process that trains loads this module.
for _name in ("lightning", "lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_name).handlers.clear()
    logging.getLogger(_name).propagate = True

STEPS_UNTIL_ESTIMATE = 20
"""The estimate is looked at again after twice, four times, eight times ... as many."""

STEPS_BETWEEN_MOVES = 10


class Estimate:
    """Says in the log how long a training takes, and says it again where that was wrong: a machine may become free."""

    def __init__(self) -> None:
        self._seen, self._next = 0, STEPS_UNTIL_ESTIMATE
        self._latest: list[float] = []
        self._promised: float | None = None

    def add(self, seconds: float, position: int, steps: int) -> None:
        """Take a step.

        Args:
            seconds: That it took.
            position: How many steps are done.
            steps: How many there are.
        """
        self._seen += 1
        self._latest.append(seconds)
        if self._seen < self._next:
            return
        pace, left = median(self._latest), steps - position
        if self._promised is None:
            memory = peak_memory_mb() / 1024
            log.info("%s steps: about %s and %.1f GB of memory", steps, format_duration(left * pace), memory)
            self._promised = pace
        elif abs(pace - self._promised) > self._promised / 2 and left:
            now, before = (format_duration(left * each) for each in (pace, self._promised))
            log.info("step %s of %s: about %s left, not %s as it seemed before", position, steps, now, before)
            self._promised = pace
        self._next, self._latest = 2 * self._seen, []


class Clock(Callback):
    """Measures steps, waiting and the whole; part of the checkpoint, so that a resumed training counts on.

    Args:
        batches: The batches of the stage.

    Attributes:
        seconds: Of training, validation included.
        step_seconds: Of each step, without validation.
        peak_memory_mb: Of this process; the first one's where several train together.
        watched: How many batches were trained on when the last validation ended; None before the first.
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches
        self.seconds = 0.0
        self.step_seconds: list[float] = []
        self.peak_memory_mb = 0.0
        self.watched: int | None = None
        self._ticked = 0.0
        self._validated = 0.0
        self._estimate = Estimate()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, and take back what a step that was interrupted has left in Lightning's counts.

        Lightning does so for its count of the epoch alone, and finds by the other one at which batch it goes on: the
        next checkpoint would then be gone on with a batch late, and the last validation left out.

        A validation that is due and was not ended is done from its beginning: Lightning would go on with the batches
        that are left, of which the metrics would then be, or leave it out.
        """
        loop = trainer.fit_loop.epoch_loop
        if not loop.restarted_on_train_batch_end:
            loop.batch_progress.total.reset_on_restart()
        if trainer.ckpt_path and self.watched != self.batches.position > 0:
            loop.val_loop.batch_progress.reset()
            loop.val_loop._restart_stage = RestartStage.RESTARTED_MID_EVALUATION
        self._ticked = time.perf_counter()

    def on_train_batch_start(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Set Lightning's count for the log, which is one too high after a checkpoint that an exception left.

        And seed what is drawn in the step, such as dropout: a resumed training draws what it would have drawn.
        """
        torch.manual_seed(self.batches.seed_step(trainer.global_rank))
        # Batches, not Lightning's global_step: that counts the steps of every optimizer.
        trainer.fit_loop.epoch_loop._batches_that_stepped = self.batches.position

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note when validation started, and have it logged at the step before."""
        trainer.fit_loop.epoch_loop._batches_that_stepped = self.batches.position - 1
        self._validated = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave validation out of the step, but not out of the whole."""
        elapsed = time.perf_counter() - self._validated
        self.seconds += elapsed
        self._ticked += elapsed
        self.watched = self.batches.position

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Count the batch and take the time of its step."""
        self.batches.position += 1
        now = time.perf_counter()
        self.step_seconds.append(now - self._ticked)
        self.seconds += self.step_seconds[-1]
        self._ticked = now
        if trainer.is_global_zero:
            self._estimate.add(self.step_seconds[-1], self.batches.position, len(self.batches))

    def state_dict(self) -> dict[str, Any]:
        """Give the measures, for the checkpoint."""
        return {
            "position": self.batches.position,
            "seconds": self.seconds,
            "step_seconds": self.step_seconds,
            "seconds_waited": self.batches.seconds_waited,
            "peak_memory_mb": max(self.peak_memory_mb, peak_memory_mb()),
            "watched": self.watched,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the measures of a checkpoint."""
        self.seconds, self.step_seconds = state_dict["seconds"], state_dict["step_seconds"]
        self.batches.seconds_waited = state_dict["seconds_waited"]
        self.peak_memory_mb = state_dict["peak_memory_mb"]
        self.watched = state_dict.get("watched")


class Delivery(Callback):
    """What a stage delivers: the moving average of the delivered network, the best of it, or what its last step left.

    Averaged is the learner's delivered network alone, which has the average in its place while it is validated.

    Args:
        decay: How much of the average a step keeps; 0: no average.
        best: What the best validation is judged by; None: the end counts.
    """

    def __init__(self, decay: float, best: Best | None) -> None:
        self._decay = decay
        self._best = best
        self._average: AveragedModel | None = None
        self._swapped = False
        self._noted: dict[str, Any] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the average, or take that of a checkpoint; the network is on its device by now."""
        if self._decay:
            self._average = AveragedModel(
                _delivered(pl_module), avg_fn=partial(_decayed, self._decay), use_buffers=True
            )
            if trainer.ckpt_path:
                self._average.load_state_dict(self._noted.pop("average"))

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any) -> None:
        """Take a step into the average."""
        if self._average is not None:
            self._average.update_parameters(_delivered(pl_module))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average into the network's place."""
        if self._average is not None:
            _swap(self._average.module, _delivered(pl_module))
            self._swapped = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the weights if they are the best so far, and put the network back."""
        learner: Any = pl_module
        if self._best and self._best.metric in trainer.callback_metrics:
            value = float(trainer.callback_metrics[self._best.metric])
            if self._is_better(value) and learner.may_deliver(trainer.callback_metrics):
                self._noted["best"] = {"value": value, "state": deepcopy(_delivered(pl_module).state_dict())}
        self._restore(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Put the network back before a checkpoint is written: that would else hold both the wrong way round."""
        self._restore(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the learner with what is delivered."""
        if "best" in self._noted:
            _delivered(pl_module).load_state_dict(self._noted["best"]["state"])
        elif self._average is not None:
            _copy(self._average.module, _delivered(pl_module))

    def state_dict(self) -> dict[str, Any]:
        """Give average and best, for the checkpoint."""
        return self._noted | ({} if self._average is None else {"average": self._average.state_dict()})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them of a checkpoint; that comes before the average is made."""
        self._noted = dict(state_dict)

    def _is_better(self, value: float) -> bool:
        assert self._best is not None
        if "best" not in self._noted:
            return math.isfinite(value)
        before = float(self._noted["best"]["value"])
        return value > before if self._best.largest else value < before

    def _restore(self, learner: LightningModule) -> None:
        if self._swapped and self._average is not None:
            _swap(self._average.module, _delivered(learner))
        self._swapped = False


def _delivered(learner: LightningModule) -> nn.Module:
    network: nn.Module = learner.delivered  # type: ignore[assignment]
    return network


@torch.no_grad()
def _swap(one: nn.Module, other: nn.Module) -> None:
    for mine, theirs in zip(_tensors(one), _tensors(other), strict=True):
        kept = mine.detach().clone()
        mine.copy_(theirs)
        theirs.copy_(kept)


@torch.no_grad()
def _copy(source: nn.Module, target: nn.Module) -> None:
    for mine, theirs in zip(_tensors(source), _tensors(target), strict=True):
        theirs.copy_(mine)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


# A function of a module, which other processes can be given.
def _decayed(decay: float, average: Tensor, current: Tensor, _: int) -> Tensor:
    return decay * average + (1 - decay) * current


class Saver(Checkpoint):
    """Writes the checkpoint of a stage: now and then, when it is interrupted, and at its end.

    Lightning calls checkpoints last, after all callbacks that change the weights.

    Args:
        file: Where to.
        seconds: Between two checkpoints.
        batches: Of the stage.
        fingerprint: Of the training; a checkpoint says whose it is.
    """

    def __init__(self, file: Path, seconds: float, batches: Batches, fingerprint: str) -> None:
        self.file = file
        self._seconds = seconds
        self._batches = batches
        self._fingerprint = fingerprint
        self._written: float | None = None
        self._ended = False
        self._rows = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the time until the first checkpoint."""
        self._written = time.monotonic()

    def on_train_batch_start(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Write a checkpoint if it is time; several processes do it in the same step.

        Not at the end of the step before, which is logged and followed by its validation after that: of a process that
        is killed then, nobody would do it again.
        """
        assert self._written is not None
        due = trainer.strategy.broadcast(time.monotonic() - self._written >= self._seconds)
        if due and self._batches.position:
            self._save(trainer)
            self._written = time.monotonic()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write a checkpoint, but not from one of several processes, which would wait for the others.

        Nor before the first step: what is in memory then may be half of the checkpoint that it would replace; nor in
        the middle of a step, which may be half in the weights; nor of weights that are no numbers.
        """
        if isinstance(exception, DivergedError) or not self._batches.interrupts.allowed:
            return
        if trainer.world_size == 1 and self._written is not None and self._unfinished:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the end of the stage."""
        self._ended = True
        self._save(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Say whether the stage has ended, whose it is, and how long the history was, for the checkpoint."""
        return {"ended": self._ended, "fingerprint": self._fingerprint, "rows": self._rows}

    def _save(self, trainer: Trainer) -> None:
        """Write a checkpoint, after what was measured before it: that is not measured again."""
        if trainer.is_global_zero and isinstance(trainer.logger, History):
            trainer.logger.flush()
            self._rows = trainer.logger.rows
        trainer.save_checkpoint(self.file)

    @property
    def _unfinished(self) -> bool:
        # What is left after the last batch is quickly done again, and Lightning would begin the epoch anew.
        return self._batches.position < len(self._batches)


class Bar(Callback):
    """A bar with a few metrics and the time that is left.

    Args:
        description: What is trained.
        shown: Metric to its short title.
        batches: Of the stage.
    """

    def __init__(self, description: str, shown: dict[str, str], batches: Batches) -> None:
        self.description = description
        self._shown = shown
        self._batches = batches
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
        self._task = self._progress.add_task(
            self.description, total=len(self._batches), completed=self._batches.position
        )

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Move the bar."""
        position = self._batches.position
        if position % STEPS_BETWEEN_MOVES:
            return
        measured = trainer.callback_metrics
        notes = [f"{title} {measured[name]:.4g}" for name, title in self._shown.items() if name in measured]
        self._progress.update(self._task, completed=position, description=" ".join([self.description, *notes]))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the bar away."""
        self._progress.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the bar away."""
        if hasattr(self, "_progress"):
            self._progress.stop()
