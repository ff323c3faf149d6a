"""Pairs of degraded picture and target, as a network gets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from uncrappify.datasets.picture_folder import Pictures
from uncrappify.degradations import Recipe
from uncrappify.errors import UserError
from uncrappify.pictures import crop_corner, is_enlargement

NO_DAMAGE = Recipe(())


@dataclass(frozen=True)
class PicturePairs:
    """Maps a picture's name to a network's input and target, decoded on demand.

    At scale s the target is cropped (right, bottom) to s times the degraded picture. At scale 1 a degraded picture
    that is smaller than its target is first enlarged to the target's size by Pillow's bicubic interpolation.

    Args:
        degraded: Degraded pictures.
        targets: Good pictures of the same names.
        names: Names of the pictures to use, in order.
        scale: Size of the target over size of the network's input.
        pixels: Total number of pixels of inputs and targets.
        recipe: Recipe that degraded the pictures; a border that it has cropped is cropped from the target too.
        seed: Seed of the recipe's draws.
        stems: Picture name to what its draws go by, where that is not its name.
    """

    degraded: Pictures | Mapping[str, Image.Image]
    targets: Pictures | Mapping[str, Image.Image]
    names: Sequence[str]
    scale: int
    pixels: int
    recipe: Recipe = NO_DAMAGE
    seed: int = 0
    stems: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> tuple[Image.Image, Image.Image]:
        """Read network input and target, both 8-bit RGB.

        Raises:
            UserError: If the sizes do not fit the scale (:func:`~uncrappify.pictures.is_enlargement`), or a file has
                changed since it was listed.
        """
        target = self.recipe.crop_target(self.targets[name], self.stems.get(name, name), self.seed)
        return fit_sizes(self.degraded[name], target, self.scale, name)


def fit_sizes(degraded: Image.Image, target: Image.Image, scale: int, name: str) -> tuple[Image.Image, Image.Image]:
    """Bring a degraded picture and its target to sizes of ratio ``scale``, as :class:`PicturePairs` describes.

    Returns:
        Input and target of the network.

    Raises:
        UserError: If the sizes do not fit the scale (:func:`~uncrappify.pictures.is_enlargement`).
    """
    if scale == 1:
        same = degraded.size == target.size
        return degraded if same else degraded.resize(target.size, Image.Resampling.BICUBIC), target
    width, height = degraded.width * scale, degraded.height * scale
    if not is_enlargement(degraded.size, target.size, scale):
        raise UserError(
            f"{name}: the target has {target.width}x{target.height} pixels and the degraded picture "
            f"{degraded.width}x{degraded.height}; a model of scale {scale} needs {width}x{height}."
        )
    return degraded, crop_corner(target, width, height)
