"""Masks: the class of every pixel, or void."""

from collections.abc import Iterator
from colorsys import hsv_to_rgb
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.errors import UserError
from uncrappify.parameters.messages import report
from uncrappify.pictures.label_entries import LARGEST, ClassName, Colour, StoredColour, VoidEntry, show_entry
from uncrappify.pictures.mask_codes import (
    Codes,
    Unlisted,
    UnlistedValue,
    encode_colour,
    encode_colours,
    encode_greys,
    encode_values,
)
from uncrappify.pictures.mask_file import Pixels, convert_pixels, parse_mask
from uncrappify.pictures.picture import LIST_AGAIN, check_content
from uncrappify.pictures.reading import read_reserved
from uncrappify.pictures.unusable import UnfitMask, UnusablePicture

VOID = 255
"""The class of a pixel that is not trained on and not counted."""

# Easy to distinguish, also side by side and for most colour-blind people. Further classes get hues by the golden angle.
_PALETTE = (
    (126, 178, 230),
    (156, 102, 70),
    (190, 190, 198),
    (110, 84, 140),
    (232, 200, 140),
    (60, 140, 66),
    (245, 214, 40),
    (240, 134, 50),
    (38, 80, 178),
    (214, 40, 48),
    (230, 110, 190),
    (60, 190, 180),
)
_GOLDEN_ANGLE = 0.381966
_GREYS = [(grey, grey, grey) for grey in (0, 255, 128, *range(1, 255))]
# Pixels that are looked at together, so that the codes, of 8 bytes, take little memory.
_PIXELS_AT_ONCE = 1 << 20
_CHANGED = f"The mask has gone or changed since it was listed. {LIST_AGAIN}"

Classes = npt.NDArray[np.uint8]
"""(H, W), index into the classes, or ``VOID``."""


class Labels(BaseModel):
    """The classes, and how masks write them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: list[ClassName] = Field(
        ..., min_length=2, max_length=VOID, description="Names; a mask's value is the place in this list, from 0"
    )
    colours: list[StoredColour] = Field(
        [],
        description="The colour of each class, [red, green, blue], in coloured masks; empty: they hold values",
    )
    void: list[VoidEntry] = Field(
        [], description="Values (or colours, where masks are coloured) of pixels that do not count"
    )

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise report(("classes",), "a class is there more than once.")
        if len(set(self.colours)) < len(self.colours):
            raise report(("colours",), "two classes have the same colour.")
        wrong = [entry for entry in self.void if isinstance(entry, tuple) is not bool(self.colours)]
        if wrong:
            form = "colours, [red, green, blue], as labels.colours are" if self.colours else "values, whole numbers"
            raise report(("void",), f"{show_entry(wrong[0])} is not of the kind that the masks have: give {form}.")
        if both := set(self.void) & set(self.colours or range(len(self.classes))):
            raise report(("void",), f"{show_entry(both.pop())} is a class already; take it out of one of them.")
        if self.colours and len(self.colours) != len(self.classes):
            raise report(
                ("colours",), f"there are {len(self.classes)} classes and {len(self.colours)} colours; each needs one."
            )
        return self

    def decode(self, mask: Image.Image | Pixels) -> Classes | UnlistedValue:
        """Convert a mask, as it is in its file, to classes.

        Args:
            mask: Pixels, or a picture of any mode; palette indices are values, unless the labels have colours.

        Returns:
            The class of each pixel, uint8 (H, W), or the first value that is not in the labels.
        """
        pixels = convert_pixels(mask) if isinstance(mask, Image.Image) else mask
        known = np.array(sorted(self._meaning))
        meanings = np.array([self._meaning[code] for code in known], dtype=np.uint8)
        classes = np.empty(pixels.values.shape[:2], dtype=np.uint8)
        unlisted = Unlisted(pixels, known, bool(self.colours))
        for first, codes in self._encode(pixels):
            places = np.searchsorted(known, codes).clip(max=len(known) - 1)
            unlisted.add(first, codes, known[places] != codes)
            classes[first : first + len(codes)] = meanings[places]
        return unlisted.summarise() or classes

    def list_values(self, mask: Pixels) -> list[int]:
        """List the different numbers of a mask that are values of a mask, in order; none if it has colours as well."""
        found: set[int] = set()
        for _, codes in self._encode(mask):
            found.update(np.unique(codes).tolist())
        return sorted(found) if not self.colours and all(0 <= code <= LARGEST for code in found) else []

    def has_classes_in_alpha(self, mask: Pixels) -> bool:
        """Tell whether pixels of the same value, or colour, differ in their alpha."""
        if mask.alpha is None or np.ptp(mask.alpha) == 0:
            return False
        pairs: set[int] = set()
        for first, codes in self._encode(mask):
            alpha = mask.alpha[first : first + len(codes)]
            pairs.update(np.unique((codes << 8) + alpha).tolist())
        return len(pairs) > len({pair >> 8 for pair in pairs})

    @property
    def palette(self) -> list[Colour]:
        """Display colour of each class: the labels' own, or from a palette of distinct colours."""
        if self.colours and np.max(self.colours) <= VOID:
            return list(self.colours)
        more = range(len(_PALETTE), len(self.classes))
        return [*_PALETTE, *(_pick_hue(number) for number in more)][: len(self.classes)]

    @property
    def void_colour(self) -> Colour:
        """Display colour of void: the labels' first colour for it, or black, white or a grey that no class has."""
        own = [entry for entry in self.void if isinstance(entry, tuple) and max(entry) <= VOID]
        return next(colour for colour in (*own, *_GREYS) if colour not in self.palette)

    @property
    def _meaning(self) -> dict[int, int]:
        """Value in a mask (or colour, encoded as one number) to class."""
        classes = [encode_colour(colour) for colour in self.colours] or range(len(self.classes))
        void = [encode_colour(entry) if isinstance(entry, tuple) else entry for entry in self.void]
        return dict.fromkeys(void, VOID) | {code: number for number, code in enumerate(classes)}

    def _encode(self, pixels: Pixels) -> Iterator[tuple[int, Codes]]:
        """Give the first row, and the codes (rows, W), of a few rows at a time."""
        values, rows = pixels.values, max(1, _PIXELS_AT_ONCE // max(1, pixels.values.shape[1]))
        # A picture of 16 bits shows the colours of 8 bits, each times 257, unless larger ones are listed.
        small = all(max(entry) <= VOID for entry in (*self.colours, *self.void) if isinstance(entry, tuple))
        step = 257 if values.dtype == np.uint16 and small and not (values % 257).any() else 1
        for first in range(0, len(values), rows):
            part = values[first : first + rows]
            if not self.colours:
                yield first, encode_values(part)
            elif part.ndim == 3:
                yield first, encode_colours(part // step)
            elif pixels.shown is not None:
                yield first, encode_colours(pixels.shown[part] // step)
            else:
                yield first, encode_greys(part, step)


def read_mask(path: Path, labels: Labels, sha256: str | None = None) -> Classes:
    """Read a mask that was usable when its source was listed.

    Args:
        path: The file.
        labels: What it means.
        sha256: Of its content, in hexadecimal; None where nothing is known of it.

    Returns:
        The class of each pixel, uint8 (H, W).

    Raises:
        UserError: The file is missing, or has changed since it was listed.
    """
    try:
        with read_reserved(path) as content:
            check_content(path, content, sha256)
            found = labels.decode(parse_mask(content).read())
    except (UnusablePicture, UnfitMask) as reason:
        raise UserError(f"{path}: the mask cannot be read ({reason}). {_CHANGED}") from reason
    if isinstance(found, UnlistedValue):
        raise UserError(f"{path}: the mask has {found.value}, which is in no class. {_CHANGED}")
    return found


def as_picture(classes: Classes, labels: Labels) -> Image.Image:
    """Convert classes to a picture of mode P: its values are the classes, its palette their display colours."""
    picture = Image.fromarray(classes, mode="P")
    colours = [*labels.palette, *[labels.void_colour] * (256 - len(labels.classes))]
    picture.putpalette([value for colour in colours for value in colour])
    return picture


def _pick_hue(number: int) -> Colour:
    red, green, blue = hsv_to_rgb(number * _GOLDEN_ANGLE % 1, 0.65, 0.85 - 0.3 * (number % 2))
    return round(255 * red), round(255 * green), round(255 * blue)
