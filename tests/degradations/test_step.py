import numpy as np
import pytest
from pydantic import ValidationError

from uncrappify.degradations import STEPS, Jpeg, Range, Resize, Step


def test_the_steps_are_known_by_name():
    blurs, marks = {"gaussian_blur", "motion_blur"}, {"text", "scratches"}
    assert {"resize", "jpeg", "gaussian_noise", "grey"} | blurs | marks <= set(STEPS)


def test_a_number_is_a_range_of_one():
    assert Jpeg.model_validate({"quality": 60}).quality == Range(60, 60)


def test_a_whole_number_range_draws_whole_numbers_with_both_ends_included():
    random = np.random.default_rng(0)
    drawn = [Range(10, 13).draw(random) for _ in range(200)]
    assert set(drawn) == {10, 11, 12, 13}
    assert all(type(value) is int for value in drawn)


def test_a_range_draws_evenly():
    random = np.random.default_rng(0)
    drawn = [Range(0.0, 8.0).draw(random) for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(4, abs=0.2)
    assert np.std(drawn) == pytest.approx(8 / np.sqrt(12), abs=0.1)


def test_what_is_no_quality_is_refused_with_the_expected_form():
    for quality in (0, 101, 60.5, True, "60", None, [10], [10, 20, 30], [0, 50], float("nan")):
        with pytest.raises(ValidationError) as caught:
            pytest.fail(f"{Jpeg.model_validate({'quality': quality})} was taken")
        assert "a whole number from 1 to 100, or two of them as [lowest, highest]" in str(caught.value), quality


def test_a_range_that_runs_backwards_is_refused():
    with pytest.raises(ValidationError, match=r"should be \[lowest, highest\], but 70 is above 10"):
        Jpeg.model_validate({"quality": [70, 10]})


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_a_probability_outside_0_to_1_is_refused(probability):
    with pytest.raises(ValidationError, match="equal to"):
        Jpeg.model_validate({"quality": 60, "probability": probability})


@pytest.mark.parametrize("written", [3, [2, 4], 2.5, [1.5, 3]])
def test_a_range_is_written_back_as_it_was_read(written):
    assert Resize.model_validate({"factor": written}).model_dump(mode="json")["factor"] == written


def test_a_changed_probability_leaves_the_other_draws_alone():
    always, sometimes = (Jpeg(quality=Range(1, 100), probability=probability) for probability in (1, 0.5))
    drawn = sometimes.draw(np.random.default_rng(3))
    assert drawn.pop("applied") in (True, False)
    assert always.draw(np.random.default_rng(3)) == drawn


def test_two_steps_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r'the step name "jpeg" belongs to uncrappify\.degradations\.jpeg\.Jpeg'):
        type("Other", (Step,), {"name": "jpeg", "__module__": __name__})
