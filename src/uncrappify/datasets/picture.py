"""One picture as a dataset, with a preview in kedro-viz."""

from __future__ import annotations

import base64
from io import BytesIO

from kedro_datasets._typing import ImagePreview
from PIL import Image

from uncrappify.datasets.file import FileDataset
from uncrappify.pictures import read_picture, write_picture

PREVIEW_SIDE = 1200


class Picture(FileDataset[Image.Image]):
    """A PNG file, written atomically."""

    def load(self) -> Image.Image:
        """Read the picture as 8-bit RGB."""
        return read_picture(self._filepath)

    def save(self, data: Image.Image) -> None:
        """Write the picture."""
        write_picture(data, self._filepath)

    def preview(self) -> ImagePreview:
        """Show the picture, reduced to at most 1200 pixels a side: a whole sheet would be megabytes of base64."""
        content = BytesIO()
        with Image.open(self._filepath) as picture:
            picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
            picture.convert("RGB").save(content, "JPEG", quality=85)
        return ImagePreview(base64.b64encode(content.getvalue()).decode())
