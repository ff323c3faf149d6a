"""Networks by name: one family a file, built from parameters that were checked before."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

MODELS = {"upscaler": "uncrappify.models.upscaler:Upscaler", "unet": "uncrappify.models.unet:RestorationUNet"}


def build(name: str, options: dict[str, Any]) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        name: A key of ``MODELS``.
        options: Keyword arguments of the class.

    Returns:
        The network, with ``scale`` (output over input size) and ``receptive_radius`` (input pixels; nothing where it is
        larger than a tile) as attributes.

    Raises:
        KeyError: If there is no such model.
    """
    module, _, class_name = MODELS[name].partition(":")
    network: nn.Module = getattr(import_module(module), class_name)(**options)
    return network
