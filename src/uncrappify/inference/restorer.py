"""A trained model that undoes damage, ready for use on any picture."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from uncrappify.datasets.description import RestorationDescription
from uncrappify.inference.damage import find_doubt
from uncrappify.inference.predictor import Predictor
from uncrappify.inference.results import Request, Result
from uncrappify.inference.tiled import Picture, Samples, find_tile, predict, predict_picture
from uncrappify.memory import check_available
from uncrappify.pictures import to_rgb
from uncrappify.pictures.colour import Profile, read_profile
from uncrappify.pictures.opacity import resize_samples, spread_colours
from uncrappify.pictures.saving import Finished, encode_finished, find_format, find_suffix

if TYPE_CHECKING:
    from uncrappify.pictures.original import Original

P = TypeVar("P", Image.Image, npt.NDArray[np.uint8])
_LUMA = (0.299, 0.587, 0.114)
"""ITU-R 601-2, as Pillow makes grey of colours; their sum is 1, so that a grey stays what it is."""


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
    instead = ""

    def __init__(self, network: nn.Module, description: RestorationDescription) -> None:
        super().__init__(network, description)
        self.scale = description.scale
        self._tile: int | None = None

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

    @classmethod
    def name_endings(cls, suffix: str, request: Request) -> tuple[str, ...]:
        """Say that a picture comes of a picture, in the original's format where nothing else is asked for."""
        return (find_suffix(suffix, request.format),)

    def find_doubt(self, original: Original) -> str:
        """Say how a picture differs from the damage that the model has learned to undo."""
        return find_doubt(self.description, original)

    def process(self, original: Original, request: Request) -> Result:
        """Restore a picture in all its bits, in its own colours, and bring it to the size that is asked for.

        Its opacity is enlarged by Lanczos' filter; the network does not see it.

        Raises:
            MemoryError: If the machine has not enough for the result.
        """
        width, height = original.size
        usual = width * self.scale, height * self.scale
        wanted = request.scale_to.find_size(width, height) if request.scale_to else usual
        # A resize makes planes first, and puts them together.
        pixels = prod(usual) + (0 if wanted == usual else 2 * prod(wanted))
        check_available(pixels * original.samples.shape[2] * original.samples.itemsize)
        if original.opacity is not None:
            original = replace(original, samples=spread_colours(original.samples, original.opacity))
        restored, tile = self._restore(original, request)
        restored = resize_samples(restored, wanted)
        opacity = None if original.opacity is None else resize_samples(original.opacity, wanted)
        finished = Finished(restored, opacity, original.metadata)
        ending = find_suffix(original.suffix, request.format)
        encode = partial(encode_finished, finished, find_format(ending), request.quality)
        shown = partial(replace(original, samples=restored, opacity=opacity).as_rgb)
        return Result(files=(encode,), show=shown, notes=original.notes, tile=tile, size=restored.nbytes)

    def _restore(self, original: Original, request: Request) -> tuple[Any, int]:
        """Give the restored samples, and the side of the tiles; once memory has ended, they stay small."""
        (width, height), channels = original.size, original.samples.shape[2]
        profile = read_profile(original.metadata.icc, channels) if original.metadata.icc else None
        # A fourth byte, as Pillow keeps colours: it takes them without a copy.
        restored = np.empty(
            (height * self.scale, width * self.scale, channels + (channels == 3)), original.samples.dtype
        )
        restored = restored[..., :channels]

        def put(top: int, rows: Samples) -> None:
            # Torch copies into every fourth byte in a third of NumPy's time.
            torch.from_numpy(restored[top : top + len(rows)]).copy_(torch.from_numpy(rows))

        picture = Picture(width, height, partial(_read, original, profile), partial(_finish, original, profile))
        asked = request.tile or find_tile(self.network)
        tile = predict(self.network, picture, put, min(self._tile or asked, asked), request.tta)
        self._tile = tile if tile < asked else None
        return restored, tile


def _read(original: Original, profile: Profile | None, rows: slice, columns: slice) -> Samples:
    """Give a part of a picture as networks take it: three channels of sRGB."""
    part: Samples = original.samples[rows, columns]
    if profile:
        part = profile.to_srgb(part.astype(np.float32) / np.float32(original.white))
    return part if part.shape[2] == 3 else part.repeat(3, axis=2)


def _finish(original: Original, profile: Profile | None, values: Tensor) -> Samples:
    """Bring a part of the output to the original's colours and depth."""
    if original.samples.shape[2] == 1:
        values = (values * values.new_tensor(_LUMA)).sum(-1, keepdim=True)
    if profile:
        values = values.new_tensor(profile.from_srgb(values.float().cpu().numpy()))
    found = values.double() if original.white > 255 else values
    return found.clamp(0, 1).mul(original.white).round().cpu().numpy().astype(original.samples.dtype)
