"""Batches of pictures with masks, augmented together."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2

from uncrappify.datasets import MaskedPictures
from uncrappify.pictures.masks import VOID, Classes
from uncrappify.progress import track
from uncrappify.training.hardware import pixels_that_fit
from uncrappify.training.parameters import SegmentationStage

SMALLEST_PART = 0.4
STRETCH = 1.25
DEGREES = 10
LIGHT = 0.3

Decoded = Mapping[str, tuple[npt.NDArray[np.uint8], Classes]]
"""Picture name to picture (H, W, 3) and mask (H, W), both uint8; empty where they do not fit into memory."""


class MaskedCrops:
    """Batches of pictures and masks, each brought to the size of the stage.

    The batch of a step depends on the seed and the step alone. An epoch goes through all pictures in a new order.

    Args:
        pictures: Pictures with masks.
        decoded: The same, decoded; where it is empty, worker processes decode a picture each time.
        stage: Its ``size`` and ``batch_size`` count.
        augment: Any of ``flip``, ``zoom``, ``rotate`` and ``light``.
        seed: Of the draws.
    """

    def __init__(
        self, pictures: MaskedPictures, decoded: Decoded, stage: SegmentationStage, augment: Collection[str], seed: int
    ) -> None:
        self.pictures = pictures
        self.decoded = decoded
        self.batch_size = stage.batch_size
        self.transform = augmentation(stage.size, augment)
        self.seed = seed

    @property
    def workers(self) -> int:
        """Processes that make batches: all cores beside a GPU or where pictures are decoded each time, else none."""
        return (os.cpu_count() or 1) if torch.cuda.is_available() or not self.decoded else 0

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Give the batch of a step.

        Returns:
            Pictures (N, 3, H, W), uint8 in 0..255, and masks (N, H, W), uint8.
        """
        names = [self._name(position) for position in range(step * self.batch_size, (step + 1) * self.batch_size)]
        # torchvision draws from torch's one generator, which belongs to the training.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(np.random.default_rng([self.seed, step]).integers(2**63)))
            made = [self.transform(*self._sample(name)) for name in names]
        pictures, masks = zip(*made, strict=True)
        return torch.stack(pictures), torch.stack(masks)

    def _name(self, position: int) -> str:
        """Give the picture at a place in the endless sequence of shuffled epochs."""
        epoch, place = divmod(position, len(self.pictures))
        return self.pictures.names[int(_order(self.seed, epoch, len(self.pictures))[place])]

    def _sample(self, name: str) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
        picture, mask = self.decoded[name] if self.decoded else _arrays(self.pictures, name)
        return tv_tensors.Image(torch.from_numpy(picture).permute(2, 0, 1)), tv_tensors.Mask(torch.from_numpy(mask))


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, pictures: int) -> npt.NDArray[np.int64]:
    """Shuffle the numbers of all pictures for an epoch; a batch asks for it once a picture."""
    return np.random.default_rng([seed, epoch]).permutation(pictures)


def augmentation(size: tuple[int, int], names: Collection[str]) -> v2.Transform:
    """Build what brings a picture and its mask to a size, alike.

    Args:
        size: Height and width.
        names: Any of ``flip``; ``zoom``, a part of 0.4 to 1 of the area, stretched by up to 1.25; ``rotate``, up to 10
            degrees, what comes in from outside is void; ``light``, brightness, contrast and saturation 0.7 to 1.3
            times, of the picture alone.

    Returns:
        A transform of torchvision's version 2.
    """
    height, width = size
    shape = width / height
    steps: list[v2.Transform] = []
    if "rotate" in names:
        fill = {tv_tensors.Image: 0, tv_tensors.Mask: VOID}
        turn = v2.RandomRotation(DEGREES, interpolation=InterpolationMode.BILINEAR, fill=fill)
        steps.append(v2.RandomApply([turn], p=0.5))
    if "zoom" in names:
        ratio = (shape / STRETCH, shape * STRETCH)
        steps.append(Crop(size, scale=(SMALLEST_PART, 1.0), ratio=ratio))
    else:
        steps.append(Whole(size))
    if "flip" in names:
        steps.append(v2.RandomHorizontalFlip())
    if "light" in names:
        steps.append(v2.ColorJitter(brightness=LIGHT, contrast=LIGHT, saturation=LIGHT))
    return v2.Compose(steps)


class Crop(v2.RandomResizedCrop):  # type: ignore[misc]
    """torchvision's crop, with the middle of a pixel where it takes the corner: masks would move by half a pixel."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Cut out and resize a picture, or a mask."""
        if not isinstance(inpt, tv_tensors.Mask):
            return super().transform(inpt, params)
        cut = v2.functional.resized_crop(
            inpt.as_subclass(Tensor)[None], **params, size=self.size, interpolation=InterpolationMode.NEAREST_EXACT
        )
        return tv_tensors.Mask(cut[0])


class Whole(Crop):
    """The whole picture, or mask, brought to a size."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Cut nothing off."""
        height, width = v2.query_size(flat_inputs)
        return {"top": 0, "left": 0, "height": height, "width": width}


def decode_masked(pictures: MaskedPictures, processes: int = 1) -> Decoded:
    """Decode all pictures and masks once, on all cores.

    Args:
        pictures: Pictures with masks.
        processes: How many hold them all.

    Returns:
        Every picture; empty when they take more than a quarter of the machine's memory.
    """
    # A mask takes a third of what its picture takes.
    if pictures.pixels * 4 // 3 * processes > pixels_that_fit():
        return {}
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        made = pool.map(lambda name: _arrays(pictures, name), pictures.names)
        return dict(zip(pictures.names, track(made, "reading pictures", len(pictures)), strict=True))
    finally:
        pool.shutdown(cancel_futures=True)


def _arrays(pictures: MaskedPictures, name: str) -> tuple[npt.NDArray[np.uint8], Classes]:
    picture, mask = pictures[name]
    # A copy: tensors must not share the read-only memory of Pillow's pictures.
    return np.array(picture), mask
