"""Random crops of degraded picture and target, whole batches at a time."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from uncrappify.datasets import PicturePairs
from uncrappify.datasets.pairs import fit_sizes
from uncrappify.degradations import Recipe
from uncrappify.progress import track
from uncrappify.training.augmentation import apply_augmentations
from uncrappify.training.hardware import pixels_that_fit
from uncrappify.training.parameters import CriticStage, RestorationStage

log = logging.getLogger(__name__)

WORKERS_WITH_PIXELS = 4

Pixels = npt.NDArray[np.uint8]


class Pair(NamedTuple):
    """Input and target, decoded, and the box of what is written: top, left, bottom and right as shares of the sides."""

    input: Pixels
    target: Pixels
    writing: tuple[float, float, float, float] | None = None


PixelPairs = Mapping[str, Sequence[Pair]]
"""Picture name to input and target, in as many variants as there are; empty where they do not fit into memory."""


class PairCrops:
    """Batches of crops, drawn evenly over pictures: a small set would else be ruled by its largest picture.

    The batch of a step depends on the seed and the step alone.

    Args:
        pairs: Degraded pictures and targets.
        pixels: The same, decoded; where it is empty, worker processes decode a picture for each crop.
        stage: Its ``size`` (of the target's crops, a multiple of the scale) and ``batch_size`` count.
        augment: Any of ``flip`` and ``turn`` (by quarters), the same for input and target; others were done before.
        seed: Of the draws.
        on_text: Share of the crops that contain a part of what is written, where there is something.
    """

    def __init__(
        self,
        pairs: PicturePairs,
        pixels: PixelPairs,
        stage: RestorationStage | CriticStage,
        augment: Sequence[str],
        seed: int,
        on_text: float = 0.0,
    ) -> None:
        self.pairs = pairs
        self.size = stage.size // pairs.scale
        self.batch_size = stage.batch_size
        self.augment = frozenset(augment)
        self.seed = seed
        self.pixels = pixels
        self.on_text = on_text

    @property
    def workers(self) -> int:
        """Processes that make batches.

        With all pixels in memory, cutting a crop out takes less than handing it over: a CPU that trains does it itself,
        and for a GPU a few processes do it meanwhile.
        """
        cores = os.cpu_count() or 1
        if not self.pixels:
            return cores
        return min(cores, WORKERS_WITH_PIXELS) if torch.cuda.is_available() else 0

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
        variants = self.pixels[name] if self.pixels else [_decode_pair(self.pairs, name)]
        degraded, target, writing = variants[int(random.integers(len(variants)))]
        scale, size = self.pairs.scale, self.size
        highest = [max(0, side - size) for side in degraded.shape[:2]]
        if self.on_text and writing and random.random() < self.on_text:
            # A place in the box, anywhere in the crop.
            places = random.uniform(writing[:2], writing[2:]) * degraded.shape[:2] - random.uniform(0, size, 2)
            top, left = np.clip(places.astype(int), 0, highest)
        else:
            top, left = (int(random.integers(most + 1)) for most in highest)
        sides = (
            _pad(degraded[top : top + size, left : left + size], size),
            _pad(target[top * scale : (top + size) * scale, left * scale : (left + size) * scale], size * scale),
        )
        return _augment_pair(sides, self.augment, random)


def _augment_pair(
    sides: tuple[Pixels, Pixels], augment: frozenset[str], random: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """Do the same to input and target; views as far as possible."""
    flip, turns = random.random() < 0.5, int(random.integers(4))
    a, b = sides
    if "flip" in augment and flip:
        a, b = a[:, ::-1], b[:, ::-1]
    if "turn" in augment:
        a, b = np.rot90(a, turns), np.rot90(b, turns)
    return a, b


def _pad(crop: Pixels, size: int) -> Pixels:
    """Mirror a crop of a picture that is smaller than the crop should be."""
    short = [size - side for side in crop.shape[:2]]
    return np.pad(crop, [(0, short[0]), (0, short[1]), (0, 0)], mode="symmetric") if any(short) else crop


def decode_pairs(
    pairs: PicturePairs, recipe: Recipe, augment: Sequence[str], variants: int, seed: int, processes: int = 1
) -> PixelPairs:
    """Decode all pictures once, on all cores, and make variants of the few.

    A variant is an augmented copy of the good picture that is degraded anew: what a JPEG does to a colour or an edge
    stays what a JPEG does. A set of many pictures has variety of its own and gets none.

    Args:
        pairs: Degraded pictures and targets.
        recipe: What degrades a variant.
        augment: Any keys of :data:`~uncrappify.training.augmentation.AUGMENTATIONS`, and others that are left alone.
        variants: How many to make in all.
        seed: Of the variants.
        processes: How many hold them all.

    Returns:
        Every picture with its variants; empty when they all take more than a quarter of the machine's memory.
    """

    def vary(name: str, number: int) -> Pair:
        random = np.random.default_rng([seed, number, *name.encode()])
        good = apply_augmentations(pairs.targets[name], augment, random)
        drawn = f"{name} {number}"
        bad = recipe.degrade(good, drawn, seed)
        fitted = fit_sizes(bad, recipe.crop_target(good, drawn, seed), pairs.scale, name)
        return _as_pair(fitted, _find_writing(recipe, good.size, drawn, seed))

    return _decode(pairs, vary, variants, processes)


def decode_alike(
    pairs: PicturePairs, augment: Sequence[str], variants: int, seed: int, processes: int = 1
) -> PixelPairs:
    """Decode all pictures once, on all cores, and make variants by changing both of a pair in the same way.

    Args:
        pairs: Pairs of scale 1.
        augment: Keys of :data:`~uncrappify.training.augmentation.AUGMENTATIONS`, and others that are left alone.
        variants: How many to make in all.
        seed: Of the variants.
        processes: How many hold them all.

    Returns:
        As :func:`decode_pairs`.
    """

    def vary(name: str, number: int) -> Pair:
        place = [seed, number, *name.encode()]
        one, other = (apply_augmentations(side, augment, np.random.default_rng(place)) for side in pairs[name])
        return _as_pair((one, other))

    return _decode(pairs, vary, variants, processes)


def _decode(pairs: PicturePairs, vary: Callable[[str, int], Pair], variants: int, processes: int) -> PixelPairs:
    copies = pixels_that_fit() // processes // max(1, pairs.pixels)
    if copies == 0:
        log.info("%d pictures do not fit into memory: they are decoded for each crop, without variants", len(pairs))
        return {}
    each = min(variants // len(pairs), copies - 1)
    if variants and not each:
        log.info("%d pictures need no variants, or have no room for them: crops are flipped and turned", len(pairs))

    def decode(name: str, number: int) -> Pair:
        return vary(name, number) if number else _decode_pair(pairs, name)

    wanted = [(name, number) for name in pairs.names for number in range(1 + each)]
    found: dict[str, list[Pair]] = {name: [] for name in pairs.names}
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        made = track(pool.map(decode, *zip(*wanted, strict=True)), "varying pictures", len(wanted))
        for (name, _), pair in zip(wanted, made, strict=True):
            found[name].append(pair)
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def _decode_pair(pairs: PicturePairs, name: str) -> Pair:
    degraded, target = pairs[name]
    writing = _find_writing(pairs.recipe, target.size, pairs.stems.get(name, name), pairs.seed)
    return _as_pair((degraded, target), writing)


def _as_pair(pair: tuple[Image.Image, Image.Image], writing: tuple[float, float, float, float] | None = None) -> Pair:
    return Pair(np.asarray(pair[0]), np.asarray(pair[1]), writing)


def _find_writing(
    recipe: Recipe, size: tuple[int, int], name: str, seed: int
) -> tuple[float, float, float, float] | None:
    marked = recipe.mark_text(size, name, seed)
    if marked is None or not marked.any():
        return None
    rows, columns = np.nonzero(marked)
    height, width = marked.shape
    return rows.min() / height, columns.min() / width, (rows.max() + 1) / height, (columns.max() + 1) / width
