"""Pictures of a segmentation."""

import numpy as np
import pytest
from PIL import Image

from uncrappify.evaluation.mask_sheet import (
    FADED,
    WRONG,
    draw_masked_batch_sheet,
    draw_segmentation_sheet,
    mark_mistakes,
)
from uncrappify.evaluation.page import WIDTH
from uncrappify.pictures.masks import VOID, Labels

LABELS = Labels(classes=["sky", "a class with a name that is rather long", *(f"class {n}" for n in range(20))])
TRUTH = np.array([[0, 1], [VOID, 0]], dtype=np.uint8).repeat(20, axis=0).repeat(30, axis=1)
PICTURE = Image.new("RGB", (60, 40), (100, 150, 200))


def test_a_mistake_is_red_and_what_is_void_is_none() -> None:
    prediction = np.zeros_like(TRUTH)
    found = mark_mistakes(PICTURE, TRUTH, prediction)
    assert found.getpixel((45, 5)) == WRONG
    pale = tuple(int(255 - (255 - value) * FADED) for value in (100, 150, 200))
    assert found.getpixel((5, 5)) == found.getpixel((5, 35)) == pale


def test_the_sheet_shows_the_colours_of_the_classes_and_void_black() -> None:
    sheet = draw_segmentation_sheet([(("a", PICTURE, TRUTH, np.zeros_like(TRUTH)), 0.75, 0.4)], LABELS, [0.5] * 22)
    assert sheet.width == WIDTH
    colours = {colour for _, colour in sheet.getcolors(1 << 24)}
    assert {*LABELS.palette, (0, 0, 0), WRONG, (100, 150, 200)} <= colours


def test_every_picture_has_its_place() -> None:
    one, two = (
        draw_segmentation_sheet([((str(n), PICTURE, TRUTH, TRUTH), 1.0, 1.0) for n in range(count)], LABELS)
        for count in (1, 2)
    )
    assert two.height > one.height
    with pytest.raises(ValueError, match="no pictures"):
        draw_segmentation_sheet([], LABELS)


def test_a_batch_is_shown_with_its_masks() -> None:
    pictures = np.stack([np.asarray(PICTURE)] * 5)
    sheet = draw_masked_batch_sheet(pictures, np.stack([TRUTH] * 5), LABELS)
    colours = {colour for _, colour in sheet.getcolors(1 << 24)}
    assert {(100, 150, 200), LABELS.palette[1]} <= colours
