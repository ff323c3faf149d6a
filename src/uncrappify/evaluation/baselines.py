"""Baselines without a network: the degraded picture, enlarged by interpolation with a standard kernel."""

from PIL import Image

# Pillow's kernels and never torch's F.interpolate: its bicubic (a = -0.75, no anti-aliasing) is not the field's
# (a = -0.5, MATLAB's), and scores differently by 0.2 dB and more, which would falsify every gain.
_KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
BASELINES = tuple(_KERNELS)


def enlarge(picture: Image.Image, size: tuple[int, int], method: str) -> Image.Image:
    """Enlarge a degraded picture to its target's size; a picture that already has that size is copied unchanged.

    Args:
        picture: The degraded picture.
        size: Width and height of the target, in pixels.
        method: One of ``BASELINES``.

    Returns:
        The enlarged picture, a copy.

    Raises:
        ValueError: If the method is unknown.
    """
    if method not in _KERNELS:
        raise ValueError(f"no baseline {method!r}; known are {', '.join(BASELINES)}")
    return picture.resize(size, _KERNELS[method])
