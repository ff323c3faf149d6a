"""Networks by name: one family a file, built from parameters that were checked before."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

MODELS = {"upscaler": "uncrappify.models.upscaler:Upscaler", "unet": "uncrappify.models.unet:RestorationUNet"}
SEGMENTERS = {"unet": "uncrappify.models.unet:DynamicUNet"}


def build(name: str, options: dict[str, Any]) -> nn.Module:
    """Build a network that restores pictures, with fresh weights.

    Args:
        name: A key of ``MODELS``.
        options: Keyword arguments of the class.

    Returns:
        The network, with ``scale`` (output over input size) and ``receptive_radius`` (input pixels; nothing where it is
        larger than a tile) as attributes.

    Raises:
        KeyError: If there is no such model.
    """
    return _built(MODELS[name], options)


def build_segmenter(name: str, options: dict[str, Any], classes: int) -> nn.Module:
    """Build a network that gives every pixel's classes, with fresh weights.

    Args:
        name: A key of ``SEGMENTERS``.
        options: Keyword arguments of the class.
        classes: How many.

    Returns:
        The network, from (N, 3, H, W) in 0..1 to logits (N, classes, H, W).

    Raises:
        KeyError: If there is no such model.
    """
    return _built(SEGMENTERS[name], options | {"out_channels": classes})


def _built(place: str, options: dict[str, Any]) -> nn.Module:
    module, _, class_name = place.partition(":")
    network: nn.Module = getattr(import_module(module), class_name)(**options)
    return network
