"""The marks of a JPEG file: blocks, rings and washed-out colour."""

from io import BytesIO
from typing import Annotated

from PIL import Image
from pydantic import Field

from uncrappify.degradations.step import Range, Step, Within


class Jpeg(Step):
    """Encode as JPEG and decode again (libjpeg's quality scale, colour at half resolution, as Pillow does)."""

    name = "jpeg"
    quality: Annotated[Range[int], Within(1, 100)] = Field(description="1 (worst) to 100; cameras use 85 to 98.")

    def apply(self, picture: Image.Image, quality: int) -> Image.Image:
        """Pass the picture through a JPEG file in memory."""
        file = BytesIO()
        picture.save(file, "JPEG", quality=quality)
        decoded = Image.open(file)
        decoded.load()
        return decoded
