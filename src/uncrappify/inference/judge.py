"""A trained critic, ready to judge any picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from uncrappify.datasets.description import CriticDescription
from uncrappify.errors import UserError
from uncrappify.inference.predictor import Predictor
from uncrappify.models.parameters import CriticOptions
from uncrappify.pictures import to_rgb

PART = 512
"""Largest side of what is judged at once."""


class Judge(Predictor[CriticDescription]):
    """From a picture to how real it looks.

    Args:
        network: Maps (N, 3, H, W) in 0..1 to logits (N, h, w).
        description: What is known about the model.
    """

    kind = "critic"
    purpose = "say how real pictures look"
    output_shape = (-1,)
    output_type = "float32"

    def __repr__(self) -> str:
        return f"Judge({self.description.model})"

    @torch.inference_mode()
    def __call__(self, picture: Image.Image | npt.NDArray[np.uint8]) -> float | npt.NDArray[np.float32]:
        """Say how real a picture looks.

        Args:
            picture: A Pillow picture of any mode and size, or an array (H, W, 3), uint8, RGB.

        Returns:
            Share of its parts that look real, 0 to 1; of an array as float32 without axes.

        Raises:
            UserError: If the picture is smaller than what the critic looks at, or its output is no number.
        """
        pixels = picture if isinstance(picture, np.ndarray) else np.asarray(to_rgb(picture))
        smallest = CriticOptions(blocks=self.description.options["blocks"]).smallest
        if min(pixels.shape[:2]) < smallest:
            height, width = pixels.shape[:2]
            raise UserError(f"this critic judges pictures of at least {smallest} pixels a side, not {width}x{height}.")
        weights = next(self.network.parameters())
        verdicts: list[npt.NDArray[np.bool_]] = []
        for part in _cut(pixels, smallest):
            tensor = torch.from_numpy(part.copy()).permute(2, 0, 1)[None].to(weights.device, weights.dtype) / 255
            logits = self.network(tensor).float().cpu()
            if not logits.isfinite().all():
                raise UserError("the network's output holds values that are not numbers: its weights are damaged.")
            verdicts.append((logits > 0).numpy().ravel())
        share = float(np.concatenate(verdicts).mean())
        return np.array(share, dtype=np.float32) if isinstance(picture, np.ndarray) else share


def _cut(pixels: npt.NDArray[np.uint8], smallest: int) -> list[npt.NDArray[np.uint8]]:
    """Cut a picture into parts that are judged one after the other; a rest that is too small goes to the one before."""
    edges = [
        [*(edge for edge in range(0, side, PART) if edge == 0 or side - edge >= smallest), side]
        for side in pixels.shape[:2]
    ]
    return [
        pixels[top:bottom, left:right]
        for top, bottom in zip(edges[0], edges[0][1:], strict=False)
        for left, right in zip(edges[1], edges[1][1:], strict=False)
    ]
