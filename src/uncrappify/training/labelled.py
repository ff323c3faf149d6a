"""Batches of labelled pictures, which lie decoded in memory: whole batches are cut, turned and flipped at once."""

from __future__ import annotations

from functools import lru_cache
from math import pi

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from uncrappify.training.parameters import Affine, ClassificationStage, ClassificationTraining


class LabelledBatches:
    """Batches of pictures and the numbers of their classes.

    The batch of a step depends on the seed and the step alone. An epoch goes through all pictures in a new order.

    Args:
        pixels: (N, C, H, W), uint8.
        labels: (N,), int64.
        stage: Its ``batch_size`` counts.
        training: What happens to pictures.
        seed: Of the draws.
    """

    workers = 0

    def __init__(
        self, pixels: Tensor, labels: Tensor, stage: ClassificationStage, training: ClassificationTraining, seed: int
    ) -> None:
        self.labels = labels
        self.batch_size = stage.batch_size
        self.affine = training.affine
        self.flip = training.flip
        self.seed = seed
        height, width = pixels.shape[-2:]
        padded = F.pad(pixels, (training.padding,) * 4)
        # (N, C, 2 padding + 1, 2 padding + 1, H, W): every place that a picture can be cut at, without a copy of any.
        self.windows = padded.unfold(2, height, 1).unfold(3, width, 1)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Give the batch of a step.

        Returns:
            Pictures (B, C, H, W), uint8, and classes (B,), int64.
        """
        chosen = torch.from_numpy(self._choose(step))
        random = np.random.default_rng([self.seed, step])
        top, left = (torch.from_numpy(random.integers(self.windows.shape[2], size=len(chosen))) for _ in range(2))
        pictures = self.windows[chosen, :, top, left]
        if self.affine:
            pictures = warp(pictures, self.affine, random)
        if self.flip:
            mirrored = torch.from_numpy(random.random(len(chosen)) < 0.5)
            pictures = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)
        return pictures, self.labels[chosen]

    def _choose(self, step: int) -> npt.NDArray[np.int64]:
        """Give the numbers of the pictures of a step, from the endless sequence of shuffled epochs."""
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, within = np.divmod(places, len(self.labels))
        chosen = np.empty(len(places), dtype=np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            chosen[here] = _order(self.seed, int(epoch), len(self.labels))[within[here]]
        return chosen


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, pictures: int) -> npt.NDArray[np.int64]:
    """Shuffle the numbers of all pictures for an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(pictures)


def warp(pictures: Tensor, affine: Affine, random: np.random.Generator) -> Tensor:
    """Turn, move, magnify and slant each picture of a batch by its own draws; what comes in from outside is black.

    Args:
        pictures: (B, C, H, W), uint8.
        affine: How far.
        random: Draws each picture's angle, slant, size and place.

    Returns:
        The same shape, uint8, interpolated bilinearly.
    """
    height, width = pictures.shape[-2:]
    spread = torch.from_numpy(random.uniform(-1, 1, (5, len(pictures))).astype(np.float32))
    angle, slant = spread[0] * affine.degrees * pi / 180, torch.tan(spread[1] * affine.shear * pi / 180)
    size = 1 / (1 + spread[2] * affine.zoom)
    cosine, sine = size * angle.cos(), size * angle.sin()
    # From places in the result to places in the picture, in units of half a side each, which differ if it is no square.
    rows = [
        torch.stack([cosine, (slant * cosine - sine) * height / width, spread[3] * 2 * affine.shift], dim=1),
        torch.stack([sine * width / height, slant * sine + cosine, spread[4] * 2 * affine.shift], dim=1),
    ]
    shape = [len(pictures), pictures.shape[1], height, width]
    grid = F.affine_grid(torch.stack(rows, dim=1), shape, align_corners=False)
    return F.grid_sample(pictures.float(), grid, align_corners=False).round_().to(torch.uint8)
