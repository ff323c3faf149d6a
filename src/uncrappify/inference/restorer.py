"""A trained model, ready for use on any picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from uncrappify.datasets.weights import TrainedModel, read_weights
from uncrappify.errors import UserError
from uncrappify.inference.tiled import predict_picture
from uncrappify.models import MODELS, build
from uncrappify.pictures import to_rgb

P = TypeVar("P", Image.Image, npt.NDArray[np.uint8])


class Restorer:
    """From a bad picture to a good one.

    Args:
        network: Maps (N, 3, h, w) in 0..1 to (N, 3, h * scale, w * scale).
        description: What is known about the model.

    Attributes:
        scale: How many times larger the output is than the input.
    """

    def __init__(self, network: nn.Module, description: dict[str, Any]) -> None:
        self.network = network.eval()
        self.description = description
        self.scale = int(description["scale"])

    @classmethod
    def load(cls, path: Path) -> Restorer:
        """Load a weights file.

        Raises:
            UserError: If the file is missing, cut short, or not one of this project's.
        """
        return cls.from_trained(read_weights(path))

    @classmethod
    def from_trained(cls, model: TrainedModel) -> Restorer:
        """Build the network that the description names, with its weights, on the GPU where there is one.

        Raises:
            UserError: If this version of the project does not know the model.
        """
        if model.description.get("task") == "segmentation":
            raise UserError("These weights segment pictures and do not restore them: load them by uncrappify.load.")
        name = model.description["model"]
        if name not in MODELS:
            raise UserError(
                f"These weights belong to a model {name!r}, which this version of uncrappify does not have "
                f"(it has {', '.join(MODELS)}). Update uncrappify."
            )
        network = build(name, model.description["options"])
        network.load_state_dict(model.state)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(network.to(device, memory_format=torch.channels_last), model.description)  # type: ignore[call-overload]

    def __repr__(self) -> str:
        return f"Restorer({self.description['model']}, x{self.scale})"

    def __call__(self, picture: P) -> P:
        """Restore a picture.

        Args:
            picture: A Pillow picture of any mode, read as those for training are (turned upright, alpha over white, 16
                bits to 8), or an array (H, W, 3), uint8, RGB.

        Returns:
            The restored picture in the same form, ``scale`` times as large.
        """
        if isinstance(picture, np.ndarray):
            return np.asarray(predict_picture(self.network, Image.fromarray(picture)))
        return predict_picture(self.network, to_rgb(picture))
