"""The baselines are Pillow's kernels."""

import numpy as np
import pytest
from PIL import Image

from uncrappify.evaluation.baselines import BASELINES, enlarge

STEP = Image.fromarray(np.repeat(np.array([[0, 0, 0, 200, 200, 200]], np.uint8), 4, axis=0))


def test_the_baselines_are_known_by_name():
    assert BASELINES == ("nearest", "bilinear", "bicubic", "lanczos")


@pytest.mark.parametrize("method", BASELINES)
def test_a_picture_of_the_right_size_comes_back_unchanged(method):
    assert enlarge(STEP, STEP.size, method).tobytes() == STEP.tobytes()


def test_nearest_repeats_pixels():
    assert np.asarray(enlarge(STEP, (12, 8), "nearest"))[0].tolist() == [0] * 6 + [200] * 6


def test_bicubic_overshoots_as_the_kernel_with_minus_a_half_does_and_not_as_torchs():
    # Keys' kernel at distances 0.25, 0.75, 1.25, 1.75; a = -0.75 would give 217.
    row = np.asarray(enlarge(STEP, (12, 8), "bicubic"))[0]
    assert row.max() == 200 + round(200 * 0.0703)


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(ValueError, match="nearest, bilinear, bicubic, lanczos"):
        enlarge(STEP, (12, 8), "magic")
