import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from uncrappify.degradations import Recipe, Scratches

GREY = Image.new("RGB", (120, 160), (100, 100, 100))


def scratch(picture, number=10, dust=0, seed=0, **options):
    step = Scratches.model_validate({"number": number, "dust": dust, **options})
    return step.apply(picture, number=number, dust=dust, random=np.random.default_rng(seed))


def changes(scratched, good=GREY):
    return np.asarray(scratched, dtype=float)[..., 0] - np.asarray(good, dtype=float)[..., 0]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 6),
    st.integers(0, 6),
    st.tuples(st.floats(0, 9), st.floats(0, 9)).map(sorted),
    st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    st.integers(0, 99),
)
def test_the_same_seed_gives_the_same_picture_of_any_size(width, height, number, dust, widths, opacities, seed):
    good = Image.new("RGB", (width, height), (10, 120, 240))
    options = {"number": number, "dust": dust, "width": widths, "opacity": opacities, "seed": seed}
    first = scratch(good, **options)
    assert (first.size, first.mode) == (good.size, "RGB")
    assert first == scratch(good, **options)
    assert good.getextrema() == ((10, 10), (120, 120), (240, 240))
    # What shows through where all of them meet.
    least = (1 - opacities[1]) ** (number + dust)
    changed = np.abs(np.asarray(first, dtype=float) - (10, 120, 240))
    assert np.all(changed <= (1 - least) * np.array([245, 135, 240]) + number + dust)


def touched(**options):
    """Look at two pictures: on one alone, a white edge over a black line might give what was there before."""
    dark, light = (Image.new("RGB", (120, 160), (level,) * 3) for level in (50, 200))
    return (changes(scratch(dark, **options), dark) != 0) | (changes(scratch(light, **options), light) != 0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 99))
def test_one_more_scratch_leaves_the_others_and_the_dust_where_they_are(number, more, dust, seed):
    before = touched(number=number, dust=dust, seed=seed)
    for after in (
        touched(number=number + more, dust=dust, seed=seed),
        touched(number=number, dust=dust + more, seed=seed),
    ):
        assert np.all(after[before])


def test_more_width_and_opacity_change_more():
    widths = [np.abs(changes(scratch(GREY, width=width, opacity=0.5))).sum() for width in (0, 0.5, 1, 2, 4)]
    opacities = [np.abs(changes(scratch(GREY, width=1, opacity=opacity))).sum() for opacity in (0, 0.2, 0.5, 1)]
    assert widths[0] == opacities[0] == 0
    assert widths == sorted(set(widths))
    assert opacities == sorted(set(opacities))


@pytest.mark.parametrize("width", [0.3, 1.0, 2.5])
def test_a_scratch_is_as_wide_as_asked_for_and_lets_through_what_its_opacity_leaves(width):
    for seed in range(20):
        changed = changes(scratch(GREY, 1, seed=seed, width=width, opacity=0.5))
        wide = 155 / 2 if changed.max() > 0 else 100 / 2
        rows = np.abs(changed).sum(axis=1) / wide
        # Across a slanted line, and up to where it leaves the picture.
        assert np.median(rows[rows > 0]) == pytest.approx(width, rel=0.1)
        assert np.abs(changed).max() <= wide + 0.5


def test_scratches_are_bright_and_dark_and_most_run_lengthwise():
    shapes, signs = [], []
    for seed in range(200):
        changed = changes(scratch(GREY, 1, seed=seed, width=1, opacity=1))
        rows, columns = np.nonzero(changed)
        shapes.append((np.ptp(rows) + 1, np.ptp(columns) + 1))
        signs.append(changed.sum() > 0)
    lengths, breadths = np.array(shapes, dtype=float).T
    assert 0.4 < np.mean(signs) < 0.6
    assert np.median(lengths) > 60
    assert np.mean(lengths > 4 * breadths) > 0.75
    assert np.mean(breadths > 8) > 0.1


def test_width_and_opacity_vary_within_a_picture():
    changed = changes(scratch(GREY, 30, width=[0.5, 3], opacity=[0.2, 1]))
    levels = np.unique(np.round(changed[changed > 0]))
    assert len(levels) > 20
    assert levels.min() < 35
    assert levels.max() > 120


def test_dust_is_small_and_of_both_kinds():
    changed = changes(scratch(GREY, 0, 40, width=2, opacity=1))
    assert changed.min() == -100
    assert changed.max() == 155
    # Forty specks, each 2 to 6 pixels long, and up to 2.5 times as long as it is wide.
    assert 40 * 1 < np.count_nonzero(changed) < 40 * 40


def test_a_grey_picture_stays_grey_and_a_thin_one_is_scratched():
    red, green, blue = np.moveaxis(np.asarray(scratch(GREY, 30, 30)), -1, 0)
    assert np.array_equal(red, green)
    assert np.array_equal(red, blue)
    for size in ((1, 50), (50, 1), (1, 1)):
        thin = Image.new("RGB", size, (100, 100, 100))
        assert scratch(thin, 20, width=2, opacity=1) != thin


def test_the_table_has_what_is_drawn_once_a_picture(picture):
    recipe = Recipe.model_validate([{"scratches": {"number": [3, 5], "dust": [0, 2]}}])
    drawn = [recipe.draw(str(index), 42) for index in range(100)]
    assert set(drawn[0]) == {"scratches.number", "scratches.dust"}
    assert {each["scratches.number"] for each in drawn} == {3, 4, 5}
    assert {each["scratches.dust"] for each in drawn} == {0, 1, 2}
    twins = [recipe.degrade(picture, name, 42) for name in ("a", "a", "b")]
    assert twins[0] == twins[1] != twins[2]
