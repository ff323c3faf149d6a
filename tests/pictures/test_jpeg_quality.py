"""The quality of a JPEG is read from its tables."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from uncrappify.pictures.jpeg_quality import estimate_quality


@pytest.mark.parametrize("quality", [1, 5, 10, 30, 49, 50, 60, 75, 85, 90, 95, 98, 100])
def test_the_quality_that_pillow_wrote_is_found(quality: int) -> None:
    file = BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(file, "JPEG", quality=quality)
    found = estimate_quality(Image.open(file).quantization)
    assert found is not None
    # Of the lowest, several have the same table.
    assert abs(found - quality) <= (2 if quality < 5 else 0)


def test_a_table_of_a_programs_own_has_the_quality_of_the_nearest() -> None:
    standard = np.full(64, 20)
    assert 50 <= (estimate_quality({0: standard.tolist()}) or 0) <= 85


def test_without_tables_nothing_is_known() -> None:
    assert estimate_quality({}) is None
    assert estimate_quality({0: [1, 2]}) is None
