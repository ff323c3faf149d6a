"""Pictures with masks, decoded on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from uncrappify.datasets.picture_folder import Pictures
from uncrappify.pictures.masks import Classes, Labels, read_mask


@dataclass(frozen=True)
class MaskedPictures:
    """Maps a picture's name to the picture and the class of each pixel.

    Args:
        pictures: The pictures.
        masks: Picture name to the file of its mask.
        names: Names of the pictures to use, in order.
        labels: Classes, and their values or colours in the masks.
        pixels: Total number of pixels of the pictures.
        masks_sha256: Picture name to the checksum of its mask's file, where it is known.
    """

    pictures: Pictures | Mapping[str, Image.Image]
    masks: Mapping[str, Path]
    names: Sequence[str]
    labels: Labels
    pixels: int
    masks_sha256: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> tuple[Image.Image, Classes]:
        """Read a picture, 8-bit RGB, and the class of each of its pixels, uint8 (H, W).

        Raises:
            UserError: A file is missing, or has changed since it was listed.
        """
        return self.pictures[name], read_mask(self.masks[name], self.labels, self.masks_sha256.get(name))
