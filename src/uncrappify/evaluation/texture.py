"""Realism: how like the texture of restored pictures is to that of good ones, whichever picture it is in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.image.fid import _compute_fid

from uncrappify.models.encoders import MEAN, STD

TEXTURE_STAGES = (1, 2)
"""Stages of an EfficientNet-Lite whose activations are texture: strides 4 and 8, 24 and 40 channels."""


class TextureStatistics:
    """Mean and covariance of an encoder's activations over all positions of any number of pictures.

    Two of these make the metric ``texture_distance``: the Frechet distance (Heusel et al. 2017, whose Inception network
    sees whole pictures instead) between the activations in two sets of pictures, each position a sample, mean over the
    encoder's stages. It does not ask which detail is where: invented detail costs nothing if it looks like that of
    good pictures, and what is blurred is far from them.

    Only sums are kept, in double precision on the CPU, so the order of pictures and how they are batched do not matter.

    Example:
        >>> encoder = freeze(build_encoder("efficientnet_lite0", TEXTURE_STAGES))
        >>> good, restored = TextureStatistics(encoder), TextureStatistics(encoder)
        >>> for prediction, target in batches:
        ...     restored.update(prediction)
        ...     good.update(target)
        >>> restored.distance(good)

    Args:
        encoder: Maps RGB (N, 3, H, W), normalised by :data:`~uncrappify.models.encoders.MEAN` and ``STD``, to a list of
            activations (N, C, h, w); in eval mode, on the device of the pictures.
    """

    def __init__(self, encoder: Callable[[Tensor], list[Tensor]]) -> None:
        self.encoder = encoder
        self._stages: list[_Sums] = []

    @torch.no_grad()
    def update(self, pictures: Tensor) -> None:
        """Count pictures in, in single precision also within a mixed-precision training.

        Args:
            pictures: (N, 3, H, W), RGB; values outside 0..1 are clipped, as they are in a picture.
        """
        with torch.autocast(pictures.device.type, enabled=False):
            self.add(self.encoder((pictures.float().clamp(0, 1) - MEAN) / STD))

    @torch.no_grad()
    def add(self, stages: Sequence[Tensor]) -> None:
        """Count pictures in whose activations are there already.

        Args:
            stages: Activations (N, C, h, w), those of each stage.
        """
        if not self._stages:
            self._stages = [_Sums.zeros(stage.shape[1]) for stage in stages]
        for sums, stage in zip(self._stages, stages, strict=True):
            sums.add(stage)

    def distance(self, other: TextureStatistics) -> float:
        """Compute the Frechet distance between the two sets of activations, mean over the stages.

        ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`` of the Gaussians with each set's mean and sample covariance.

        Args:
            other: Of the same encoder.

        Returns:
            0 (the same texture) or more; the same from either side.

        Raises:
            ValueError: If one of them has no pictures yet.
        """
        if not self._stages or not other._stages:
            raise ValueError("there are no pictures whose texture could be compared")
        pairs = zip(self._stages, other._stages, strict=True)
        each = [float(_compute_fid(*mine.estimate(), *theirs.estimate())) for mine, theirs in pairs]
        # Of equal sets, rounding leaves some 1e-12 on either side of zero.
        return max(0.0, sum(each) / len(each))


@dataclass
class _Sums:
    """Number of samples, their sum (C) and the sum of their outer products (C, C)."""

    number: int
    total: Tensor
    products: Tensor

    @classmethod
    def zeros(cls, channels: int) -> _Sums:
        return cls(0, torch.zeros(channels).double(), torch.zeros(channels, channels).double())

    def add(self, activations: Tensor) -> None:
        # Single precision would lose the variance of a channel whose mean is large.
        samples = activations.movedim(1, -1).flatten(0, -2).double()
        self.number += len(samples)
        self.total += samples.sum(0).cpu()
        self.products += (samples.mT @ samples).cpu()

    def estimate(self) -> tuple[Tensor, Tensor]:
        """Estimate mean and covariance; that of one sample is 0."""
        mean = self.total / self.number
        covariance = self.products - self.number * torch.outer(mean, mean)
        return mean, covariance / max(1, self.number - 1)
