"""A size to scale to is read as it is meant."""

from __future__ import annotations

import pytest

from uncrappify.errors import UserError
from uncrappify.inference.results import Request, ScaleTo


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2x", (1200, 800)),
        ("1x", (600, 400)),
        ("0.5x", (300, 200)),
        ("16x", (9600, 6400)),
        ("64x", (64, 43)),
        ("3000x", (3000, 2000)),
        ("x1200", (1800, 1200)),
        ("1600x1200", (1600, 1067)),
        ("1600X800", (1200, 800)),
    ],
)
def test_a_factor_a_width_a_height_and_a_box_keep_the_shape(text: str, size: tuple[int, int]) -> None:
    assert ScaleTo.parse(text).find_size(600, 400) == size


@pytest.mark.parametrize(
    "text", ["", "x", "2", "0x", "x0", "-2x", "17x", "63x", "17.5x", "2.5x3", "1e3x", "99999999x", "2x2x2", "2 x"]
)
def test_what_is_no_size_is_said(text: str) -> None:
    with pytest.raises(UserError, match="expected 2x"):
        ScaleTo.parse(text)


def test_a_line_of_pixels_keeps_one() -> None:
    assert ScaleTo.parse("10x").find_size(1000, 1) == (10_000, 10)
    assert ScaleTo.parse("64x").find_size(1000, 1) == (64, 1)


def test_only_what_is_given_is_refused() -> None:
    Request(quality=90).refuse("classify pictures", "tile", "tta", "scale_to", "format")
    with pytest.raises(UserError, match="--scale-to has no meaning for weights that classify pictures"):
        Request(scale_to=ScaleTo.parse("2x")).refuse("classify pictures", "tile", "scale_to")
