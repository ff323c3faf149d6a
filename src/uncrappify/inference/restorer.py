"""A trained model that undoes damage, ready for use on any picture."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import nn

from uncrappify.datasets.description import RestorationDescription
from uncrappify.inference.predictor import Predictor
from uncrappify.inference.tiled import predict_picture
from uncrappify.pictures import to_rgb

P = TypeVar("P", Image.Image, npt.NDArray[np.uint8])


class Restorer(Predictor[RestorationDescription]):
    """From a bad picture to a good one.

    Args:
        network: Maps (N, 3, h, w) in 0..1 to (N, 3, h * scale, w * scale).
        description: What is known about the model.

    Attributes:
        scale: How many times larger the output is than the input.
    """

    kind = "restoration"
    purpose = "restore pictures"
    output_shape = (-1, -1, -1, 3)

    def __init__(self, network: nn.Module, description: RestorationDescription) -> None:
        super().__init__(network, description)
        self.scale = description.scale

    def __repr__(self) -> str:
        return f"Restorer({self.description.model}, x{self.scale})"

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
