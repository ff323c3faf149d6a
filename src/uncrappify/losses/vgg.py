"""The lesson's feature network: torchvision's VGG-16 with batch norm, from a weight file that exists already."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import VGG16_BN_Weights
from torchvision.models.vgg import cfgs, make_layers

from uncrappify.errors import UserError

#: ImageNet's, which torchvision's networks were trained with, on values in 0..1.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
WEIGHTS = VGG16_BN_Weights.IMAGENET1K_V1
FILE = WEIGHTS.url.rpartition("/")[2]


class VGG(nn.Module):
    """The convolutions of VGG-16-BN (Simonyan and Zisserman 2014) up to the last requested layer.

    Args:
        layers: Indices into torchvision's ``vgg16_bn().features``, 0 to 43, in ascending order. 5, 12, 22, 32 and 42
            are the ReLUs before the five poolings: 64, 128, 256, 512, 512 channels at strides 1, 2, 4, 8, 16.

    Raises:
        UserError: If the weight file is missing or damaged.
    """

    def __init__(self, layers: Sequence[int]) -> None:
        super().__init__()
        self.layers = frozenset(layers)
        features = make_layers(cfgs["D"], batch_norm=True)
        features.load_state_dict(_read_weights())
        self.features = features[: max(layers) + 1]
        for module in self.features:
            if isinstance(module, nn.ReLU):
                # In place, it would overwrite the activations of the layer before it.
                module.inplace = False

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the layers' activations, (N, C, H / stride, W / stride) each, of normalised pictures (N, 3, H, W)."""
        found = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.layers:
                found.append(x)
        return found


def find_weights_file() -> Path:
    """Find the weight file in torchvision's cache; it is never downloaded.

    Returns:
        The file.

    Raises:
        UserError: If it does not exist.
    """
    file: Path = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    if not file.is_file():
        raise UserError(
            f"The feature loss with vgg16_bn needs torchvision's ImageNet weights, 528 MB, and there is no {file}. "
            "Bring them with python -c \"import torchvision; torchvision.models.vgg16_bn(weights='DEFAULT')\", or copy "
            f"{FILE} to <folder>/hub/checkpoints and set TORCH_HOME=<folder>, or take the loss's other backend, "
            "efficientnet_lite0, whose weights are installed."
        )
    return file


def _read_weights() -> dict[str, Tensor]:
    """Read the convolutions' weights from the file."""
    file = find_weights_file()
    try:
        state = torch.load(file, weights_only=True, map_location="cpu")
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise UserError(f"{file} is not a whole weight file. Remove it and bring it again.") from error
    prefix = "features."
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
