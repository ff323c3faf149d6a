"""Changes to a good picture before it is degraded, so that the damage stays that of real pictures."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from PIL import Image, ImageEnhance

SMALLEST_ZOOM = 0.6
LARGEST_GAMMA_EXPONENT = 0.4
SATURATIONS = (0.3, 1.6)

Augmentation = Callable[[Image.Image, np.random.Generator], Image.Image]


def zoom(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Shrink by 0.6 to 1, evenly on a logarithmic scale: the same things in another size, and sharper."""
    factor = SMALLEST_ZOOM ** random.random()
    size = [max(1, round(side * factor)) for side in picture.size]
    return picture.resize((size[0], size[1]), Image.Resampling.BICUBIC)


def permute_channels(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Put red, green and blue in any order."""
    channels = picture.split()
    return Image.merge("RGB", [channels[index] for index in random.permutation(3)])


def gamma(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Give each channel a gamma of its own, exp(-0.4) to exp(0.4), as another light or camera would."""
    exponents = np.exp(random.uniform(-LARGEST_GAMMA_EXPONENT, LARGEST_GAMMA_EXPONENT, 3))
    levels = np.arange(256) / 255
    table = [round(255 * level**exponent) for exponent in exponents for level in levels]
    return picture.point(table)


def saturation(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Make colours paler or stronger, 0.3 to 1.6 times."""
    return ImageEnhance.Color(picture).enhance(random.uniform(*SATURATIONS))


AUGMENTATIONS: dict[str, Augmentation] = {
    "zoom": zoom,
    "permute_channels": permute_channels,
    "gamma": gamma,
    "saturation": saturation,
}


def apply_augmentations(picture: Image.Image, names: Collection[str], random: np.random.Generator) -> Image.Image:
    """Apply the augmentations that are asked for, in a fixed order.

    Args:
        picture: RGB.
        names: Any keys of ``AUGMENTATIONS``; others are left to whoever cuts the crops.
        random: Draws how much.

    Returns:
        RGB, of the same size or smaller.
    """
    for name, change in AUGMENTATIONS.items():
        if name in names:
            picture = change(picture, random)
    return picture
