"""Samples of more than 8 bits: which of them is white, and the rounding to 8 bits."""

from typing import Any

import numpy as np
import numpy.typing as npt

from uncrappify.pictures.unusable import UnusablePicture

Samples = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]

_LOOKED_AT = 1_000_000
_BLOCK = 1 << 20
# A factor by which the brightest hundredth may pass white: sharpening and resampling overshoot.
_OVERSHOOT = 1.1
# Brighter than that share of white, the picture is not taken as nearly black.
_DIM = 1 / 16


def round_to_bytes(samples: Samples, black: float, white: float) -> Bytes:
    """Map ``black`` to 0 and ``white`` to 255, as :func:`round_to` does."""
    return round_to(np.uint8, samples, black, white)


def round_to(kind: type[np.uint8] | type[np.uint16], samples: Samples, black: float, white: float) -> Samples:
    """Map ``black`` to 0 and ``white`` to a type's largest, rounded; what lies beyond is clipped, and NaN is black.

    Args:
        kind: Type of what comes out; ``samples`` themselves are given where they are of it, with its whole range.
        samples: Any shape; any type of number.
        black: The sample that is black.
        white: The sample that is white; below ``black`` it turns the picture to its negative.

    Returns:
        The same shape.
    """
    largest = int(np.iinfo(kind).max)
    if samples.dtype == kind and (black, white) == (0, largest):
        return samples
    found = np.empty(samples.shape, kind)
    lines, theirs = samples.reshape(len(samples), -1), found.reshape(len(samples), -1)
    step = max(1, _BLOCK // max(1, lines.shape[1]))
    exact = np.float32 if samples.dtype.itemsize <= 2 else np.float64
    for first in range(0, len(lines), step):  # in blocks: the whole as 64-bit floats would take eight times the memory
        block: npt.NDArray[Any] = lines[first : first + step].astype(exact)
        np.nan_to_num(block, copy=False, nan=black, posinf=max(black, white), neginf=min(black, white))
        scaled = (block - exact(black)) * exact(largest / (white - black))
        theirs[first : first + step] = np.rint(scaled.clip(0, largest))
    return found


def divide_by_alpha(colours: Samples, opacity: Samples, white: int) -> Samples:
    """Undo that colours (H, W, channels), up to ``white``, were multiplied by alpha; where that is 0 they are black."""
    divisor = np.maximum(opacity, 1)[..., None].astype(np.float32)
    return np.rint(colours * (np.iinfo(opacity.dtype).max / divisor)).clip(0, white).astype(colours.dtype)


def guess_range(samples: Samples) -> tuple[float, float]:
    """Guess which samples are black and white, where a file's format does not say it: floats, and 32 bits and more.

    White is the smallest usual maximum (1 for floats, 255, 65535, the type's largest) that all but the brightest
    hundredth of the pixels keep to; for floats it may be the brightest tenth, so that highlights over 1, however
    bright, darken nothing. Infinities and NaN do not count. Where no usual maximum fits, the brightest hundredth of
    the pixels is white.

    Args:
        samples: Any shape.

    Returns:
        Black, which is 0 but for signed samples that use their type's whole range; and white.

    Raises:
        UnusablePicture: No sample is finite, or many are far below 0.
    """
    flat = samples.reshape(-1)
    looked_at = flat[:: max(1, flat.size // _LOOKED_AT)].astype(np.float64)
    looked_at = looked_at[np.isfinite(looked_at)]
    if not looked_at.size:
        raise UnusablePicture("not supported: samples without a finite value")
    low, most, high = np.quantile(looked_at, [0.01, 0.9, 0.99])
    floating = samples.dtype.kind == "f"
    largest = None if floating else float(np.iinfo(samples.dtype).max)
    if largest and low < 0 and max(-low, high) >= largest * _DIM:
        return -largest - 1, largest
    white = _guess_white(looked_at, float(most), float(high), floating, largest)
    if low < -0.1 * white:
        raise UnusablePicture("not supported: samples below 0")
    return 0.0, white


def _guess_white(
    values: npt.NDArray[np.float64], most: float, high: float, floating: bool, largest: float | None
) -> float:
    whole = values.max() > 1 and bool((values == np.rint(values)).all())
    usual = [1.0, 255.0, 65535.0] if floating and not whole else [255.0, 65535.0]
    for white, larger in zip(usual, [*usual[1:], np.inf], strict=True):
        if white > usual[0] and high < white * _DIM:
            break
        if high <= white * _OVERSHOOT or (floating and most <= white * _OVERSHOOT and high < larger * _DIM):
            return white
    if largest and high >= largest * _DIM:
        return largest
    return high
