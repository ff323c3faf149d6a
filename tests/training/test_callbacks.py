"""The estimate of a training's time is corrected where it was wrong, and nowhere else."""

import pytest

from uncrappify.training.callbacks import Estimate


@pytest.mark.parametrize(
    ("early", "late", "said"),
    [
        (10.0, 0.2, ["1000 steps: about 2 h 43 min 20 s", "step 40 of 1000: about 3 min 12 s left, not 2 h 40 min as"]),
        (0.2, 10.0, ["1000 steps: about 3 min 16 s", "step 40 of 1000: about 2 h 40 min left, not 3 min 12 s as"]),
        (1.0, 1.4, ["1000 steps: about 16 min 20 s"]),
        (1.0, 0.6, ["1000 steps: about 16 min 20 s"]),
    ],
)
def test_an_estimate_that_was_off_by_half_is_corrected_once(
    caplog: pytest.LogCaptureFixture, early: float, late: float, said: list[str]
) -> None:
    estimate = Estimate()
    with caplog.at_level("INFO", "uncrappify"):
        for position in range(1, 1001):
            estimate.add(early if position <= 20 else late, position, 1000)
    assert [line.startswith(start) for line, start in zip(caplog.messages, said, strict=True)] == [True] * len(said)
