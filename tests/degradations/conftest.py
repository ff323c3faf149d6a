"""A picture with gradients, edges and colour, made without a file."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture() -> Image.Image:
    """RGB, 200 wide and 151 high."""
    y, x = np.mgrid[0:151, 0:200]
    waves = 60 * np.sin(x / 3) * np.cos(y / 5)
    pixels = np.stack([40 + x / 2 + waves, 60 + y / 2 - waves, 90 + (x + y) / 4 + waves / 2], axis=-1)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
