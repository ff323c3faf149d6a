"""A picture that does not look like what a model was trained for gets one line, and one that does gets none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from uncrappify.datasets import RestorationDescription
from uncrappify.inference.damage import describe_damage, find_doubt
from uncrappify.pictures.metadata import Metadata
from uncrappify.pictures.original import Original


def describe(recipe: list[dict[str, Any]], scale: int = 3) -> RestorationDescription:
    return RestorationDescription(model="upscaler", options={"scale": scale}, scale=scale, recipe=recipe)


def picture(quality: int | None, width: int = 30, height: int = 20) -> Original:
    samples = np.broadcast_to(np.zeros(1, np.uint8), (height, width, 3))
    return Original(samples, None, Metadata(), "JPEG" if quality else "PNG", quality=quality)


AT_60 = [{"resize": {"factor": 3, "resample": "bicubic"}}, {"jpeg": {"quality": 60}}]
RANGE = [{"jpeg": {"quality": [40, 90]}}]
AT_TIMES = [{"jpeg": {"quality": [40, 90], "probability": 0.5}}]


@pytest.mark.parametrize(
    ("recipe", "scale", "quality", "doubt"),
    [
        (AT_60, 3, 95, "trained for x3 and JPEG 60; this picture has quality 95: expect it too smooth"),
        (AT_60, 3, 60, ""),
        (AT_60, 3, 64, ""),
        (AT_60, 3, 20, "trained for x3 and JPEG 60; this picture has quality 20: expect blocks to stay"),
        (
            AT_60,
            3,
            None,
            "trained for x3 and JPEG 60; this picture is no JPEG: if it never was one, expect it too smooth",
        ),
        (RANGE, 1, 75, ""),
        (RANGE, 1, 98, "trained for JPEG 40 to 90; this picture has quality 98: expect it too smooth"),
        (AT_TIMES, 1, 98, ""),
        (AT_TIMES, 1, None, ""),
        (AT_TIMES, 1, 10, "trained for JPEG 40 to 90; this picture has quality 10: expect blocks to stay"),
        ([{"gaussian_blur": {"radius": 2}}], 1, 95, ""),
        (
            [{"gaussian_blur": {"radius": 2}}],
            1,
            30,
            "trained for gaussian blur; this picture is a JPEG of quality 30: expect its blocks to stay, or to grow",
        ),
        ([], 1, 30, ""),
    ],
)
def test_the_quality_of_a_jpeg_is_held_against_the_recipe(
    recipe: list[dict[str, Any]], scale: int, quality: int | None, doubt: str
) -> None:
    assert find_doubt(describe(recipe, scale), picture(quality)) == doubt


def test_a_large_picture_is_hardly_one_that_was_made_smaller() -> None:
    assert find_doubt(describe(AT_60), picture(60, 6000, 4000)) == (
        "trained for x3 and JPEG 60; this picture has 24 megapixels, and is hardly one that was made smaller"
    )
    assert find_doubt(describe(RANGE, 1), picture(60, 6000, 4000)) == ""


def test_a_recipe_is_told_in_short() -> None:
    recipe = [{"resize": {"factor": [2, 4]}}, {"text": {}}, {"jpeg": {}}]
    assert describe_damage(recipe) == "x2 to 4, text and JPEG of any quality"
    assert describe_damage([]) == "pairs of pictures"
