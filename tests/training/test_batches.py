"""Batches come by their number, and a position is enough to go on."""

import time
from typing import Any

from uncrappify.training.batches import Batches
from uncrappify.training.parameters import Stage


class Numbers:
    """Data whose batch is the step itself, made slowly where that is asked for."""

    def __init__(self, workers: int = 0, seconds: float = 0.0) -> None:
        self.workers, self.seconds = workers, seconds

    def __getitem__(self, step: int) -> int:
        time.sleep(self.seconds)
        return 10 * step

    def batches(self, stage: Stage, seed: int) -> Any:
        return self


def make_batches(data: Any, steps: int) -> Batches:
    return Batches(data, Stage(steps=steps), seed=0)


def test_batches_come_in_order() -> None:
    batches = make_batches(Numbers(), 4)
    assert len(batches) == 4
    assert list(batches) == [0, 10, 20, 30]


def test_batches_of_worker_processes_come_in_order() -> None:
    assert list(make_batches(Numbers(workers=2), 5)) == [0, 10, 20, 30, 40]


def test_a_position_is_enough_to_go_on() -> None:
    first = make_batches(Numbers(), 5)
    first.position = 2
    again = make_batches(Numbers(), 5)
    again.load_state_dict(first.state_dict())
    assert list(again) == [20, 30, 40]


def test_a_batch_that_was_not_trained_on_is_handed_out_again() -> None:
    batches = make_batches(Numbers(), 3)
    assert next(iter(batches)) == 0
    assert batches.state_dict() == {"position": 0}
    assert next(iter(batches)) == 0


def test_the_time_that_is_waited_is_counted() -> None:
    batches = make_batches(Numbers(seconds=0.01), 5)
    list(batches)
    assert 0.05 <= batches.seconds_waited < 5
