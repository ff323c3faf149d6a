"""A trained model that says which class a picture belongs to."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from uncrappify.datasets.description import ClassificationDescription
from uncrappify.errors import UserError
from uncrappify.inference.predictor import Predictor
from uncrappify.inference.results import Request, Result
from uncrappify.memory import freed_is_kept
from uncrappify.pictures import fit_picture, to_rgb

if TYPE_CHECKING:
    from uncrappify.pictures.original import Original

BATCH_PIXELS = 500 * 28 * 28
"""Of the pictures that are looked at at once."""

_PLACES = ("", "second_", "third_")


class Classifier(Predictor[ClassificationDescription]):
    """From a picture to the names of classes, with probabilities.

    Args:
        network: Maps (N, C, h, w) in 0..1 to logits (N, classes).
        description: What is known about the model; ``classes``, ``size`` and the number of channels count.
    """

    kind = "classification"
    purpose = "classify pictures"
    output_shape = (-1, -1)
    output_type = "float32"
    instead = ""
    table = "classes"

    def __repr__(self) -> str:
        return f"Classifier({self.description.model}, {len(self.description.classes)} classes)"

    @overload
    def __call__(self, picture: Image.Image) -> dict[str, float]: ...
    @overload
    def __call__(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]: ...
    def __call__(self, picture: Image.Image | npt.NDArray[np.uint8]) -> dict[str, float] | npt.NDArray[np.float32]:
        """Say which class a picture belongs to.

        Args:
            picture: A Pillow picture of any mode and size, read as those for training are, or an array (H, W, 3),
                uint8, RGB.

        Returns:
            Of a Pillow picture the name of each class and its probability, the most probable first; of an array the
            probabilities, float32 (classes,), in the order of ``description.classes``.
        """
        given = Image.fromarray(picture) if isinstance(picture, np.ndarray) else to_rgb(picture)
        pixels = fit_picture(given, self.description.size, self.description.channels)
        probabilities = self.compute_probabilities(torch.tensor(pixels)[None])[0]
        if isinstance(picture, np.ndarray):
            return probabilities.numpy()
        names, order = self.description.classes, probabilities.argsort(descending=True, stable=True)
        return {names[number]: float(probabilities[number]) for number in order}

    @classmethod
    def check_request(cls, request: Request) -> None:
        """Refuse what is said of pictures: a table is all that is written. A mirrored 2 is no 2, hence no ``tta``."""
        request.refuse(cls.purpose, "format", "quality", "tile", "scale_to", "tta")

    def process(self, original: Original, request: Request) -> Result:
        """Write the most probable class with its probability, and the next two."""
        picture = original.as_rgb()
        first = list(islice(self(picture).items(), len(_PLACES)))
        row = {}
        for place, (name, probability) in zip(
            _PLACES, [*first, *[("", None)] * (len(_PLACES) - len(first))], strict=True
        ):
            row[f"{place}class"] = name
            row[f"{place}probability"] = "" if probability is None else f"{probability:.4f}"
        return Result(row=row, show=lambda: picture, notes=original.notes)

    @torch.inference_mode()
    def compute_probabilities(self, pixels: Tensor) -> Tensor:
        """Compute the probability of each class.

        Args:
            pixels: Pictures of the network's own size and number of channels: (N, C, h, w), uint8.

        Returns:
            (N, classes), float32, on the CPU; each row's sum is 1.

        Raises:
            UserError: If the network's output is no number.
        """
        weights = next(self.network.parameters())
        batch_size = max(1, BATCH_PIXELS // (pixels.shape[-2] * pixels.shape[-1]))
        with freed_is_kept(weights.device.type):
            logits = [
                self.network(batch.to(weights.device, weights.dtype, memory_format=torch.channels_last) / 255).cpu()
                for batch in torch.split(pixels, batch_size)
            ]
        found = torch.cat(logits).float()
        if not found.isfinite().all():
            raise UserError("the network's output holds values that are not numbers: its weights are damaged.")
        return found.softmax(1)
