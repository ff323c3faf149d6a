"""Transparent pixels take the colours around them, and planes other sizes."""

from __future__ import annotations

import numpy as np

from uncrappify.pictures.opacity import resize_samples, spread_colours


def test_what_nobody_sees_takes_the_colours_beside_it() -> None:
    samples = np.zeros((33, 47, 3), np.uint8)
    opacity = np.zeros((33, 47), np.uint8)
    samples[10:20, 10:30], opacity[10:20, 10:30] = (200, 100, 50), 255
    spread = spread_colours(samples, opacity)
    assert (spread == (200, 100, 50)).all()
    assert samples[0, 0].tolist() == [0, 0, 0]


def test_what_is_seen_stays_and_a_border_has_the_colour_of_its_side() -> None:
    samples = np.zeros((16, 16, 1), np.uint16)
    opacity = np.zeros((16, 16), np.uint16)
    samples[:, :4], opacity[:, :4] = 1000, 1
    samples[:, 12:], opacity[:, 12:] = 60000, 65535
    spread = spread_colours(samples, opacity)
    assert (spread[:, :4] == 1000).all()
    assert (spread[:, 12:] == 60000).all()
    assert (spread[:, 4] == 1000).all()
    assert (spread[:, 11] == 60000).all()


def test_a_picture_of_nothing_stays() -> None:
    samples = np.full((4, 4, 3), 7, np.uint8)
    assert spread_colours(samples, np.zeros((4, 4), np.uint8)) is samples


def test_samples_of_16_bits_are_resized_without_8() -> None:
    ramp = np.repeat(np.arange(0, 65536, 256, dtype=np.uint16)[None], 8, axis=0)[..., None]
    large = resize_samples(ramp, (1024, 8))
    assert large.shape == (8, 1024, 1)
    assert len(np.unique(large)) > 900
    back = resize_samples(large, (256, 8))[:, 20:-20].astype(int)
    assert np.abs(back - ramp[:, 20:-20]).max() <= 2
