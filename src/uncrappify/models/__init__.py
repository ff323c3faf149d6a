"""Networks by name: one family a file, built from parameters that were checked before."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

MODELS = {
    "restoration": {
        "upscaler": "uncrappify.models.upscaler:Upscaler",
        "unet": "uncrappify.models.unet:RestorationUNet",
    },
    "segmentation": {"unet": "uncrappify.models.unet:DynamicUNet"},
}
"""What a model is for, its name, and its class; a name, not an import: torch is loaded when a model is built."""


def build(kind: str, name: str, options: dict[str, Any]) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        kind: What it is for, a key of ``MODELS``. Of ``restoration`` comes (N, 3, H, W) in 0..1 to (N, 3, H * scale,
            W * scale), with ``scale`` and ``receptive_radius`` (input pixels; None where it is larger than a tile) as
            attributes; of ``segmentation`` the same to logits (N, classes, H, W).
        name: A key of ``MODELS[kind]``.
        options: Keyword arguments of the class.

    Raises:
        KeyError: If there is no such model.
    """
    module, _, class_name = MODELS[kind][name].partition(":")
    network: nn.Module = getattr(import_module(module), class_name)(**options)
    return network
