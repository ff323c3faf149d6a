import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from uncrappify.degradations import MotionBlur, Range, Recipe
from uncrappify.degradations.motion_blur import compute_kernel


def blur(picture, length, angle=0.0):
    return MotionBlur(length=Range(length, length)).apply(picture, length=length, angle=angle)


def noise(width, height):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def means(picture):
    return np.asarray(picture, dtype=float).mean(axis=(0, 1))


@settings(deadline=None)
@given(st.floats(1, 30), st.floats(-180, 180))
def test_the_weights_are_symmetric_and_sum_to_one(length, angle):
    kernel = compute_kernel(length, angle)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert kernel.min() >= 0
    assert kernel == pytest.approx(kernel[::-1, ::-1], abs=1e-6)
    assert kernel == pytest.approx(compute_kernel(length, angle + 180), abs=1e-6)


@settings(deadline=None)
@given(st.floats(1, 30), st.floats(1, 30), st.floats(0, 180))
def test_a_longer_line_spreads_wider(one, other, angle):
    def spread(length):
        kernel = compute_kernel(length, angle)
        reach = len(kernel) // 2
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        return float((kernel * (x * x + y * y)).sum())

    shorter, longer = sorted([one, other])
    assert spread(shorter) <= spread(longer) + 1e-3
    # The variance of evenly spaced points; on a short line the width of the pixels counts too.
    assert longer < 9 or spread(longer) == pytest.approx((longer**2 - 1) / 12, rel=0.12)


def test_a_point_becomes_a_line_of_the_length_and_angle_asked_for():
    point = Image.new("RGB", (41, 41))
    point.putpixel((20, 20), (252, 252, 252))
    level, upright, rising = (np.asarray(blur(point, 9, angle))[..., 0] for angle in (0, 90, 45))
    assert level[20, 16:25].tolist() == upright[16:25, 20].tolist() == [28] * 9
    assert np.count_nonzero(level) == np.count_nonzero(upright) == 9
    # Counterclockwise: it rises to the right, where rows count downwards.
    assert rising[18, 22] > 0
    assert rising[22, 22] == 0
    rows, columns = np.nonzero(rising)
    assert np.hypot(np.ptp(rows), np.ptp(columns)) == pytest.approx(8, abs=1)


@pytest.mark.parametrize("angle", [0.0, 33.0, 90.0, 180.0])
def test_a_length_of_1_changes_nothing(picture, angle):
    assert blur(picture, 1, angle) == picture


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0])
def test_the_edges_are_mirrored_so_that_an_upright_or_level_blur_keeps_the_mean(angle):
    for size in ((40, 31), (5, 3), (1, 9), (9, 1), (1, 1)):
        good = noise(*size)
        assert means(blur(good, 15, angle)) == pytest.approx(means(good), abs=0.5)


@settings(deadline=None, max_examples=40)
@given(st.floats(1, 30), st.floats(0, 180))
def test_the_mean_is_kept_at_every_angle(length, angle):
    good = noise(120, 90)
    assert means(blur(good, length, angle)) == pytest.approx(means(good), abs=0.3)


def test_more_blur_means_less_gradient_energy(picture):
    blurred = [np.asarray(blur(picture, length, 20), dtype=float) for length in (1, 3, 7, 15)]
    energies = [float((np.diff(each, axis=0) ** 2).sum() + (np.diff(each, axis=1) ** 2).sum()) for each in blurred]
    assert energies == sorted(energies, reverse=True)
    assert energies[0] > 5 * energies[-1]


def test_it_blurs_along_the_line_and_not_across_it():
    stripes = Image.fromarray(np.tile(np.uint8([[[0] * 3, [200] * 3]]), (20, 20, 1)))
    assert blur(stripes, 7, 90) == stripes
    assert np.ptp(np.asarray(blur(stripes, 8, 0))[:, 4:-4]) == 0


def test_strips_join_without_a_seam():
    wide = noise(3000, 60)
    whole, part = np.asarray(blur(wide, 11, 70)), np.asarray(blur(wide.crop((100, 0, 200, 60)), 11, 70))
    assert np.array_equal(whole[:, 120:180], part[:, 20:80])


def test_the_draws_are_within_the_ranges_and_any_direction_is_the_default():
    recipe = Recipe.model_validate([{"motion_blur": {"length": [2, 9]}}])
    drawn = [recipe.draw(str(index), 42) for index in range(300)]
    lengths, angles = ([each[f"motion_blur.{name}"] for each in drawn] for name in ("length", "angle"))
    assert 2 <= min(lengths) < 2.2
    assert 8.8 < max(lengths) <= 9
    assert 0 <= min(angles) < 5
    assert 175 < max(angles) <= 180
