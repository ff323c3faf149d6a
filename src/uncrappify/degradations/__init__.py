"""How pictures get bad: small steps from picture to picture, and the recipe that composes them.

A step is known to recipes once its module is imported, so each has its line here (docs/add-a-degradation.md).
"""

from uncrappify.degradations.crappified import Crappified
from uncrappify.degradations.gaussian_blur import GaussianBlur
from uncrappify.degradations.gaussian_noise import GaussianNoise
from uncrappify.degradations.grey import Grey
from uncrappify.degradations.jpeg import Jpeg
from uncrappify.degradations.motion_blur import MotionBlur
from uncrappify.degradations.recipe import Recipe
from uncrappify.degradations.resize import Resize
from uncrappify.degradations.scratches import Scratches
from uncrappify.degradations.step import STEPS, Draw, Range, Step, Within
from uncrappify.degradations.text import Text

__all__ = [
    "STEPS",
    "Crappified",
    "Draw",
    "GaussianBlur",
    "GaussianNoise",
    "Grey",
    "Jpeg",
    "MotionBlur",
    "Range",
    "Recipe",
    "Resize",
    "Scratches",
    "Step",
    "Text",
    "Within",
]
