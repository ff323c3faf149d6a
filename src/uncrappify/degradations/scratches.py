"""Scratches and dust, as on old prints and films."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from uncrappify.degradations.step import Draw, Range, Step, Within

STRAIGHT, BENT = (1.0, 0.02), (12.0, 0.3)
"""Standard deviations of a scratch's slant in degrees, and of its bow as a share of the height."""

BENT_SHARE = 0.25
LENGTH = (0.2, 1.5)
"""Shares of the height, of which a part may lie outside the picture."""

SPECK = (1.0, 3.0)
"""Length of a speck in widths of a scratch."""

LONGEST_SPECK = 2.5
"""Length over width."""


class Scratches(Step):
    """Draw thin white and black lines, most of them upright and nearly straight, and specks of dust.

    A film runs lengthwise past whatever scratches it, which leaves upright lines, dark or bright (Kokaram 1998, Motion
    Picture Restoration). From drawn scratches a network can learn to mend photographs (Wan et al. 2020, Bringing Old
    Photos Back to Life).
    """

    name = "scratches"
    uses_random = True
    number: Annotated[Range[int], Within(0, 1000)] = Field(description="Scratches on a picture.")
    width: Annotated[Range[float], Within(0, 100)] = Field(
        Range(0.5, 2.0), description="Of a scratch in pixels, drawn for each; specks are up to 3 times as long."
    )
    opacity: Annotated[Range[float], Within(0, 1)] = Field(
        Range(0.2, 0.9), description="Drawn for each scratch and speck; at 1 nothing shows through."
    )
    dust: Annotated[Range[int], Within(0, 10_000)] = Field(Range(0, 20), description="Specks on a picture.")

    def draw(self, random: np.random.Generator) -> dict[str, Draw]:
        """Draw how many there are; ``width`` and ``opacity`` vary within a picture, so ``apply`` draws them."""
        drawn = super().draw(random)
        return {field: value for field, value in drawn.items() if field not in ("width", "opacity")}

    def apply(self, picture: Image.Image, number: int, dust: int, random: np.random.Generator) -> Image.Image:
        """Draw the scratches and then the dust; ``random`` is seeded by picture and step."""
        pixels = np.array(picture)
        # Apart, so that more scratches leave the specks where they are.
        for_lines, for_specks = random.spawn(2)
        for _ in range(number):
            self._draw_line(pixels, for_lines)
        for _ in range(dust):
            self._draw_speck(pixels, for_specks)
        return Image.fromarray(pixels)

    def _draw_line(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> None:
        height = len(pixels)
        slant, bow = random.normal(0, BENT if random.random() < BENT_SHARE else STRAIGHT)
        length = height * random.uniform(*LENGTH)
        middle, column = random.uniform(0, pixels.shape[:2])
        first, last = int(max(0, middle - length / 2)), int(min(height - 1, middle + length / 2))
        rows = np.arange(first, last + 1)[:, None]
        along = rows - middle
        slope = np.tan(np.deg2rad(slant)) + bow * along / height
        center = column + (slope - bow * along / height / 2) * along
        half = self.width.draw(random) / 2 * np.hypot(1, slope)
        reach = int(np.ceil(half.max()))
        columns = np.floor(center).astype(int) + np.arange(-reach, reach + 1)
        # The share of each pixel, from its left edge to its right one, that the line covers.
        covered = np.minimum(columns + 1, center + half) - np.maximum(columns, center - half)
        self._paint(pixels, rows, columns, covered, random)

    def _draw_speck(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> None:
        radius = self.width.draw(random) * random.uniform(*SPECK) / 2
        middle = random.uniform(0, pixels.shape[:2])
        reach = int(np.ceil(radius))
        rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1] + np.floor(middle).astype(int)[:, None, None]
        y, x = rows + 0.5 - middle[0], columns + 0.5 - middle[1]
        turn, flattened = random.uniform(0, np.pi), random.uniform(1, LONGEST_SPECK)
        distance = np.hypot(x * np.cos(turn) + y * np.sin(turn), flattened * (y * np.cos(turn) - x * np.sin(turn)))
        self._paint(pixels, rows, columns, np.minimum(radius + 0.5 - distance, 2 * radius), random)

    def _paint(
        self,
        pixels: NDArray[np.uint8],
        rows: NDArray[np.int_],
        columns: NDArray[np.int_],
        covered: NDArray[np.float64],
        random: np.random.Generator,
    ) -> None:
        """Paint in white or black, as far as it lies in the picture, over the share of each pixel that is covered."""
        level, opacity = 255 * random.integers(2), self.opacity.draw(random)
        rows, columns = np.broadcast_arrays(rows, columns)
        inside = (rows >= 0) & (rows < pixels.shape[0]) & (columns >= 0) & (columns < pixels.shape[1]) & (covered > 0)
        place = rows[inside], columns[inside]
        alpha = opacity * np.minimum(covered[inside], 1)[:, None]
        pixels[place] = np.rint(pixels[place] + alpha * (level - pixels[place]))
