"""Dropout that costs a CPU little."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Dropout(nn.Module):
    """Leave out activations, as PyTorch's dropout does, which on a CPU takes a quarter of a small transformer's step.

    A byte decides for each activation, in the place of a float of double precision.

    Args:
        share: Of the activations that are left out, to the nearest of 256 steps; what is above 0 and below 1 stays so.

    Raises:
        ValueError: If it is below 0, or 1 or more.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"dropout leaves out a share from 0 to below 1, got {share}")
        self.left_out = min(max(round(256 * share), share > 0), 255)

    def forward(self, h: Tensor) -> Tensor:
        """Leave some out in training, and enlarge the others, so that the mean stays."""
        if not self.training or not self.left_out:
            return h
        if h.device.type != "cpu":
            return F.dropout(h, self.left_out / 256)
        drawn = torch.empty(-(-h.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = drawn.view(torch.uint8)[: h.numel()].view(h.shape) >= self.left_out
        return h * (kept.to(h.dtype) * (256 / (256 - self.left_out)))
