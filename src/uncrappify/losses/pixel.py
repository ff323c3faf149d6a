"""Losses by pixel."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of ``|prediction - target|``; any equal shapes to a scalar."""
    return F.l1_loss(prediction, target)


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of ``(prediction - target)**2``, which PSNR is the logarithm of; any equal shapes to a scalar."""
    return F.mse_loss(prediction, target)


def l1_y(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of ``|prediction - target|`` of the luminance Y of BT.601, as in ``psnr_y``; (N, 3, H, W) to a scalar.

    It does not constrain colours: combine it with another loss.
    """
    # For RGB in 0..1 and Y in 0..1.
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=prediction.dtype, device=prediction.device)
    return torch.einsum("nchw,c->nhw", prediction - target, weights).abs().mean()


def charbonnier(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of ``sqrt((prediction - target)**2 + 1e-6)``, an L1 that is smooth at 0 (Lai et al. 2017, LapSRN)."""
    return torch.sqrt((prediction - target) ** 2 + 1e-6).mean()
