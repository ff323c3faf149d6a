"""Gaussian blur, as of a picture out of focus."""

from typing import Annotated

from PIL import Image, ImageFilter
from pydantic import Field

from uncrappify.degradations.step import Range, Step, Within


class GaussianBlur(Step):
    """Blur with Pillow's approximation of a Gaussian by three box filters (Gwosdek et al. 2011)."""

    name = "gaussian_blur"
    radius: Annotated[Range[float], Within(0, 100)] = Field(description="Standard deviation in pixels; 0 does nothing.")

    def apply(self, picture: Image.Image, radius: float) -> Image.Image:
        """Blur all channels alike."""
        return picture.filter(ImageFilter.GaussianBlur(radius))
