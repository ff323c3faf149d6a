"""What a user may ask of a model on a picture, and what comes of it, whatever the kind of model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from uncrappify.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

    from uncrappify.pictures.saving import Encoded

LARGEST_FACTOR = 16
SMALLEST_WIDTH = 64
"""A number up to this one, as in 2x, is a factor; a larger one, as in 3000x, is a width in pixels."""

LARGEST_SIDE = 100_000
_SCALE_TO = re.compile(r"(\d+(?:\.\d+)?)?x(\d+)?")


@dataclass(frozen=True)
class ScaleTo:
    """The size that a restored picture is brought to in the end.

    Attributes:
        factor: Of the original's size; None where pixels are given.
        width: Most pixels across; None for as many as there are.
        height: Most pixels down, likewise.
    """

    factor: float | None = None
    width: int | None = None
    height: int | None = None

    @classmethod
    def parse(cls, text: str) -> ScaleTo:
        """Read ``2x`` (a factor), ``3000x`` (a width), ``x1200`` (a height) or ``1600x1200`` (fits into both).

        Raises:
            UserError: If it is none of them.
        """
        match = _SCALE_TO.fullmatch(text.strip().lower())
        first, second = match.groups() if match else (None, None)
        if first and not second and ("." in first or int(first) <= LARGEST_FACTOR):
            size = cls(factor=float(first))
        elif first and not second and int(first) < SMALLEST_WIDTH:
            # Who writes 20x means a factor.
            size = cls(factor=0)
        elif (first or second) and "." not in (first or ""):
            size = cls(width=int(first) if first else None, height=int(second) if second else None)
        else:
            size = cls(factor=0)
        numbers = [number for number in (size.factor, size.width, size.height) if number is not None]
        if not all(0 < number <= LARGEST_SIDE for number in numbers) or (size.factor or 1) > LARGEST_FACTOR:
            raise UserError(
                f"--scale-to {text}: expected 2x (a factor up to {LARGEST_FACTOR}), 3000x (a width, from "
                f"{SMALLEST_WIDTH} on), x1200 (a height) or 1600x1200 (it fits into both)."
            )
        return size

    def find_size(self, width: int, height: int) -> tuple[int, int]:
        """Give the size of a picture of so many pixels, in its own shape."""
        if self.factor is not None:
            zoom = self.factor
        else:
            zoom = min(most / side for most, side in ((self.width, width), (self.height, height)) if most)
        return max(1, round(width * zoom)), max(1, round(height * zoom))


@dataclass(frozen=True)
class Request:
    """What a user asks for; what has no meaning for a kind of model is refused.

    Attributes:
        format: Pillow's name of the format of pictures; None for that of each original.
        quality: Of JPEG, WebP and AVIF, 1 to 100; None for a high one.
        tile: Side of the tiles in pixels; None for the usual one.
        scale_to: Size to bring the result to.
        tta: Whether to average over mirrored and turned copies.
    """

    format: str | None = None
    quality: int | None = None
    tile: int | None = None
    scale_to: ScaleTo | None = None
    tta: bool = False

    @classmethod
    def parse(
        cls, *, format: str | None, quality: int | None, tile: int | None, scale_to: str | None, tta: bool
    ) -> Self:
        """Read options as they are typed: the format by its suffix, the size as :meth:`ScaleTo.parse` takes it.

        Raises:
            UserError: If the size is none.
        """
        from uncrappify.pictures.saving import FORMATS

        size = ScaleTo.parse(scale_to) if scale_to else None
        return cls(FORMATS[format] if format else None, quality, tile, size, tta)

    def refuse(self, purpose: str, *options: str) -> None:
        """Refuse what has no meaning.

        Args:
            purpose: What the model does.
            options: Names of fields.

        Raises:
            UserError: If one of them is given.
        """
        for option in options:
            if getattr(self, option) not in (None, False):
                raise UserError(
                    f"--{option.replace('_', '-')} has no meaning for weights that {purpose}. Leave it out."
                )


@dataclass(frozen=True)
class Result:
    """What comes of a picture.

    Attributes:
        files: What gives the bytes of each file, in the order of their endings.
        row: Of the table, where the kind writes one.
        show: Draws the result for a report: RGB, in its own size.
        notes: What was converted or lost.
        tile: Side of the tiles that were used, where there were any.
        size: Bytes that it takes until it is written.
    """

    files: tuple[Callable[[], Encoded], ...] = ()
    row: Mapping[str, str] | None = None
    show: Callable[[], Image.Image] | None = None
    notes: tuple[str, ...] = ()
    tile: int | None = None
    size: int = 0
