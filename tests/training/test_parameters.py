"""What can be said of a training."""

import pytest
from pydantic import ValidationError

from uncrappify.training.parameters import RestorationStage


@pytest.mark.parametrize(("steps", "pct_start"), [(20, 0.05), (2, 0.5), (2, 0.05), (1, 0.3), (3, 1 / 3)])
def test_a_warmup_of_one_step_or_less_is_accepted(steps: int, pct_start: float) -> None:
    assert RestorationStage(steps=steps, pct_start=pct_start).pct_start == pct_start


@pytest.mark.parametrize("lr", [0, -1, "fast", [1e-3], [1e-4, 0], [1e-5, 1e-4, 1e-3], float("nan")])
def test_a_learning_rate_is_a_number_above_0_or_two(lr: object) -> None:
    with pytest.raises(ValidationError, match="a number above 0, or two, of encoder and decoder") as caught:
        RestorationStage.model_validate({"steps": 1, "lr": lr})
    (mistake,) = caught.value.errors()
    assert mistake["loc"] == ("lr",)


def test_two_learning_rates_stay_two() -> None:
    stage = RestorationStage.model_validate({"steps": 1, "lr": [1e-4, 1e-3]})
    assert stage.lr == (1e-4, 1e-3)
    assert RestorationStage.model_validate(stage.model_dump(mode="json")) == stage
