"""Profiles are undone as LittleCMS does it, without its 8 bits, and come back."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from uncrappify.pictures.colour import read_profile


def grid(channels: int) -> np.ndarray:
    return (
        np.stack(np.meshgrid(*[np.linspace(0, 1, 17)] * channels), axis=-1).reshape(1, -1, channels).astype(np.float32)
    )


def test_a_profile_becomes_srgb_as_littlecms_has_it(adobe_profile: bytes) -> None:
    profile = read_profile(adobe_profile, 3)
    assert profile is not None
    samples = grid(3)
    found = profile.to_srgb(samples)
    given = Image.fromarray(np.rint(samples * 255).astype(np.uint8))
    expected = ImageCms.profileToProfile(
        given, ImageCms.ImageCmsProfile(BytesIO(adobe_profile)), ImageCms.createProfile("sRGB"), renderingIntent=1
    )
    # Its input was rounded to 8 bits, which counts most near black.
    difference = np.abs(found.clip(0, 1) * 255 - np.asarray(expected))
    assert difference.mean() < 0.6
    assert np.quantile(difference, 0.99) < 3


def test_all_colours_of_a_profile_come_back_also_those_that_srgb_lacks(adobe_profile: bytes) -> None:
    profile = read_profile(adobe_profile, 3)
    assert profile is not None
    samples = grid(3)
    beyond = profile.to_srgb(samples)
    assert beyond.min() < -0.1
    assert beyond.max() > 1.0
    assert np.abs(profile.from_srgb(beyond) - samples).max() * 65535 < 40
    assert np.abs(profile.from_srgb(beyond) - samples).mean() * 65535 < 1


def test_a_grey_profile_is_a_curve(grey_profile: bytes) -> None:
    profile = read_profile(grey_profile, 1)
    assert profile is not None
    # (0.5 ** 1.8) as sRGB has it.
    assert profile.to_srgb(np.full((1, 1, 1), 0.5, np.float32)).item() == pytest.approx(0.5724, abs=2e-3)
    assert np.abs(profile.from_srgb(profile.to_srgb(grid(1))) - grid(1)).max() < 1e-3


def test_srgb_is_nothing_to_convert() -> None:
    assert read_profile(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), 3) is None


@pytest.mark.parametrize("cut", [0, 20, 127, 140, 200, 300])
def test_a_broken_profile_is_no_profile(adobe_profile: bytes, cut: int) -> None:
    assert read_profile(adobe_profile[:cut], 3) is None


def test_a_profile_of_another_number_of_channels_is_not_applied(adobe_profile: bytes, grey_profile: bytes) -> None:
    assert read_profile(adobe_profile, 1) is None
    assert read_profile(grey_profile, 3) is None
