"""Pictures with their classes, decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

LEVELS = np.arange(256)


@dataclass(frozen=True)
class LabelledPictures:
    """Decoded pictures of one size, and the number of each one's class.

    Args:
        pixels: (N, C, H, W), uint8, C is 1 or 3.
        labels: (N,), int64, places in ``classes``.
        names: Of the pictures.
        classes: Names of all classes, in order.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: Sequence[str]
    classes: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: slice | npt.NDArray[np.int64]) -> LabelledPictures:
        """Take some of the pictures, by their places."""
        places = np.arange(len(self))[chosen]
        names = [self.names[place] for place in places]
        return LabelledPictures(self.pixels[places], self.labels[places], names, self.classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H and W of each picture."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each picture."""
        return self.shape[1:]

    @property
    def mean(self) -> list[float]:
        """Mean of each channel, in 0..1."""
        return [round(float(counts @ LEVELS / counts.sum()) / 255, 6) for counts in self._levels]

    @property
    def std(self) -> list[float]:
        """Standard deviation of each channel, in 0..1; one grey level where all pixels are equal."""
        spreads = []
        for counts in self._levels:
            mean = counts @ LEVELS / counts.sum()
            spread = np.sqrt(counts @ (LEVELS - mean) ** 2 / counts.sum())
            spreads.append(round(max(float(spread), 1.0) / 255, 6))
        return spreads

    @cached_property
    def _levels(self) -> list[npt.NDArray[np.int64]]:
        """How many pixels of each channel have each of the 256 levels: exact, and without a copy in floats."""
        counts = np.zeros((self.shape[0], len(LEVELS)), dtype=np.int64)
        for picture in self.pixels:
            for channel, pixels in enumerate(picture):
                counts[channel] += np.bincount(pixels.ravel(), minlength=len(LEVELS))
        return list(counts)
