"""How close one picture is to another, on whole 8-bit RGB pictures."""

import numpy as np
from numpy.typing import NDArray

PSNR_CAP = 100.0
SSIM_RADIUS = 5
PIXELS_AT_ONCE = 1 << 16

Pixels = NDArray[np.uint8]


def psnr(prediction: Pixels, target: Pixels) -> float:
    """Peak signal-to-noise ratio of the whole 8-bit RGB picture, in dB; higher is better.

    ``10 log10(255^2 / MSE)``, the MSE over all pixels and the three channels alike, no border dropped (torchmetrics).
    The metric ``psnr`` of a run is the mean over pictures of this value.

    Capped at 100 dB: identical pictures have an infinite PSNR, and one of them would make the mean over pictures
    infinite. 100 dB is one value in 150,000 off by one step, so nothing that is visible is lost.

    Args:
        prediction: The picture to judge, uint8 (H, W, 3).
        target: What it should be, uint8 (H, W, 3).

    Returns:
        Decibels, 0 (black against white) to 100 (identical).

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio

    _check(prediction, target)
    first, second = (torch.from_numpy(picture.astype(np.float32)) for picture in (prediction, target))
    return min(float(peak_signal_noise_ratio(first, second, data_range=255.0)), PSNR_CAP)


def ssim(prediction: Pixels, target: Pixels) -> float:
    """Structural similarity (Wang et al. 2004) of the whole 8-bit RGB picture; higher is better.

    Gaussian window of 11x11 with sigma 1.5, K1 = 0.01, K2 = 0.03, data range 255, borders mirrored, mean over all
    pixels and the three channels: torchmetrics' ``structural_similarity_index_measure``, computed strip by strip so
    that a photograph of 24 megapixels fits into memory. Single precision, which is up to 0.001 off where a picture is
    flat and bright; double precision takes forty times as long.
    The metric ``ssim`` of a run is the mean over pictures of this value.

    Args:
        prediction: The picture to judge, uint8 (H, W, 3), any size from 1x1.
        target: What it should be, uint8 (H, W, 3).

    Returns:
        -1 to 1; 1 for identical pictures.

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    _check(prediction, target)
    height, width, channels = target.shape
    border = ((SSIM_RADIUS, SSIM_RADIUS), (SSIM_RADIUS, SSIM_RADIUS), (0, 0))
    # numpy mirrors a picture that is smaller than the window several times over, where torch refuses.
    first, second = (np.pad(picture, border, mode="reflect") for picture in (prediction, target))
    rows = max(1, PIXELS_AT_ONCE // width)
    strips = [slice(top, min(top + rows, height) + 2 * SSIM_RADIUS) for top in range(0, height, rows)]
    total = sum(_ssim_sum(first[strip], second[strip]) for strip in strips)
    return float(total / (height * width * channels))


def _ssim_sum(prediction: Pixels, target: Pixels) -> float:
    """Sum of the SSIM map of pictures that carry a border of ``SSIM_RADIUS`` pixels, without that border."""
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    first, second = (
        torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None] for picture in (prediction, target)
    )
    similarity = structural_similarity_index_measure(
        first, second, gaussian_kernel=True, sigma=1.5, kernel_size=11, data_range=255.0, return_full_image=True
    )
    inner = slice(SSIM_RADIUS, -SSIM_RADIUS)
    return float(similarity[1][..., inner, inner].double().sum())


def _check(prediction: Pixels, target: Pixels) -> None:
    if prediction.shape != target.shape:
        raise ValueError(f"the prediction is {prediction.shape} and its target {target.shape}: sizes must be equal")
    if target.ndim != 3 or target.shape[2] != 3 or 0 in target.shape:
        raise ValueError(f"metrics need RGB pictures (H, W, 3), got {target.shape}")
    if prediction.dtype != np.uint8 or target.dtype != np.uint8:
        raise ValueError(f"metrics need 8-bit pictures, got {prediction.dtype} and {target.dtype}")
