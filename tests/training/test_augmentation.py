"""Changes to a good picture: each does what it says, and only those asked for are done."""

import numpy as np
import pytest
from PIL import Image

from uncrappify.training.augmentation import (
    AUGMENTATIONS,
    apply_augmentations,
    gamma,
    permute_channels,
    saturation,
    zoom,
)


@pytest.fixture
def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def generators(number: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(number)]


def test_zoom_shrinks_to_between_60_and_100_percent(picture: Image.Image) -> None:
    widths = [zoom(picture, random).width for random in generators(200)]
    assert (min(widths), max(widths)) == (24, 40)


def test_channels_are_put_in_all_six_orders(picture: Image.Image) -> None:
    channels = sorted(channel.tobytes() for channel in picture.split())
    permuted = [permute_channels(picture, random) for random in generators(100)]
    assert len({other.tobytes() for other in permuted}) == 6
    assert all(sorted(channel.tobytes() for channel in other.split()) == channels for other in permuted)


def test_gamma_keeps_black_white_and_the_order_between() -> None:
    ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))
    middles = []
    for random in generators(50):
        levels = np.asarray(gamma(ramp, random))[0].astype(int)
        assert (levels[0] == 0).all()
        assert (levels[255] == 255).all()
        assert (np.diff(levels, axis=0) >= 0).all()
        middles += levels[128].tolist()
    # 128 / 255 to the power of exp(0.4) and of exp(-0.4).
    assert 91 <= min(middles) < 100
    assert 155 < max(middles) <= 161


def test_saturation_leaves_grey_alone_and_moves_colours() -> None:
    grey, red = Image.new("RGB", (4, 4), (90, 90, 90)), Image.new("RGB", (4, 4), (150, 90, 90))
    spreads = []
    for random in generators(100):
        assert saturation(grey, random).getpixel((0, 0)) == (90, 90, 90)
        r, g, b = saturation(red, np.random.default_rng(random.integers(1000))).getpixel((0, 0))
        assert g == b
        spreads.append(r - g)
    assert min(spreads) < 30
    assert max(spreads) > 85


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_only_what_is_asked_for_is_done_and_depends_on_the_draw_alone(picture: Image.Image, name: str) -> None:
    first, again = (apply_augmentations(picture, [name, "flip"], np.random.default_rng(1)) for _ in range(2))
    assert first == AUGMENTATIONS[name](picture, np.random.default_rng(1)) == again
    assert apply_augmentations(picture, ["flip", "turn"], np.random.default_rng(1)) is picture
