"""Where the text is: found without looking at pixels, and right to the pixel."""

import numpy as np
import pytest
from PIL import Image

from uncrappify.degradations import Recipe

TEXT = {"content": "43", "x": [0.0, 0.5], "y": [0.0, 0.5], "size": 24}


def recipe(*steps):
    return Recipe.model_validate(list(steps))


def changed(picture, name, *steps):
    """Pixels that the text changes, of the degraded picture."""
    with_text = recipe(*steps).degrade(picture, name, 5)
    without = recipe(*(step for step in steps if "text" not in step)).degrade(picture, name, 5)
    return (np.asarray(with_text) != np.asarray(without)).any(axis=2)


def box(mask):
    rows, columns = np.nonzero(mask)
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.mark.parametrize("name", ["cat", "dog", "rose"])
def test_the_box_is_the_smallest_that_holds_what_the_text_changed(picture, name):
    steps = {"resize": {"factor": 2}}, {"text": TEXT}
    marked = recipe(*steps).mark_text(picture.size, name, 5)
    assert marked.shape == (75, 100)
    assert box(marked) == box(changed(picture, name, *steps))
    top, bottom, left, right = box(marked)
    assert marked.sum() == (bottom - top + 1) * (right - left + 1)
    assert 0.005 < marked.mean() < 0.2


@pytest.mark.parametrize("resize", [{"factor": 3}, {"factor": 2.5}, {"min_side": 40}])
def test_a_later_resize_carries_the_box_along(picture, resize):
    steps = {"text": TEXT | {"size": 40}}, {"resize": resize | {"resample": "bilinear"}}
    marked = recipe(*steps).mark_text(picture.size, "cat", 5)
    touched = changed(picture, "cat", *steps)
    assert marked.shape == touched.shape
    # The kernel reaches one pixel beyond the share of a pixel that was written upon.
    assert np.abs(np.subtract(box(marked), box(touched))).max() <= 1


def test_with_coverage_the_pixels_are_marked_that_writing_touches():
    steps = ({"text": {"content": "snow", "size": 20, "coverage": 0.25}},)
    black = Image.new("RGB", (300, 200))
    marked = recipe(*steps).mark_text(black.size, "cat", 5)
    assert (marked == changed(black, "cat", *steps)).all()
    assert 0.25 <= marked.mean() < 0.28


def test_two_texts_are_both_marked(picture):
    first, second = {"text": TEXT | {"x": 0.0, "y": 0.0}}, {"text": TEXT | {"x": 0.5, "y": 0.5}}
    both = recipe(first, second).mark_text(picture.size, "cat", 5)
    each = [recipe(step).mark_text(picture.size, "cat", 5) for step in (first, second)]
    assert (both == (each[0] | each[1])).all()
    assert not (each[0] & each[1]).any()


def test_a_text_that_is_not_drawn_or_has_no_ink_marks_nothing(picture):
    rare = recipe({"text": TEXT | {"probability": 0.0}})
    blank = recipe({"text": TEXT | {"content": "  "}})
    for nothing in (rare, blank):
        assert nothing.mark_text(picture.size, "cat", 5).sum() == 0


def test_a_recipe_without_text_has_no_mask(picture):
    assert recipe({"resize": {"factor": 3}}, {"jpeg": {"quality": 20}}).mark_text(picture.size, "cat", 5) is None
