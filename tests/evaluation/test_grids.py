"""Points on a grid, and how rough a surface over it is."""

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from uncrappify.evaluation.grids import SMALLEST_LOSS, GridPoints, arrange, place, roughness

A, B = np.meshgrid(place(31), place(21))


def test_the_middle_of_an_axis_is_zero_and_its_ends_are_one() -> None:
    for points in (3, 31, 51, 501):
        axis = place(points)
        assert (axis[0], axis[points // 2], axis[-1]) == (-1, 0, 1)
        assert np.diff(axis) == pytest.approx(2 / (points - 1))


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (503, "a grid of 503 x 503 points is too large for memory. Take 501 or fewer"),
        (10**9, "a grid of 1000000000 x 1000000000 points is too large for memory. Take 501 or fewer"),
        (30, "expected an odd number: the point in the middle is the network as it was trained"),
        (1, "Input should be greater than or equal to 3"),
    ],
)
def test_a_grid_is_odd_and_fits_into_memory(points: int, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(GridPoints).validate_python(points)
    assert [error["msg"] for error in caught.value.errors()] == [said]


def test_the_schema_says_how_large_a_grid_may_be() -> None:
    schema = TypeAdapter(GridPoints).json_schema()
    assert (schema["minimum"], schema["maximum"]) == (3, 501)
    assert TypeAdapter(GridPoints).validate_python(501) == 501


def test_a_table_in_any_order_becomes_a_grid_with_b_down_and_a_across() -> None:
    table = pd.DataFrame([(0, 1, 5), (2, 0, 3), (0, 0, 1), (1, 1, 6), (1, 0, 2), (2, 1, 7)], columns=["a", "b", "loss"])
    a, b, losses = arrange(table)
    assert (a.tolist(), b.tolist(), losses.tolist()) == ([0, 1, 2], [0, 1], [[1, 2, 3], [5, 6, 7]])


def test_a_plane_of_the_log_loss_has_no_roughness() -> None:
    assert roughness(np.exp(3 * A - 2 * B + 1)) == pytest.approx(0, abs=1e-12)


def test_a_paraboloid_is_as_rough_as_it_bends_along_both_axes() -> None:
    # Second differences of a^2 are 2 h^2, with steps of 1/15 and 1/10: 21 x 29 along rows, 19 x 31 along columns.
    expected = (21 * 29 * 2 / 15**2 + 19 * 31 * 3 * 2 / 10**2) / (21 * 29 + 19 * 31)
    assert roughness(np.exp(A**2 + 3 * B**2)) == pytest.approx(expected)


def test_noise_is_as_rough_as_three_normal_numbers_added_with_weights_1_2_1() -> None:
    noise = np.random.default_rng(0).normal(0, 0.5, (300, 300))
    # Mean absolute value of a normal number of variance 6 s^2.
    assert roughness(np.exp(noise)) == pytest.approx(0.5 * np.sqrt(6) * np.sqrt(2 / np.pi), rel=0.01)


def test_a_factor_changes_no_roughness_and_a_loss_of_zero_counts_as_a_small_one() -> None:
    losses = np.exp(np.random.default_rng(0).normal(size=(5, 7)))
    assert roughness(1000 * losses) == pytest.approx(roughness(losses))
    losses[2, 2] = 0
    floored = losses.copy()
    floored[2, 2] = SMALLEST_LOSS
    assert np.isfinite(roughness(losses))
    assert roughness(losses) == roughness(floored)
