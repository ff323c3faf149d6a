"""Losses by name, and their weighted sum."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

LOSSES = {
    "l1": "uncrappify.losses.pixel:l1",
    "mse": "uncrappify.losses.pixel:mse",
    "charbonnier": "uncrappify.losses.pixel:charbonnier",
}


class WeightedLoss:
    """A weighted sum of losses that keeps its terms apart for the log.

    Args:
        terms: Pairs of loss name (a key of ``LOSSES``) and weight.
    """

    def __init__(self, terms: list[tuple[str, float]]) -> None:
        self.terms: list[tuple[str, Callable[[Tensor, Tensor], Tensor], float]] = []
        for name, weight in terms:
            module, _, function = LOSSES[name].partition(":")
            self.terms.append((name, getattr(import_module(module), function), weight))

    def __call__(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compare a prediction with its target.

        Args:
            prediction: (N, C, H, W), around 0..1.
            target: (N, C, H, W), in 0..1.

        Returns:
            Loss name to weighted value (a scalar each); their sum is the loss.
        """
        return {name: weight * function(prediction, target) for name, function, weight in self.terms}
