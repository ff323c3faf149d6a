"""JPEG compression artefacts: blocking, ringing and chroma subsampling."""

from io import BytesIO
from typing import Annotated

from PIL import Image
from pydantic import Field

from uncrappify.degradations.step import Range, Step, Within
from uncrappify.pictures import open_picture


class Jpeg(Step):
    """Encode as JPEG and decode again (libjpeg's quality scale, colour at half resolution, as Pillow does)."""

    name = "jpeg"
    quality: Annotated[Range[int], Within(1, 100)] = Field(description="1 (worst) to 100; cameras use 85 to 98.")

    def apply(self, picture: Image.Image, quality: int) -> Image.Image:
        """Encode and decode the picture in memory."""
        file = BytesIO()
        picture.save(file, "JPEG", quality=quality)
        decoded = open_picture(file, "JPEG")
        decoded.load()
        return decoded
