"""One picture as a dataset, which kedro-viz can show."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import ImagePreview
from PIL import Image

from uncrappify.pictures import read_picture, write_picture


class Picture(AbstractDataset[Image.Image, Image.Image]):
    """A PNG file, written whole or not at all.

    Args:
        filepath: The file.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Image.Image:
        """Read the picture as 8-bit RGB."""
        return read_picture(self._filepath)

    def save(self, data: Image.Image) -> None:
        """Write the picture."""
        write_picture(data, self._filepath)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def preview(self) -> ImagePreview:
        """Show the picture."""
        return ImagePreview(base64.b64encode(self._filepath.read_bytes()).decode())
