"""A training is stopped between two steps: one that is cut is half in the weights, in the counts and in the history."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from uncrappify.errors import UserError


class Interrupts(Callback):
    """Holds Ctrl-C, and other signals that stop a program like it, back until nothing is half done.

    That is while a batch is waited for, as :class:`~uncrappify.training.batches.Batches` says, and while a validation
    goes through its batches, because it may take long: it changes nothing, and is done again from its beginning.

    Attributes:
        allowed: Whether nothing is half done, so that a checkpoint can be gone on with. What else but a signal ends a
            training may come at any time.
    """

    def __init__(self) -> None:
        self.allowed = False
        self._held = False
        self._signals: dict[int, Any] = {}

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Have the steps of a training whole, where this process itself takes them.

        Raises:
            KeyboardInterrupt: If a signal has come, at the latest when the training has ended.
        """
        if threading.current_thread() is threading.main_thread():
            self._signals = {number: signal.getsignal(number) for number in signal.valid_signals() if _stops(number)}
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            # The same signal may have ended a process that makes batches, which this one is then told by an exception.
            if self._held:
                raise KeyboardInterrupt from error
            raise
        finally:
            for number, handler in self._signals.items():
                signal.signal(number, handler)
        if self._held:
            raise KeyboardInterrupt

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals: only here, because Lightning takes some of them too, before."""
        for number in self._signals:
            signal.signal(number, self._take)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Allow to stop between the first batch of a validation and the last one."""
        self.allow()

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have what comes of the validation whole: its metrics, and the best weights."""
        self.hold()

    def allow(self) -> None:
        """Say that nothing is half done, and stop if that is asked for.

        Raises:
            KeyboardInterrupt: If a signal has come meanwhile.
        """
        self.allowed = True
        if self._held:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """Say that something begins that has to be whole."""
        self.allowed = False

    def _take(self, *_: Any) -> None:
        self._held = True
        if self.allowed:
            raise KeyboardInterrupt


def _stops(number: int) -> bool:
    handler = signal.getsignal(number)
    # SIGTERM would end the process, but Lightning makes it a stop wherever it trains.
    return handler is signal.default_int_handler or (number == signal.SIGTERM and handler == signal.SIG_DFL)
