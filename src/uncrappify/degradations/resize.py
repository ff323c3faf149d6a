"""Downscaling: by a factor, as for super-resolution, or to a given shorter side, as in the lesson."""

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from uncrappify.degradations.step import Range, Step, Within
from uncrappify.pictures import crop_corner


class Resize(Step):
    """Make the picture smaller with Pillow's anti-aliased kernels; never larger.

    Pillow's bicubic (a = -0.5) is MATLAB's, the one behind published super-resolution figures.
    """

    name = "resize"
    factor: Annotated[Range[float], Within(1, 16)] | None = Field(
        None, description="Width and height are divided by this, above 1 and at most 16; or give min_side."
    )
    min_side: Annotated[Range[int], Within(1, 65535)] | None = Field(
        None, description="The shorter side becomes this many pixels; or give factor."
    )
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = Field("bicubic", description="Pillow's kernel.")

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        if (self.factor is None) == (self.min_side is None):
            raise PydanticCustomError("resize", "give either factor (such as 3) or min_side (such as 96)")
        if self.factor is not None and self.factor.low <= 1:
            raise PydanticCustomError("resize", "factor should be above 1: a recipe never enlarges a picture")
        return self

    def apply(self, picture: Image.Image, factor: float = 1.0, min_side: int | None = None) -> Image.Image:
        """Divide the size by ``factor``, or bring the shorter side to ``min_side``.

        A whole factor first crops the picture to a multiple of it (`crop_to_multiple`); any other one rounds.
        ``min_side`` is exact and the longer side is rounded; the lesson truncated, so that some of its pictures have
        a shorter side of 95 instead of 96.
        """
        return _resize(picture, factor, min_side, Image.Resampling[self.resample.upper()])

    def mark(self, writing: NDArray[np.bool_], factor: float = 1.0, min_side: int | None = None) -> NDArray[np.bool_]:
        """Mark every pixel of which a part was written upon."""
        shares = Image.fromarray(writing.astype(np.float32))
        return np.asarray(_resize(shares, factor, min_side, Image.Resampling.BOX)) > 0


def _resize(picture: Image.Image, factor: float, min_side: int | None, kernel: Image.Resampling) -> Image.Image:
    if min_side is not None:
        factor = max(1.0, min(picture.size) / min_side)
    elif factor == int(factor):
        picture = crop_to_multiple(picture, int(factor))
    width, height = (max(1, round(side / factor)) for side in picture.size)
    if (width, height) == picture.size:
        return picture
    return picture.resize((width, height), kernel)


def crop_to_multiple(picture: Image.Image, factor: int) -> Image.Image:
    """Crop right and bottom to multiples of ``factor``; a side shorter than ``factor`` is not cropped."""
    width, height = (side - side % factor if side >= factor else side for side in picture.size)
    return crop_corner(picture, width, height)
