"""Losses by name, and their weighted sum."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from uncrappify.losses.parameters import FeatureOptions

LOSSES = {
    "l1": "uncrappify.losses.pixel:l1",
    "l1_y": "uncrappify.losses.pixel:l1_y",
    "mse": "uncrappify.losses.pixel:mse",
    "charbonnier": "uncrappify.losses.pixel:charbonnier",
    "feature": "uncrappify.losses.feature:FeatureLoss",
}


class WeightedLoss:
    """A weighted sum of losses, whose terms are returned separately for logging.

    It is not an ``nn.Module``, so that a loss's network is neither part of the model's checkpoint nor averaged with it.

    Args:
        terms: Pairs of loss name (a key of ``LOSSES``) and weight, or options for a loss that has more than a weight.

    Raises:
        KeyError: If there is no such loss.
        UserError: If a loss needs a network whose weights are not installed.
    """

    def __init__(self, terms: list[tuple[str, float | FeatureOptions]]) -> None:
        self.terms: list[tuple[str, Callable[[Tensor, Tensor], Any], float]] = []
        self._device: torch.device | None = None
        for name, options in terms:
            module, _, attribute = LOSSES[name].partition(":")
            loss = getattr(import_module(module), attribute)
            if isinstance(options, int | float):
                self.terms.append((name, loss, options))
            else:
                self.terms.append((name, loss(**options.model_dump(exclude={"weight"})), options.weight))

    def __call__(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compare a prediction with its target.

        Args:
            prediction: (N, C, H, W), around 0..1.
            target: (N, C, H, W), in 0..1.

        Returns:
            Name to weighted value (a scalar each): of the loss, or of each term of a loss that has several; their sum
            is the loss.
        """
        self._move_to(prediction.device)
        values: dict[str, Tensor] = {}
        for name, loss, weight in self.terms:
            found = loss(prediction, target)
            parts = found if isinstance(found, dict) else {name: found}
            values |= {part: weight * value for part, value in parts.items()}
        return values

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        """Return the same object: the networks never change, so copies such as the moving average share them."""
        return self

    def _move_to(self, device: torch.device) -> None:
        """Move the networks to the device of the pictures."""
        if device != self._device:
            for loss in (loss for _, loss, _ in self.terms if hasattr(loss, "to")):
                loss.to(device)
            self._device = device
