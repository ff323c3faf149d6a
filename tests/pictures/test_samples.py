"""Which sample is white where a file does not say it."""

import numpy as np
import pytest

from uncrappify.pictures import UnusablePicture
from uncrappify.pictures.samples import guess_range, round_to_bytes

RAMP = np.linspace(0, 1, 10_000, dtype=np.float32)


def with_some(values: np.ndarray, share: float, value: float) -> np.ndarray:
    values = values.copy()
    values[: round(share * len(values))] = value
    return values


@pytest.mark.parametrize(
    ("samples", "white"),
    [
        (RAMP, 1),
        (with_some(RAMP, 0.0001, 1.02), 1),
        (with_some(RAMP, 0.15, 1.05), 1),
        (with_some(RAMP, 0.05, 10.0), 1),
        (with_some(RAMP, 0.001, 1e30), 1),
        (with_some(RAMP, 0.5, np.inf), 1),
        (with_some(RAMP, 0.5, np.nan), 1),
        (RAMP * 0.3, 1),
        (RAMP * 255, 255),
        (np.rint(RAMP * 9), 255),
        (RAMP * 65535, 65535),
        (with_some(RAMP, 0.2, 3.0), 3),
        ((RAMP * 255).astype(np.int32), 255),
        (with_some((RAMP * 255).astype(np.int32), 0.001, 70_000), 255),
        ((RAMP * 9000).astype(np.uint32), 65535),
        (np.arange(3001, dtype=np.uint32), 2970),
        ((RAMP.astype(float) * (2**32 - 1)).astype(np.uint32), 2**32 - 1),
    ],
)
def test_white_is_the_usual_maximum_that_nearly_all_pixels_keep_to(samples: np.ndarray, white: float) -> None:
    assert guess_range(samples) == (0, white)


def test_signed_integers_over_their_whole_range_have_the_lowest_as_black() -> None:
    samples = np.linspace(-(2**31), 2**31 - 1, 10_000).astype(np.int32)
    assert guess_range(samples) == (-(2**31), 2**31 - 1)


def test_many_samples_far_below_0_are_not_supported_but_a_few_are_clipped() -> None:
    with pytest.raises(UnusablePicture, match=r"^not supported: samples below 0$"):
        guess_range(RAMP * 2 - 1)
    assert guess_range(with_some(RAMP, 0.005, -9999)) == (0, 1)


def test_rounding_clips_and_takes_nan_as_black() -> None:
    samples = np.array([[0.0, 0.5, 1.0], [1.02, np.inf, -np.inf], [np.nan, -0.2, 0.2]], np.float32)
    np.testing.assert_array_equal(round_to_bytes(samples, 0, 1), [[0, 128, 255], [255, 255, 0], [0, 0, 51]])
    np.testing.assert_array_equal(round_to_bytes(samples, 1, 0), [[255, 128, 0], [0, 0, 255], [0, 255, 204]])


def test_16_bits_are_rounded_as_by_257() -> None:
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(round_to_bytes(samples, 0, 65535), (samples.astype(int) + 128) // 257)
