"""The one path from a network and batches to weights: stages, checkpoints, resume, EMA, history."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor, nn

from uncrappify.atomic import written_whole
from uncrappify.training import hardware
from uncrappify.training.batches import Batches, BatchSource
from uncrappify.training.callbacks import Bar, Clock, MovingAverage
from uncrappify.training.history import History
from uncrappify.training.parameters import Stage, Training

log = logging.getLogger(__name__)

# Lightning writes to the terminal by handlers of its own; its messages belong into the log file.
for _name in ("lightning", "lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_name).handlers.clear()
    logging.getLogger(_name).propagate = True

CHECKPOINT_EVERY = timedelta(seconds=20)
VALIDATIONS_PER_STAGE = 10
LOGGED_STEPS_PER_STAGE = 200
RATES_TRIED = 100
FINDER_DECAY = 0.98


class Task(Protocol):
    """What is special about a training; everything else is the same for all."""

    name: str
    network: nn.Module

    def module(self, stage: Stage) -> pl.LightningModule:
        """Give the network with its loss and optimizer; parameters of the network are shared between stages."""

    def batches(self, stage: Stage, seed: int) -> BatchSource:
        """Give the training batches of a stage."""

    def validation(self) -> Any:
        """Give the validation batches, the same for all stages; nothing to leave validation out."""


@dataclass(frozen=True)
class Fitted:
    """What a training leaves behind.

    Args:
        state: Weights, averaged where ``ema`` says so, on the CPU.
        history: One row a logged step.
        metrics: ``train_seconds``, ``images_per_second`` (crops trained on a second, median of steps),
            ``data_wait_share`` (time waited for batches over time in steps), ``peak_memory_mb``, and the last
            validation's.
    """

    state: dict[str, Tensor]
    history: pd.DataFrame
    metrics: dict[str, float]


def fit(task: Task, training: Training, *, seed: int, checkpoints: Path, fingerprint: str) -> Fitted:
    """Train stage after stage, and go on where a killed training with the same fingerprint stopped.

    Args:
        task: Network, loss and batches.
        training: Stages and what holds for all of them.
        seed: Of everything random.
        checkpoints: A folder of this training's own; what another fingerprint left there is removed.
        fingerprint: Of all that the result depends on.

    Returns:
        Weights, history and metrics.

    Raises:
        KeyboardInterrupt: After a checkpoint was written.
    """
    pl.seed_everything(seed, workers=True, verbose=False)
    _claim(checkpoints, fingerprint)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    if training.compile:
        task.network.compile()
    history = History(checkpoints / "history.jsonl")
    clocks = []
    for number, stage in enumerate(training.stages):
        batches = Batches(task.batches(stage, seed + number), stage.steps)
        file = checkpoints / f"stage{number}.ckpt"
        clocks.append(_train(task, stage, training, batches, history, file))
        history.offset += stage.steps
        history.stage += 1
    state = {name: tensor.detach().cpu().clone() for name, tensor in task.network.state_dict().items()}
    table = history.table()
    return Fitted(state, table, _metrics(training, clocks, table))


@dataclass(frozen=True)
class RangeTest:
    """Loss by learning rate.

    Args:
        rates: Learning rates, rising.
        losses: Smoothed loss at each.
        steepest: The rate at which the loss falls most steeply.
    """

    rates: list[float]
    losses: list[float]
    steepest: float


def find_learning_rate(task: Task, training: Training, seed: int, folder: Path) -> RangeTest:
    """Measure the loss while the learning rate rises (Smith 2015, LR range test); the weights stay as they are.

    All steps get the same batch, so that the curve shows the rate and not the luck of the batches.

    Args:
        task: As in :func:`fit`.
        training: Its first stage is used.
        seed: Of the batches.
        folder: For files that are removed again.

    Returns:
        Losses by rate.
    """
    from lightning.pytorch.tuner.tuning import Tuner

    stage = training.stages[0].model_copy(update={"schedule": "constant", "steps": RATES_TRIED})
    kept = {name: tensor.clone() for name, tensor in task.network.state_dict().items()}
    trainer = _trainer(training, stage.steps, callbacks=[], logger=False, root=folder)
    batches = Batches(_Repeated(task.batches(stage, seed)[0]), RATES_TRIED)
    # The finder has a bar of its own, which cannot be turned off.
    with _quiet_interrupt(trainer), redirect_stderr(StringIO()):
        finder = Tuner(trainer).lr_find(
            task.module(stage), batches, min_lr=1e-5, max_lr=1.0, num_training=RATES_TRIED, update_attr=False
        )
    task.network.load_state_dict(kept)
    assert finder is not None
    rates = np.array(finder.results["lr"])
    # The finder's running mean is divided by the weight of one step too many, which matters in the first steps.
    steps = np.arange(1, len(rates) + 1)
    losses = np.array(finder.results["loss"]) * (1 - FINDER_DECAY ** (steps + 1)) / (1 - FINDER_DECAY**steps)
    return RangeTest(rates.tolist(), losses.tolist(), float(rates[np.gradient(losses).argmin()]))


@dataclass(frozen=True)
class _Repeated:
    batch: Any
    workers: int = 0

    def __getitem__(self, step: int) -> Any:
        return self.batch


def _train(task: Task, stage: Stage, training: Training, batches: Batches, history: History, file: Path) -> Clock:
    """Train one stage, or take it from its checkpoint."""
    done = torch.load(file, weights_only=False, map_location="cpu") if file.is_file() else {}
    module = task.module(stage)
    clock = Clock(batches)
    if done.get("global_step") == stage.steps:
        module.load_state_dict(done["state_dict"])
        clock.load_state_dict(done["callbacks"][clock.state_key])
        return clock
    if done:
        log.info("going on at step %s of %s", done["global_step"], stage.steps)
    saver = ModelCheckpoint(
        file.parent,
        filename=file.stem,
        train_time_interval=CHECKPOINT_EVERY,
        enable_version_counter=False,
        save_on_exception=True,
    )
    callbacks: list[Callback] = [clock, Bar(task.name), saver]
    if training.ema:
        callbacks.append(MovingAverage(decay=training.ema))
    trainer = _trainer(training, stage.steps, callbacks, history, file.parent)
    with _quiet_interrupt(trainer):
        trainer.fit(module, batches, task.validation(), ckpt_path=file if done else None, weights_only=False)
    trainer.save_checkpoint(file)
    return clock


def _trainer(training: Training, steps: int, callbacks: list[Callback], logger: Any, root: Path) -> pl.Trainer:
    return pl.Trainer(
        max_steps=steps,
        max_epochs=1,
        precision=hardware.precision(training.precision),
        gradient_clip_val=training.gradient_clip or None,
        callbacks=callbacks,
        logger=logger,
        log_every_n_steps=max(1, steps // LOGGED_STEPS_PER_STAGE),
        val_check_interval=max(1, steps // VALIDATIONS_PER_STAGE),
        num_sanity_val_steps=0,
        deterministic="warn",
        default_root_dir=root,
        devices=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
    )


@contextmanager
def _quiet_interrupt(trainer: pl.Trainer) -> Iterator[None]:
    """Lightning ends the process on Ctrl-C; the rest of the program has things to close."""
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        # The optimizer's state is as large as the weights, twice: the next stage needs the room.
        trainer.strategy.optimizers = []
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _claim(checkpoints: Path, fingerprint: str) -> None:
    """Empty the folder unless what is in it belongs to this very training."""
    owner = checkpoints / "fingerprint.txt"
    if owner.is_file() and owner.read_text(encoding="utf-8") == fingerprint:
        return
    shutil.rmtree(checkpoints, ignore_errors=True)
    checkpoints.mkdir(parents=True)
    with written_whole(owner) as path:
        path.write_text(fingerprint, encoding="utf-8")


def _metrics(training: Training, clocks: list[Clock], history: pd.DataFrame) -> dict[str, float]:
    rates = [
        stage.batch_size / seconds
        for stage, clock in zip(training.stages, clocks, strict=True)
        for seconds in clock.step_seconds
    ]
    in_steps = sum(sum(clock.step_seconds) for clock in clocks)
    validated = history.filter(like="valid_").dropna()
    return {
        "train_seconds": sum(clock.seconds for clock in clocks),
        "images_per_second": median(rates),
        "data_wait_share": sum(clock.batches.seconds_waited for clock in clocks) / in_steps,
        "peak_memory_mb": hardware.peak_memory_mb(),
        **({} if validated.empty else {str(name): float(value) for name, value in validated.iloc[-1].items()}),
    }
