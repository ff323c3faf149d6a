"""What can be said of a training."""

import pytest

from uncrappify.training.parameters import RestorationStage


@pytest.mark.parametrize(("steps", "pct_start"), [(20, 0.05), (2, 0.5), (2, 0.05), (1, 0.3), (3, 1 / 3)])
def test_a_warmup_of_one_step_or_less_is_accepted(steps: int, pct_start: float) -> None:
    assert RestorationStage(steps=steps, pct_start=pct_start).pct_start == pct_start
