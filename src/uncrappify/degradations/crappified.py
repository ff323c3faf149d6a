"""The degraded twin of a picture, not computed yet."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from uncrappify.degradations.recipe import Recipe
from uncrappify.pictures import read_picture


@dataclass(frozen=True)
class Crappified:
    """A callable that reads a good picture and gives the bad one.

    Args:
        name: The picture's name, which decides with the seed what is drawn.
        file: The good picture.
        sha256: Of the file's content.
        recipe: What happens to it.
        seed: The pipeline's seed.
    """

    name: str
    file: Path
    sha256: str
    recipe: Recipe
    seed: int

    @property
    def key(self) -> str:
        """Everything that the result depends on, in one hash: under the same key there is nothing to do again."""
        parts = [self.name, self.sha256, self.recipe.fingerprint, self.seed]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def read_good(self) -> Image.Image:
        """Read the good picture.

        Raises:
            UserError: The file has gone since it was listed, or cannot be used any more.
        """
        return read_picture(self.file)

    def __call__(self) -> Image.Image:
        """Give the degraded picture."""
        return self.recipe.degrade(self.read_good(), self.name, self.seed)
