"""Random crops of degraded picture and target, whole batches at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from uncrappify.datasets import PicturePairs
from uncrappify.training.hardware import fits_in_memory
from uncrappify.training.parameters import Stage

Pixels = npt.NDArray[np.uint8]


class PairCrops:
    """Batches of crops, drawn evenly over pictures: a small set would else be ruled by its largest picture.

    Pixels are decoded once and kept as bytes where that takes a quarter of the memory at most; else worker processes
    decode them for each crop. The batch of a step depends on the seed and the step alone.

    Args:
        pairs: Degraded pictures and targets.
        stage: Its ``size`` (of the target's crops, a multiple of the scale) and ``batch_size`` count.
        augment: Any of ``flip``, ``turn`` (by quarters) and ``permute_channels``, the same for input and target.
        seed: Of the draws.
    """

    def __init__(self, pairs: PicturePairs, stage: Stage, augment: Sequence[str], seed: int) -> None:
        self.pairs = pairs
        self.size = stage.size // pairs.scale
        self.batch_size = stage.batch_size
        self.augment = frozenset(augment)
        self.seed = seed
        self._pixels = _decoded(pairs)

    @property
    def workers(self) -> int:
        """None when all pixels are in memory: cutting a crop out takes less than handing it over."""
        return 0 if self._pixels else os.cpu_count() or 1

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Give the batch of a step.

        Returns:
            Inputs (N, 3, size / scale, size / scale) and targets (N, 3, size, size), both uint8 in 0..255.
        """
        random = np.random.default_rng([self.seed, step])
        crops = [self._crop(name, random) for name in random.choice(self.pairs.names, self.batch_size)]
        inputs, targets = (np.stack(side) for side in zip(*crops, strict=True))
        return tuple(torch.from_numpy(side).permute(0, 3, 1, 2) for side in (inputs, targets))  # type: ignore[return-value]

    def _crop(self, name: str, random: np.random.Generator) -> tuple[Pixels, Pixels]:
        degraded, target = self._pixels[name] if self._pixels else _arrays(self.pairs, name)
        scale, size = self.pairs.scale, self.size
        top, left = (int(random.integers(max(0, side - size) + 1)) for side in degraded.shape[:2])
        sides = (
            _filled(degraded[top : top + size, left : left + size], size),
            _filled(target[top * scale : (top + size) * scale, left * scale : (left + size) * scale], size * scale),
        )
        return _augmented(sides, self.augment, random)


def _augmented(
    sides: tuple[Pixels, Pixels], augment: frozenset[str], random: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """Do the same to input and target; views as far as possible."""
    flip, turns, order = random.random() < 0.5, int(random.integers(4)), random.permutation(3)
    a, b = sides
    if "flip" in augment and flip:
        a, b = a[:, ::-1], b[:, ::-1]
    if "turn" in augment:
        a, b = np.rot90(a, turns), np.rot90(b, turns)
    if "permute_channels" in augment:
        a, b = a[..., order], b[..., order]
    return a, b


def _filled(crop: Pixels, size: int) -> Pixels:
    """Mirror a crop of a picture that is smaller than the crop should be."""
    short = [size - side for side in crop.shape[:2]]
    return np.pad(crop, [(0, short[0]), (0, short[1]), (0, 0)], mode="symmetric") if any(short) else crop


def _decoded(pairs: PicturePairs) -> dict[str, tuple[Pixels, Pixels]]:
    """Decode all pictures on all cores, or nothing when they do not fit."""
    if not fits_in_memory(pairs.pixels):
        return {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(pairs.names, pool.map(lambda name: _arrays(pairs, name), pairs.names), strict=True))


def _arrays(pairs: PicturePairs, name: str) -> tuple[Pixels, Pixels]:
    degraded, target = pairs[name]
    return np.asarray(degraded), np.asarray(target)
