"""Gaussian noise, as of a small sensor in low light."""

from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field

from uncrappify.degradations.step import Range, Step, Within

PIXELS_AT_ONCE = 1 << 20


class GaussianNoise(Step):
    """Add independent normal noise to every value, rounded and clipped to 0..255 (Zhang et al. 2017, DnCNN)."""

    name = "gaussian_noise"
    uses_random = True
    sigma: Annotated[Range[float], Within(0, 255)] = Field(
        description="Standard deviation on the scale 0 to 255; 15, 25 and 50 are the field's usual ones."
    )

    def apply(self, picture: Image.Image, sigma: float, random: np.random.Generator) -> Image.Image:
        """Add the noise; ``random`` is seeded by picture and step."""
        result = picture.copy()
        # Strip by strip, because floats of a whole picture would take five times its memory; the draws are the same.
        rows = max(1, PIXELS_AT_ONCE // picture.width)
        for top in range(0, picture.height, rows):
            pixels = np.asarray(picture.crop((0, top, picture.width, min(top + rows, picture.height))))
            noisy = random.standard_normal(pixels.shape, dtype=np.float32)
            noisy *= np.float32(sigma)
            noisy += pixels
            np.rint(noisy, out=noisy)
            np.clip(noisy, 0, 255, out=noisy)
            result.paste(Image.fromarray(noisy.astype(np.uint8)), (0, top))
        return result
