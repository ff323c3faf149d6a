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
    """A weighted sum of losses that keeps its terms apart for the log.

    No ``nn.Module``: a network that a loss brings along belongs neither to the model's checkpoint nor to its average.

    Args:
        terms: Pairs of loss name (a key of ``LOSSES``) and weight, or the options of a loss that has more.

    Raises:
        KeyError: If there is no such loss.
        UserError: If a loss needs a network whose weights are not there.
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
        self._follow(prediction.device)
        values: dict[str, Tensor] = {}
        for name, loss, weight in self.terms:
            found = loss(prediction, target)
            parts = found if isinstance(found, dict) else {name: found}
            values |= {part: weight * value for part, value in parts.items()}
        return values

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        """Share the networks, which never change, with copies of the training such as its moving average."""
        return self

    def _follow(self, device: torch.device) -> None:
        """Move the networks to where the pictures are."""
        if device != self._device:
            for loss in (loss for _, loss, _ in self.terms if hasattr(loss, "to")):
                loss.to(device)
            self._device = device
