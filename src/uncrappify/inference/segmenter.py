"""A trained model that says of every pixel of a picture which class it belongs to."""

from __future__ import annotations

from functools import partial
from math import sqrt
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor, nn

from uncrappify.datasets.description import SegmentationDescription
from uncrappify.errors import UserError
from uncrappify.inference.predictor import Predictor
from uncrappify.inference.results import Request, Result
from uncrappify.memory import freed_is_kept
from uncrappify.pictures import to_rgb
from uncrappify.pictures.masks import Classes, Labels, as_picture
from uncrappify.pictures.saving import Encoded, encode_picture

if TYPE_CHECKING:
    from uncrappify.pictures.original import Original

P = TypeVar("P", Image.Image, npt.NDArray[np.uint8])
SMALLEST_SIDE = 32


class Segmenter(Predictor[SegmentationDescription]):
    """From a picture to the class of every pixel.

    Args:
        network: Maps (N, 3, h, w) in 0..1 to logits (N, classes, h, w).
        description: What is known about the model; ``labels`` and ``size`` count.
        flip: Whether to average over the picture and its mirror image, for twice the time.
    """

    kind = "segmentation"
    purpose = "segment pictures"
    output_shape = (-1, -1, -1)
    instead = ""

    def __init__(self, network: nn.Module, description: SegmentationDescription, flip: bool = False) -> None:
        super().__init__(network, description)
        self.labels = description.labels
        self.flip = flip

    def __repr__(self) -> str:
        return f"Segmenter({self.description.model}, {len(self.labels.classes)} classes)"

    def __call__(self, picture: P) -> P:
        """Say which class each pixel belongs to.

        Args:
            picture: A Pillow picture of any mode, read as those for training are, or an array (H, W, 3), uint8, RGB.

        Returns:
            Of a Pillow picture one of mode P, whose values are the classes and whose palette shows them; of an array
            the classes, uint8 (H, W).
        """
        if isinstance(picture, np.ndarray):
            return self._classes(Image.fromarray(picture))
        return as_picture(self._classes(to_rgb(picture)), self.labels)

    @classmethod
    def check_request(cls, request: Request) -> None:
        """Refuse what only restored pictures have: masks are PNG, since other formats would change classes."""
        request.refuse(cls.purpose, "format", "tile", "scale_to")

    @classmethod
    def name_endings(cls, suffix: str, request: Request) -> tuple[str, ...]:  # noqa: ARG003
        """Say that a mask comes of a picture, and the picture with the classes' colours over it."""
        return ".png", "_overlay.jpg"

    def process(self, original: Original, request: Request) -> Result:
        """Write the classes of a picture's pixels, as in training, with the palette that shows them."""
        self.flip = request.tta
        picture = original.as_rgb()
        classes = self._classes(picture)
        overlay = partial(_lay_over, picture, classes, self.labels)

        def encode_mask() -> Encoded:
            return encode_picture(as_picture(classes, self.labels), "PNG")

        def encode_overlay() -> Encoded:
            return encode_picture(overlay(), "JPEG", request.quality)

        return Result(files=(encode_mask, encode_overlay), show=overlay, notes=original.notes, size=4 * classes.nbytes)

    def probabilities(self, picture: Image.Image) -> Tensor:
        """Give the probability of each class of each pixel.

        Args:
            picture: RGB.

        Returns:
            (classes, H, W), float32, on the CPU; the sum over classes is 1.
        """
        return torch.stack([_enlarge(score, picture) for score in self._scores(picture)]).softmax(0).cpu()

    def _classes(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """Enlarge one class after the other: all of them would take much memory for a large picture."""
        highest = torch.tensor(-torch.inf)
        classes = torch.zeros(1, dtype=torch.uint8)
        for number, score in enumerate(self._scores(picture)):
            large = _enlarge(score, picture).cpu()
            classes = torch.where(large > highest, torch.tensor(number, dtype=torch.uint8), classes)
            highest = torch.maximum(highest, large)
        found: npt.NDArray[np.uint8] = classes.numpy()
        return found

    @torch.inference_mode()
    def _scores(self, picture: Image.Image) -> Tensor:
        """Look at the picture in the size that the network knows: (classes, h, w)."""
        seen = picture.resize(working_size(picture.size, self.description.size), Image.Resampling.BILINEAR)
        weights = next(self.network.parameters())
        pixels = torch.from_numpy(np.array(seen)).to(weights.device).permute(2, 0, 1)[None]
        pixels = pixels.to(weights.dtype, memory_format=torch.channels_last) / 255
        with freed_is_kept(pixels.device.type):
            logits: Tensor = self.network(pixels).float()
            if not logits.isfinite().all():
                raise UserError("the network's output holds values that are not numbers: its weights are damaged.")
            mirrored = self.network(pixels.flip(-1)).float().flip(-1) if self.flip else None
        if mirrored is not None:
            # Of probabilities, so that neither of the two drowns the other.
            logits = ((logits.softmax(1) + mirrored.softmax(1)) / 2).clamp(min=torch.finfo(torch.float32).tiny).log()
        return logits[0]


def _lay_over(picture: Image.Image, classes: Classes, labels: Labels) -> Image.Image:
    """Mix a picture half and half with the colours of its classes."""
    return Image.blend(picture, as_picture(classes, labels).convert("RGB"), 0.5)


def _enlarge(score: Tensor, picture: Image.Image) -> Tensor:
    """Bring what is said of a class, (h, w), to the picture's own size."""
    size = (picture.height, picture.width)
    if score.shape == size:
        return score
    return F.interpolate(score[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def working_size(size: tuple[int, int], trained: tuple[int, int]) -> tuple[int, int]:
    """Give the size that a picture is looked at in: its own shape, and the area that the network was trained for.

    So the memory that the network takes does not depend on the picture.

    Args:
        size: Width and height of the picture.
        trained: Height and width that the network was trained for.

    Returns:
        Width and height.
    """
    zoom = sqrt(trained[0] * trained[1] / (size[0] * size[1]))
    width, height = (max(SMALLEST_SIDE, round(side * zoom)) for side in size)
    return width, height
