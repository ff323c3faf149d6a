"""A number for every pixel of a mask, its code, by which values and colours are looked up, and those not found."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from uncrappify.pictures.label_entries import LARGEST
from uncrappify.pictures.mask_file import Pixels

Codes = npt.NDArray[np.int64]
"""(H, W): a value, or the three channels of a colour one after the other."""

# Bits of a channel in the code of a colour.
_CHANNEL = 16
# Added to the code of a colour where values are expected, so that it never equals the value of a class.
_COLOURED = 1 << 3 * _CHANNEL
# The code of a number that no label can be: a fraction, or a colour out of range.
_NEVER = -1
# Per channel; so near to a listed colour, or to the line between two, are the colours of a smoothed edge.
_OFF_THE_LINE = 6
_KINDS_COMPARED = 500


class UnlistedValue(NamedTuple):
    """A value of a mask that the labels do not have.

    Attributes:
        value: The value or colour, as text.
        x: Column of the first pixel that has it.
        y: Its row.
        pixels: How many have it.
        others: How many other values the labels do not have.
        blended: Whether most of them lie between listed colours, as at edges that were blended.
    """

    value: str
    x: int
    y: int
    pixels: int
    others: int = 0
    blended: bool = False


@dataclass
class Unlisted:
    """What is found, row by row, that the labels do not have.

    Args:
        pixels: Of the mask.
        known: Codes of the labels, sorted.
        coloured: Whether codes are those of colours.
    """

    pixels: Pixels
    known: Codes
    coloured: bool
    counts: Counter[str] = field(default_factory=Counter)
    first: tuple[str, int, int] | None = None
    blended: bool = False

    def add(self, row: int, codes: Codes, unlisted: npt.NDArray[np.bool_]) -> None:
        """Count the unlisted pixels of the rows from ``row`` on; both arrays are (rows, W)."""
        if not unlisted.any():
            return
        never = codes < 0
        for code, count in zip(*np.unique(codes[unlisted & ~never], return_counts=True), strict=True):
            self.counts[self._describe(int(code))] += int(count)
        if never.any():
            stored = self.pixels.values[row : row + len(codes)][never]
            for number, count in zip(*np.unique(stored, return_counts=True), strict=True):
                self.counts[_show_number(number)] += int(count)
        if self.first is None:
            y, x = (int(place) for place in np.argwhere(unlisted)[0])
            code, number = int(codes[y, x]), self.pixels.values[row + y, x]
            self.first = _show_number(number) if code < 0 else self._describe(code), x, row + y
            self.blended = _are_blended(codes, unlisted & ~never, self.known, _OFF_THE_LINE if self.coloured else 0)

    def _describe(self, code: int) -> str:
        if self.coloured or code >= _COLOURED:
            return f"colour {list(_decode_colours(np.array(code % _COLOURED)).tolist())}"
        return f"value {code}"

    def summarise(self) -> UnlistedValue | None:
        """Tell the first, or that there is none."""
        if self.first is None:
            return None
        value, x, y = self.first
        others = len(self.counts) - 1
        return UnlistedValue(value, x, y, self.counts[value], others, self.blended and others > 1)


def encode_values(part: npt.NDArray[Any]) -> Codes:
    """Give the code of each pixel, numbers (H, W) or colours (H, W, 3), where the labels are values."""
    if part.ndim == 2:
        return _take_whole(part)
    # Grey saved as RGB counts as grey.
    grey = (part == part[..., :1]).all(-1)
    return np.where(grey, part[..., 0].astype(np.int64), encode_colours(part) + _COLOURED)


def encode_greys(part: npt.NDArray[Any], step: int) -> Codes:
    """Give the code of each number (H, W), divided by ``step``, as a grey where the labels are colours."""
    greys = _take_whole(part) // step
    in_range = (greys >= 0) & (greys <= LARGEST)
    return np.where(in_range, encode_colours(np.where(in_range, greys, 0)[..., None].repeat(3, axis=2)), _NEVER)


def encode_colours(part: npt.NDArray[Any]) -> Codes:
    """Give the code of each colour (H, W, 3); negative where it is out of range."""
    red, green, blue = np.moveaxis(part.astype(np.int64), -1, 0)
    codes: Codes = (red << 2 * _CHANNEL) + (green << _CHANNEL) + blue
    return codes


def encode_colour(colour: tuple[int, int, int]) -> int:
    """Give the code of one colour."""
    return (colour[0] << 2 * _CHANNEL) + (colour[1] << _CHANNEL) + colour[2]


def _take_whole(part: npt.NDArray[Any]) -> Codes:
    if part.dtype.kind == "f":
        part = part.astype(np.float64)
        part = np.where((part == np.floor(part)) & (np.abs(part) <= 2**31), part, _NEVER)
    return part.astype(np.int64)


def _show_number(number: Any) -> str:
    return f"value {number:g}" if isinstance(number, np.floating) else f"value {number}"


def _decode_colours(codes: Codes) -> npt.NDArray[np.int64]:
    return np.stack([codes >> 2 * _CHANNEL, codes >> _CHANNEL & LARGEST, codes & LARGEST], axis=-1)


def _are_blended(codes: Codes, unlisted: npt.NDArray[np.bool_], known: Codes, tolerance: int) -> bool:
    """Tell whether most unlisted pixels are between, or close to, listed colours, and are no areas: smoothed edges."""
    kinds, counts = np.unique(codes[unlisted], return_counts=True)
    often = counts.argsort()[::-1][:_KINDS_COMPARED]
    colours, listed = _decode_colours(kinds[often]), _decode_colours(known)
    between = np.zeros(len(colours), dtype=bool)
    for start in listed:
        offset, lines = colours - start, (listed - start)[:, None]
        along = ((offset * lines).sum(-1) / np.maximum(1, (lines**2).sum(-1))).clip(0, 1)
        distance = np.abs(offset - along[..., None] * lines).max(-1)
        between |= (distance <= tolerance).any(0)
    in_areas = unlisted[:-1, :-1] & (codes[:-1, :-1] == codes[1:, :-1]) & (codes[:-1, :-1] == codes[:-1, 1:])
    total = counts.sum()
    return bool(counts[often][between].sum() > 0.8 * total and in_areas.sum() < 0.25 * total)
