"""Metrics of the similarity of two pictures, on whole 8-bit RGB pictures."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

STRIP = 512
"""Rows that are compared at once."""

PSNR_CAP = 100.0
SSIM_RADIUS = 5
PIXELS_AT_ONCE = 1 << 16

Pixels = NDArray[np.uint8]


def psnr(prediction: Pixels, target: Pixels) -> float:
    """Peak signal-to-noise ratio of the whole 8-bit RGB picture, in dB; higher is better.

    ``10 log10(255^2 / MSE)``, the MSE over all pixels and the three channels alike, no border dropped (torchmetrics).
    The metric ``psnr`` of a run is the mean over pictures of this value.

    Capped at 100 dB: identical pictures have an infinite PSNR, and one of them would make the mean over pictures
    infinite. At 100 dB, one value in 150,000 is off by one, which is not visible.

    Args:
        prediction: The picture to judge, uint8 (H, W, 3).
        target: What it should be, uint8 (H, W, 3).

    Returns:
        Decibels, 0 (black against white) to 100 (identical).

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    import torch
    from torchmetrics.image import PeakSignalNoiseRatio

    check(prediction, target)
    metric = PeakSignalNoiseRatio(data_range=255.0)
    for top in range(0, len(target), STRIP):
        # A part at a time: a large picture has no room for two more copies in floats.
        metric.update(*(torch.from_numpy(part[top : top + STRIP].astype(np.float32)) for part in (prediction, target)))
    return min(float(metric.compute()), PSNR_CAP)


def psnr_by_part(prediction: Pixels, target: Pixels, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """PSNR (:func:`psnr`) of the pixels inside a mask, and of those outside, in dB.

    With a mask of where text was (:meth:`uncrappify.degradations.Recipe.mark_text`) these are ``psnr_in_text`` and
    ``psnr_outside_text``; a run's metrics are means over pictures of the mean over draws. ``psnr_gain_in_text`` and
    ``psnr_gain_outside_text`` are such means of the difference to bicubic enlargement of the same draw.

    Args:
        prediction: The picture to judge, uint8 (H, W, 3).
        target: What it should be, uint8 (H, W, 3).
        inside: (H, W).

    Returns:
        Decibels, at most 100, inside and outside; NaN for a part without pixels.

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    check(prediction, target)
    if inside.shape != target.shape[:2]:
        raise ValueError(f"the mask is {inside.shape} and the picture {target.shape[:2]}: sizes must be equal")
    within, total = 0.0, 0.0
    for top in range(0, len(target), STRIP):
        strip = slice(top, top + STRIP)
        # Whole numbers, which no sum rounds.
        difference = np.subtract(prediction[strip], target[strip], dtype=np.int32)
        squares = np.einsum("ijk,ijk->ij", difference, difference)
        total += float(squares.sum(dtype=np.int64))
        within += float(squares[inside[strip]].sum(dtype=np.int64))
    number = int(inside.sum())
    return _decibels(within, number), _decibels(total - within, inside.size - number)


def _decibels(squares: float, pixels: int) -> float:
    if not pixels:
        return float("nan")
    return min(10 * math.log10(255**2 * 3 * pixels / squares), PSNR_CAP) if squares else PSNR_CAP


def ssim(prediction: Pixels, target: Pixels) -> float:
    """Structural similarity (Wang et al. 2004) of the whole 8-bit RGB picture; higher is better.

    :func:`mean_ssim` with borders mirrored, so that it is the mean over all pixels, and over the three channels:
    torchmetrics' ``structural_similarity_index_measure``, in double precision.
    The metric ``ssim`` of a run is the mean over pictures of this value.

    Args:
        prediction: The picture to judge, uint8 (H, W, 3), any size from 1x1.
        target: What it should be, uint8 (H, W, 3).

    Returns:
        -1 to 1; 1 for identical pictures.

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    check(prediction, target)
    border = ((SSIM_RADIUS, SSIM_RADIUS), (SSIM_RADIUS, SSIM_RADIUS), (0, 0))
    # numpy mirrors a picture that is smaller than the window several times over, where torch refuses.
    first, second = (np.pad(picture, border, mode="reflect") for picture in (prediction, target))
    return mean_ssim(first, second)


def mean_ssim(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Mean of the SSIM map over the positions whose window lies inside the picture, as in Wang's MATLAB code.

    Gaussian window of 11x11 with sigma 1.5, K1 = 0.01, K2 = 0.03, data range 255 (scikit-image, whose separable
    filters are three times as fast as torchmetrics' window); strip by strip, so that a photograph of 24 megapixels
    fits into memory.

    Args:
        first: (H, W, C), 0 to 255, at least 11 by 11 pixels.
        second: As ``first``, of the same shape.

    Returns:
        -1 to 1.
    """
    from skimage.metrics import structural_similarity

    height, width = (side - 2 * SSIM_RADIUS for side in first.shape[:2])
    rows = max(1, PIXELS_AT_ONCE // width)
    total = 0.0
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = slice(top, bottom + 2 * SSIM_RADIUS)
        similarity: float = structural_similarity(  # type: ignore[no-untyped-call]
            first[strip],
            second[strip],
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        total += similarity * (bottom - top)
    return float(total / height)


def gradient_energy(picture: Pixels) -> NDArray[np.float64]:
    """Squared gradients of the luminance, a measure of local detail.

    Args:
        picture: uint8 (H, W, 3).

    Returns:
        (H, W): squared difference to the pixel below plus that to the pixel on the right, of Pillow's 8-bit grey
        (ITU-R 601); 0 towards the outside.
    """
    grey = np.pad(np.asarray(Image.fromarray(picture).convert("L"), dtype=np.float64), ((0, 1), (0, 1)), mode="edge")
    return np.diff(grey, axis=0)[:, :-1] ** 2 + np.diff(grey, axis=1)[:-1] ** 2


def gradient_energy_ratio(prediction: Pixels, target: Pixels) -> float:
    """Amount of fine detail relative to the target, right or wrong: 1 is equal, less is blurred, more is noisy.

    Sum of squared luminance gradients (:func:`gradient_energy`) of the prediction over that of the target.
    The metric ``gradient_energy_ratio`` of a run is the mean over pictures of this value.

    Args:
        prediction: The picture to judge, uint8 (H, W, 3).
        target: What it should be, uint8 (H, W, 3).

    Returns:
        0 or more; NaN where the target has one luminance everywhere.

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    check(prediction, target)
    there, wanted = (float(gradient_energy(picture).sum()) for picture in (prediction, target))
    return there / wanted if wanted else float("nan")


def check(prediction: Pixels, target: Pixels) -> None:
    """Check that two pictures can be compared.

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"the prediction is {prediction.shape} and its target {target.shape}: sizes must be equal")
    if target.ndim != 3 or target.shape[2] != 3 or 0 in target.shape:
        raise ValueError(f"metrics need RGB pictures (H, W, 3), got {target.shape}")
    if prediction.dtype != np.uint8 or target.dtype != np.uint8:
        raise ValueError(f"metrics need 8-bit pictures, got {prediction.dtype} and {target.dtype}")
