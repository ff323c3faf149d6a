"""A stop waits for what is half done, and no longer."""

import signal
from typing import Any

import pytest
from lightning.pytorch import LightningModule, Trainer

from uncrappify.errors import UserError
from uncrappify.training.interrupts import Interrupts


class Training:
    """A training that notes how far it comes until it is told to stop, and what it makes of that."""

    def __init__(self) -> None:
        self.interrupts = Interrupts()
        self.done: list[str] = []

    def begin(self) -> None:
        trainer: Any = Trainer
        learner: Any = LightningModule
        self.interrupts.on_train_start(trainer, learner)

    def stop(self, place: str, number: int = signal.SIGINT) -> None:
        signal.raise_signal(number)
        self.done.append(place)

    def run(self, where: str, number: int = signal.SIGINT, error: Exception | None = None) -> None:
        with self.interrupts.held_back():
            if where == "start":
                self.stop(where, number)
            self.begin()
            self.interrupts.allow()
            if where == "waiting":
                self.stop(where, number)
            self.interrupts.hold()
            if where == "step":
                self.stop(where, number)
            if error:
                raise error
            self.interrupts.allow()
            self.done.append("next batch")
            self.interrupts.hold()
            if where == "last step":
                self.stop(where, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("where", "done"),
    [("waiting", []), ("step", ["step"]), ("last step", ["next batch", "last step"])],
)
def test_a_stop_waits_until_nothing_is_half_done_and_no_longer(where: str, done: list[str], number: int) -> None:
    before = signal.getsignal(number)
    training = Training()
    with pytest.raises(KeyboardInterrupt):
        training.run(where, number)
    assert training.done == done
    assert signal.getsignal(number) is before


def test_a_stop_before_the_first_step_is_heeded_at_once() -> None:
    training = Training()
    with pytest.raises(KeyboardInterrupt):
        training.run("start")
    assert not training.done


@pytest.mark.parametrize(
    ("where", "error", "told"),
    [
        ("step", RuntimeError("a process that made batches was killed"), KeyboardInterrupt),
        ("step", UserError("the disk is full"), UserError),
        ("nowhere", RuntimeError("a fault"), RuntimeError),
    ],
)
def test_what_a_stop_breaks_elsewhere_is_the_stop(where: str, error: Exception, told: type[BaseException]) -> None:
    with pytest.raises(told):
        Training().run(where, error=error)


def test_who_ignores_a_signal_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        training = Training()
        training.run("step", signal.SIGHUP)
        assert training.done == ["step", "next batch"]
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
