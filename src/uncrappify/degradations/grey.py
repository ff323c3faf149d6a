"""Conversion to grey, for a model that learns to colourise."""

from PIL import Image

from uncrappify.degradations.step import Step


class Grey(Step):
    """Keep Pillow's luma, (299 R + 587 G + 114 B) / 1000 (ITU-R 601-2), in three equal channels."""

    name = "grey"

    def apply(self, picture: Image.Image) -> Image.Image:
        """Drop the colour."""
        return picture.convert("L").convert("RGB")
