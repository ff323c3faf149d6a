"""Text drawn on the picture, for a model that learns inpainting."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field

from uncrappify.degradations.step import Draw, Range, Step, Within

_PLACE = re.compile(r"\{([^{}]*)\}")


class Text(Step):
    """Write in white with Pillow's default font, once, or until a share of the picture is covered.

    The lesson writes the JPEG quality once, so that is the default. Texts at random places that cover a share of the
    picture are what Lehtinen et al. (2018, Noise2Noise) learn to remove.
    """

    name = "text"
    uses_random = True
    content: str = Field(
        "{jpeg.quality}", description="What is written; {jpeg.quality} stands for what the step jpeg drew."
    )
    x: Annotated[Range[float], Within(0, 1)] = Field(Range(0.0, 0.5), description="Left edge, as a share of the width.")
    y: Annotated[Range[float], Within(0, 1)] = Field(Range(0.0, 0.5), description="Top edge, as a share of the height.")
    size: Annotated[Range[int], Within(1, 1024)] = Field(
        Range(12, 12), description="Font size in pixels; 12 suits a picture of 96."
    )
    coverage: Annotated[Range[float], Within(0, 0.9)] | None = Field(
        None,
        description="Share of the picture's pixels that writing touches: content is repeated at random places, in the "
        "place of once at x and y. A quarter, 0.25, is the literature's.",
    )

    def draw(self, random: np.random.Generator) -> dict[str, Draw]:
        """Draw a place only where there is one."""
        drawn = super().draw(random)
        return {field: value for field, value in drawn.items() if self.coverage is None or field not in ("x", "y")}

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

    def apply(
        self,
        picture: Image.Image,
        content: str,
        size: int,
        random: np.random.Generator,
        x: float = 0.0,
        y: float = 0.0,
        coverage: float | None = None,
    ) -> Image.Image:
        """Write ``content`` with its upper left corner at (``x`` * width, ``y`` * height), or over ``coverage``.

        The last text is written whole, so that a little more may be covered, on a small picture much more.
        """
        written = picture.copy()
        if coverage is not None:
            written.paste("white", mask=Image.fromarray(_cover(picture.size, coverage, content, size, random)))
            return written
        corner = (int(x * picture.width), int(y * picture.height))
        ImageDraw.Draw(written).text(corner, content, fill="white", font=_load_font(size))
        return written

    def mark(
        self,
        writing: NDArray[np.bool_],
        content: str,
        size: int,
        random: np.random.Generator,
        x: float = 0.0,
        y: float = 0.0,
        coverage: float | None = None,
    ) -> NDArray[np.bool_]:
        """Mark the smallest box around the text, or with ``coverage`` the pixels that writing touches."""
        height, width = writing.shape
        if coverage is not None:
            return writing | (_cover((width, height), coverage, content, size, random) > 0)
        ink = Image.new("L", (width, height))
        ImageDraw.Draw(ink).text((int(x * width), int(y * height)), content, fill=255, font=_load_font(size))
        marked = writing.copy()
        if box := ink.getbbox():
            marked[box[1] : box[3], box[0] : box[2]] = True
        return marked


def _cover(
    picture_size: tuple[int, int], coverage: float, content: str, size: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw texts at random places, also across the edges, until they cover enough: opacity 0 to 255, (H, W)."""
    stamp = _draw_stamp(content, size)
    width, height = picture_size
    opacity = np.zeros((height, width), np.uint8)
    missing = coverage * opacity.size
    # What has no ink, such as blanks, would never cover anything.
    while missing > 0 and stamp.any():
        top, left = random.integers((1 - stamp.shape[0], 1 - stamp.shape[1]), (height, width))
        below = opacity[max(top, 0) : top + stamp.shape[0], max(left, 0) : left + stamp.shape[1]]
        above = stamp[max(-top, 0) :, max(-left, 0) :][: below.shape[0], : below.shape[1]]
        missing -= np.count_nonzero(above) - np.count_nonzero(above[below > 0])
        np.maximum(below, above, out=below)
    return opacity


def _draw_stamp(content: str, size: int) -> NDArray[np.uint8]:
    """Draw a text without a border: opacity 0 to 255, (H, W)."""
    font = _load_font(size)
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), content, font=font)
    stamp = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
    ImageDraw.Draw(stamp).text((-left, -top), content, fill=255, font=font)
    return np.asarray(stamp.crop(stamp.getbbox()))


@lru_cache(maxsize=64)
def _load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _format(value: Draw) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
