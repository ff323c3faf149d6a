"""The degraded twin of a picture, computed when it is called."""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from uncrappify.degradations.recipe import Recipe
from uncrappify.pictures import read_picture, reserve_memory


@dataclass(frozen=True)
class Crappified:
    """A callable that reads a good picture and returns the degraded one.

    Args:
        name: The picture's path without suffix; it and the seed determine the random draws.
        file: File of the good picture.
        sha256: Checksum of the file's content.
        recipe: The steps of the degradation.
        seed: The pipeline's seed.
    """

    name: str
    file: Path
    sha256: str
    recipe: Recipe
    seed: int

    @property
    def key(self) -> str:
        """Hash of everything that the result depends on: equal keys mean equal pictures."""
        parts = [self.name, self.sha256, self.recipe.fingerprint, self.seed]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def identity(self) -> str:
        """What the place of the result goes by, whatever else is degraded."""
        return f"{self.name}{self.file.suffix}"

    def read_good(self) -> Image.Image:
        """Read the good picture.

        Raises:
            UserError: The file is missing, or has changed since it was listed.
        """
        return read_picture(self.file, self.sha256)

    def reserve(self) -> AbstractContextManager[None]:
        """Wait for the memory that the good picture and its degraded twin take, and keep it for the block."""
        return reserve_memory(self.file)

    def __call__(self) -> Image.Image:
        """Compute the degraded picture."""
        return self.recipe.degrade(self.read_good(), self.name, self.seed)
