"""The protocol of published super-resolution figures: luminance only, without the border.

With it, Pillow's bicubic on Set5 has the published 33.66 / 30.39 / 28.42 dB for x2 / x3 / x4. The target has to be
cropped to a multiple of the scale before it is reduced by MATLAB's bicubic (Pillow's is the same kernel).
"""

import math

import numpy as np
from numpy.typing import NDArray

from uncrappify.evaluation.metrics import PSNR_CAP, SSIM_RADIUS, Pixels, check, mean_ssim


def luminance(picture: Pixels) -> NDArray[np.float64]:
    """Luminance Y of BT.601 as published figures use it, ``16 + (65.481 R + 128.553 G + 24.966 B) / 255``, not rounded.

    Args:
        picture: uint8 (H, W, 3), RGB.

    Returns:
        (H, W), 16 to 235.
    """
    luma: NDArray[np.float64] = 16 + picture @ np.array([65.481, 128.553, 24.966]) / 255
    return luma


def psnr_y(prediction: Pixels, target: Pixels, scale: int) -> float:
    """PSNR by the protocol of published super-resolution figures, in dB; higher is better.

    ``10 log10(255^2 / MSE)`` of the 8-bit pictures' luminance, ``scale`` pixels dropped at each side. The metric
    ``psnr_y`` of a run is the mean over pictures of this value; ``psnr_y_bicubic`` is that of bicubic enlargement.

    Args:
        prediction: The picture to judge, uint8 (H, W, 3).
        target: What it should be, uint8 (H, W, 3).
        scale: How many times smaller the input was.

    Returns:
        Decibels, at most 100, as for ``psnr``; NaN for a picture that has no pixels inside the border.

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    first, second = _extract_luminance(prediction, target, scale)
    if not first.size:
        return math.nan
    error = float(np.square(first - second).mean())
    return min(10 * math.log10(255**2 / error), PSNR_CAP) if error else PSNR_CAP


def ssim_y(prediction: Pixels, target: Pixels, scale: int) -> float:
    """SSIM by the protocol of published super-resolution figures; higher is better.

    Wang et al. 2004 as their MATLAB code has it (:func:`uncrappify.evaluation.metrics.mean_ssim`: 11x11, sigma 1.5, no
    padding) on the 8-bit pictures' luminance, ``scale`` pixels dropped at each side. The metric ``ssim_y`` of a run is
    the mean over pictures of this value.

    Args:
        prediction: The picture to judge, uint8 (H, W, 3).
        target: What it should be, uint8 (H, W, 3).
        scale: How many times smaller the input was.

    Returns:
        -1 to 1; 1 for identical pictures; NaN for a picture that is smaller than the window without its border.

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    first, second = _extract_luminance(prediction, target, scale)
    if min(first.shape) <= 2 * SSIM_RADIUS:
        return math.nan
    return mean_ssim(first[..., None], second[..., None])


def _extract_luminance(
    prediction: Pixels, target: Pixels, scale: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute both pictures' luminance without the border."""
    check(prediction, target)
    inner = slice(scale, -scale)
    return luminance(prediction)[inner, inner], luminance(target)[inner, inner]
