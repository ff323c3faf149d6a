"""One picture as a dataset, which kedro-viz can show."""

from __future__ import annotations

import base64

from kedro_datasets._typing import ImagePreview
from PIL import Image

from uncrappify.datasets.file import FileDataset
from uncrappify.pictures import read_picture, write_picture


class Picture(FileDataset[Image.Image]):
    """A PNG file, written whole or not at all."""

    def load(self) -> Image.Image:
        """Read the picture as 8-bit RGB."""
        return read_picture(self._filepath)

    def save(self, data: Image.Image) -> None:
        """Write the picture."""
        write_picture(data, self._filepath)

    def preview(self) -> ImagePreview:
        """Show the picture."""
        return ImagePreview(base64.b64encode(self._filepath.read_bytes()).decode())
