"""Pictures with transparent parts: what their colours are where nobody sees them, and planes in another size."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from uncrappify.pictures.original import Samples

Floats = npt.NDArray[np.float32]


def spread_colours(samples: Samples, opacity: Samples) -> Samples:
    """Give pixels that are wholly transparent the colours around them.

    What a file has there is often black or left over, and a network would draw it into the pixels beside. Each gets the
    mean of the smallest block (of 2, 4, 8 ... pixels) in which something is to be seen.

    Args:
        samples: (H, W, channels).
        opacity: (H, W).

    Returns:
        As ``samples``, which are left as they are.
    """
    seen = (opacity > 0)[..., None]
    if seen.all() or not seen.any():
        return samples
    weights: Floats = seen.astype(np.float32)
    sums: Floats = samples * weights
    levels = []
    while max(sums.shape[:2]) > 1:
        levels.append((sums, weights))
        sums, weights = _halve(sums), _halve(weights)
    filled = sums / weights
    for sums, weights in reversed(levels):
        large = filled.repeat(2, 0).repeat(2, 1)[: sums.shape[0], : sums.shape[1]]
        filled = np.where(weights > 0, sums / np.maximum(weights, 1), large)
    return np.where(seen, samples, np.rint(filled).astype(samples.dtype))


def resize_samples(samples: Samples, size: tuple[int, int]) -> Samples:
    """Bring samples to another size by Lanczos' filter.

    Args:
        samples: (H, W) or (H, W, channels), uint8 or uint16.
        size: Width and height.

    Returns:
        The same number of axes, and the same type.
    """
    if size == (samples.shape[1], samples.shape[0]):
        return samples
    if samples.ndim == 3:
        planes: Any = [resize_samples(samples[..., channel], size) for channel in range(samples.shape[2])]
        stacked: Samples = np.stack(planes, axis=-1)
        return stacked
    plane = Image.fromarray(np.ascontiguousarray(samples) if samples.dtype == np.uint8 else samples.astype(np.float32))
    resized: Any = np.asarray(plane.resize(size, Image.Resampling.LANCZOS))
    if samples.dtype == np.uint8:
        bytes_: Samples = resized
        return bytes_
    words: Samples = np.rint(resized.clip(0, 65535)).astype(np.uint16)
    return words


def _halve(planes: Floats) -> Floats:
    """Add each 2x2 pixels up."""
    height, width = (side + side % 2 for side in planes.shape[:2])
    padded = np.pad(planes, ((0, height - planes.shape[0]), (0, width - planes.shape[1]), (0, 0)))
    blocks: Floats = padded.reshape(height // 2, 2, width // 2, 2, -1).sum((1, 3))
    return blocks
