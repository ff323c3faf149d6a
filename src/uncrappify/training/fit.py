"""The one path from a network and batches to weights: stages, checkpoints, resume, EMA, history."""

from __future__ import annotations

import logging
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any, Protocol, TypeVar

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor, nn
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException

from uncrappify import memory
from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.training import hardware
from uncrappify.training.batches import Batches, BatchSource
from uncrappify.training.callbacks import Bar, Clock, LastCheckpoint, MovingAverage
from uncrappify.training.history import History, followed
from uncrappify.training.parameters import Stage, Training

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = timedelta(seconds=20)
#: More for large networks, whose checkpoints (weights, average, and AdamW's two moments) take a while to write.
CHECKPOINT_EVERY_MILLION = timedelta(seconds=2)
VALIDATIONS_PER_STAGE = 10
LOGGED_STEPS_PER_STAGE = 200
RATES_TRIED = 100
FINDER_DECAY = 0.98


S = TypeVar("S", bound=Stage, contravariant=True)


class Task(Protocol[S]):
    """What is special about a training; everything else is the same for all."""

    name: str
    network: nn.Module

    def module(self, stage: S) -> pl.LightningModule:
        """Give the network with its loss and optimizer; parameters of the network are shared between stages."""

    def batches(self, stage: S, seed: int) -> BatchSource:
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


def fit(task: Task[Any], training: Training, *, seed: int, checkpoints: Path, fingerprint: str) -> Fitted:
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
        KeyboardInterrupt: After a checkpoint was written; with several devices, the last one counts.
        UserError: If there are fewer devices than that, or the training diverged.
    """
    hardware.check_devices(training.devices)
    pl.seed_everything(seed, workers=True, verbose=False)
    _claim(checkpoints, fingerprint)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    if training.compile:
        task.network.compile()
    history = History(checkpoints / "history.jsonl")
    clocks = []
    with followed(history.file), _settings_restored():
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


def find_learning_rate(task: Task[Any], training: Training, seed: int, folder: Path) -> RangeTest:
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
    batches = Batches(_Repeated(task.batches(stage, seed)[0]), RATES_TRIED)
    with _settings_restored():
        trainer = _trainer(training, stage.steps, callbacks=[], logger=False, root=folder)
        # The finder has a bar of its own, which cannot be turned off.
        with _tidy(trainer), redirect_stderr(StringIO()):
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


def _train(task: Task[Any], stage: Stage, training: Training, batches: Batches, history: History, file: Path) -> Clock:
    """Train one stage, or take it from its checkpoint."""
    done = torch.load(file, weights_only=False, map_location="cpu") if file.is_file() else {}
    module = task.module(stage)
    clock = Clock(batches)
    if done.get("global_step") != stage.steps:
        if done:
            log.info("going on at step %s of %s", done["global_step"], stage.steps)
        _run(task, module, clock, stage, training, history, file)
        done = torch.load(file, weights_only=False, map_location="cpu")
    # From the file also where this process has trained: of several that do it together, none has to be this one.
    module.load_state_dict(done["state_dict"])
    clock.load_state_dict(done["callbacks"][clock.state_key])
    return clock


def _run(
    task: Task[Any],
    module: pl.LightningModule,
    clock: Clock,
    stage: Stage,
    training: Training,
    history: History,
    file: Path,
) -> None:
    """Train a stage from its beginning or its checkpoint to its end, which the checkpoint then holds."""
    saver = ModelCheckpoint(
        file.parent,
        filename=file.stem,
        train_time_interval=CHECKPOINT_EVERY + CHECKPOINT_EVERY_MILLION * (_parameters(task.network) // 10**6),
        enable_version_counter=False,
        save_on_exception=True,
    )
    callbacks: list[Callback] = [clock, Bar(task.name), saver]
    if training.ema:
        callbacks.append(MovingAverage(decay=training.ema))
    callbacks.append(LastCheckpoint(file))
    trainer = _trainer(training, stage.steps, callbacks, history, file.parent, training.devices)
    going_on = file if file.is_file() else None
    with _tidy(trainer):
        trainer.fit(module, clock.batches, task.validation(), ckpt_path=going_on, weights_only=False)


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _trainer(
    training: Training, steps: int, callbacks: list[Callback], logger: Any, root: Path, devices: int = 1
) -> pl.Trainer:
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
        devices=devices,
        # Started from here: a command line that started itself anew would be a second run of the pipeline.
        strategy="ddp_spawn" if devices > 1 else "auto",
        accelerator="auto" if devices == 1 or torch.cuda.is_available() else "cpu",
        plugins=[LightningEnvironment()] if devices > 1 else None,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
    )


@contextmanager
def _settings_restored() -> Iterator[None]:
    """Have this process's settings as before, however a training ends: what comes after it needs none of them."""
    strict, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warn)
        torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
        memory.give_back_freed()


@contextmanager
def _tidy(trainer: pl.Trainer) -> Iterator[None]:
    """Undo what Lightning leaves behind, however a training ends, and raise what the rest of the program understands.

    Raises:
        KeyboardInterrupt: Ctrl-C, where Lightning would end this process, which has things to close.
        UserError: What another process raised, or that the system has killed it.
    """
    heeded = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    except ProcessException as error:
        if explanation := _explained(error):
            raise UserError(explanation) from error
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            # After the first Ctrl-C Lightning would ignore the next.
            signal.signal(signal.SIGINT, heeded)
        if (launcher := trainer.strategy.launcher) is not None:
            # Lightning lets the other processes train on, and Python would wait for them at its end.
            launcher.kill(signal.SIGKILL)
        # The optimizer's state is as large as the weights, twice: the next stage needs the room.
        trainer.strategy.optimizers = []
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _explained(error: ProcessException) -> str | None:
    """Find what a person can mend in what ended another process; of an exception there, its text is left."""
    if isinstance(error, ProcessExitedException):
        return (
            "a process that trained was killed by the system, probably because memory ended. Take smaller batches or "
            "crops, or fewer devices."
        )
    _, told, text = str(error).rpartition(f"{UserError.__module__}.{UserError.__qualname__}: ")
    return text.strip() if told else None


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
        "peak_memory_mb": max(clock.peak_memory_mb for clock in clocks),
        **({} if validated.empty else {str(name): float(value) for name, value in validated.iloc[-1].items()}),
    }
