"""Networks by name: one family a file, built from parameters that were checked before."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from uncrappify.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

MODELS = {
    "restoration": {
        "upscaler": "uncrappify.models.upscaler:Upscaler",
        "unet": "uncrappify.models.unet:RestorationUNet",
    },
    "segmentation": {"unet": "uncrappify.models.unet:DynamicUNet"},
    "classification": {
        "cnn": "uncrappify.models.classifiers:CNN",
        "conv_layer": "uncrappify.models.classifiers:ConvLayers",
        "resnet": "uncrappify.models.classifiers:ResNet",
        "densenet": "uncrappify.models.classifiers:DenseNet",
        "timm": "uncrappify.models.encoder_classifier:EncoderClassifier",
        "deep": "uncrappify.models.classifiers:Deep",
    },
    "critic": {"patches": "uncrappify.models.critic:Critic"},
    "language": {
        "unrolled": "uncrappify.models.language:Unrolled",
        "loop": "uncrappify.models.language:Loop",
        "every_step": "uncrappify.models.language:EveryStep",
        "carried": "uncrappify.models.language:Carried",
        "rnn": "uncrappify.models.language:RNN",
        "gru": "uncrappify.models.language:GRU",
        "awd_gru": "uncrappify.models.language:AWDGRU",
        "transformer": "uncrappify.models.language:Transformer",
    },
}
"""What a model is for, its name, and its class; a name, not an import: torch is loaded when a model is built."""


def build(kind: str, name: str, options: dict[str, Any]) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        kind: What it is for, a key of ``MODELS``. Of ``restoration`` comes (N, 3, H, W) in 0..1 to (N, 3, H * scale,
            W * scale), with ``scale`` and ``receptive_radius`` (input pixels; None where it is larger than a tile) as
            attributes; of ``segmentation`` the same to logits (N, classes, H, W); of ``classification``
            (N, in_channels, H, W) to logits (N, classes); of ``critic`` (N, 3, H, W) to logits (N, h, w);
            ``language`` is :class:`uncrappify.models.language.LanguageNetwork`.
        name: A key of ``MODELS[kind]``.
        options: Keyword arguments of the class.

    Raises:
        UserError: If this version of the project has no such network.
    """
    if name not in MODELS[kind]:
        raise UserError(
            f"These weights belong to a model {name[:100]!r}, which this version of uncrappify does not have (it has "
            f"{', '.join(MODELS[kind])}). Update uncrappify."
        )
    module, _, class_name = MODELS[kind][name].partition(":")
    network: nn.Module = getattr(import_module(module), class_name)(**options)
    return network


def outline(kind: str, name: str, options: dict[str, Any]) -> dict[str, Tensor]:
    """Give the weights of a network without their values, and without the memory that they take.

    Args:
        kind: As :func:`build` takes it.
        name: As :func:`build` takes it.
        options: As :func:`build` takes them.

    Returns:
        Name to a tensor on torch's device ``meta``, which has a shape and a type alone.

    Raises:
        UserError: If this version of the project has no such network, or none can be built from the options.
    """
    import torch

    try:
        with torch.device("meta"):
            return dict(build(kind, name, options).state_dict())
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"The options of these weights build no {name} ({str(error).partition(chr(10))[0]})."
        ) from error
