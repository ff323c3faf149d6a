"""Batches come by their number, and a position is enough to go on."""

import time

from uncrappify.training.batches import Batches


class Numbers:
    """Gives the step itself, slowly where it is asked to."""

    def __init__(self, workers: int = 0, seconds: float = 0.0) -> None:
        self.workers, self.seconds = workers, seconds

    def __getitem__(self, step: int) -> int:
        time.sleep(self.seconds)
        return 10 * step


def test_batches_come_in_order() -> None:
    batches = Batches(Numbers(), 4)
    assert len(batches) == 4
    assert list(batches) == [0, 10, 20, 30]


def test_batches_of_worker_processes_come_in_order() -> None:
    assert list(Batches(Numbers(workers=2), 5)) == [0, 10, 20, 30, 40]


def test_a_position_is_enough_to_go_on() -> None:
    first = Batches(Numbers(), 5)
    first.position = 2
    again = Batches(Numbers(), 5)
    again.load_state_dict(first.state_dict())
    assert list(again) == [20, 30, 40]


def test_a_batch_that_was_not_trained_on_is_handed_out_again() -> None:
    batches = Batches(Numbers(), 3)
    assert next(iter(batches)) == 0
    assert batches.state_dict() == {"position": 0}
    assert next(iter(batches)) == 0


def test_the_time_that_is_waited_is_counted() -> None:
    batches = Batches(Numbers(seconds=0.01), 5)
    list(batches)
    assert 0.05 <= batches.seconds_waited < 5
