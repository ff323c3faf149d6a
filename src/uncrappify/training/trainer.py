"""Lightning's trainer as this project wants it, and what has to be undone after it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback, Checkpoint
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException

from uncrappify import memory
from uncrappify.datasets.checkpoint import write_checkpoint
from uncrappify.errors import UserError
from uncrappify.training import hardware
from uncrappify.training.parameters import Training

VALIDATIONS_PER_STAGE = 10
LOGGED_STEPS_PER_STAGE = 200


def make_trainer(
    training: Training,
    steps: int,
    callbacks: list[Callback],
    logger: Any,
    root: Path,
    devices: int = 1,
    *,
    validates_first: bool = False,
) -> pl.Trainer:
    """Build the trainer of a stage, which ends with the stage's last batch.

    Args:
        training: Its precision counts.
        steps: Batches of the stage.
        callbacks: In the order in which they are called, checkpoints last.
        logger: Gets the metrics; False for none.
        root: For files of Lightning's own.
        devices: GPUs, or processes where there is none, that share every batch.
        validates_first: Whether to validate before the first step too.
    """
    return pl.Trainer(
        # One epoch of so many batches: Lightning counts steps by optimizer, and ends too soon where there are two.
        max_steps=-1,
        max_epochs=1,
        precision=hardware.precision(training.precision),
        callbacks=[QuickSettings(training.threads), *callbacks],
        logger=logger,
        log_every_n_steps=max(1, steps // LOGGED_STEPS_PER_STAGE),
        val_check_interval=max(1, steps // VALIDATIONS_PER_STAGE),
        num_sanity_val_steps=-1 if validates_first else 0,
        deterministic="warn",
        default_root_dir=root,
        devices=devices,
        # Started from here: a command line that started itself anew would be a second run of the pipeline.
        strategy="ddp_spawn" if devices > 1 else "auto",
        accelerator="auto" if devices == 1 or torch.cuda.is_available() else "cpu",
        plugins=[WholeCheckpoints(), *([LightningEnvironment()] if devices > 1 else [])],
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
    )


class WholeCheckpoints(TorchCheckpointIO):
    """Has checkpoints written in their own folder: Lightning writes to the system's and moves, which may be a copy."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint whole."""
        write_checkpoint(checkpoint, Path(path))


class QuickSettings(Callback):
    """Leaves out what costs time and changes no result; on a CPU, keeps the memory that this process frees.

    A callback, because each process that trains has to do it.

    Args:
        threads: To compute with on a CPU; None leaves what is set.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Change the settings; :func:`settings_restored` has them as before in the end."""
        # With Lightning's `deterministic`, torch fills every new tensor, to show who reads what nobody wrote.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        if self._threads:
            torch.set_num_threads(self._threads)
        if pl_module.device.type == "cpu":
            memory.keep_freed()


@contextmanager
def settings_restored() -> Iterator[None]:
    """Have this process's settings as before, however a training ends: what comes after it needs none of them."""
    strict, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict, warn_only=warn)
        torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
        memory.give_back_freed()


@contextmanager
def tidied(trainer: pl.Trainer) -> Iterator[None]:
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
        if explanation := _explain(error):
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


def _explain(error: ProcessException) -> str | None:
    """Find what a person can mend in what ended another process; of an exception there, its text is left."""
    if isinstance(error, ProcessExitedException):
        return (
            "a process that trained was killed by the system, probably because memory ended. Take smaller batches or "
            "crops, or fewer devices."
        )
    kinds: list[type[UserError]] = [UserError, *UserError.__subclasses__()]
    for kind in kinds:
        _, told, text = str(error).rpartition(f"{kind.__module__}.{kind.__qualname__}: ")
        if told:
            return text.strip()
    return None
