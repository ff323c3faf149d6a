"""Text drawn on the picture, for a model that learns inpainting."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated

from PIL import Image, ImageDraw, ImageFont
from pydantic import Field

from uncrappify.degradations.step import Draw, Range, Step, Within

_PLACE = re.compile(r"\{([^{}]*)\}")


class Text(Step):
    """Write in white with Pillow's default font; the lesson writes the JPEG quality, so that is the default."""

    name = "text"
    content: str = Field(
        "{jpeg.quality}", description="What is written; {jpeg.quality} stands for what the step jpeg drew."
    )
    x: Annotated[Range[float], Within(0, 1)] = Field(Range(0.0, 0.5), description="Left edge, as a share of the width.")
    y: Annotated[Range[float], Within(0, 1)] = Field(Range(0.0, 0.5), description="Top edge, as a share of the height.")
    size: Annotated[Range[int], Within(1, 1024)] = Field(
        Range(12, 12), description="Font size in pixels; 12 suits a picture of 96."
    )

    def derive(self, draws: Mapping[str, Draw]) -> dict[str, Draw]:
        """Replace the placeholders in ``content`` by drawn values.

        Raises:
            ValueError: A placeholder names a draw that no step of the recipe makes.
        """
        try:
            return {"content": _PLACE.sub(lambda place: _format(draws[place[1]]), self.content)}
        except KeyError as error:
            known = ", ".join(draws)
            msg = f'content "{self.content}" names {error.args[0]}, which no step of this recipe draws; known: {known}'
            raise ValueError(msg) from error

    def apply(self, picture: Image.Image, content: str, x: float, y: float, size: int) -> Image.Image:
        """Write ``content`` with its upper left corner at (``x`` * width, ``y`` * height)."""
        written = picture.copy()
        corner = (int(x * picture.width), int(y * picture.height))
        ImageDraw.Draw(written).text(corner, content, fill="white", font=_load_font(size))
        return written


@lru_cache(maxsize=64)
def _load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _format(value: Draw) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
