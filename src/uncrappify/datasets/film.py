"""A film of pictures as one animated file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NoReturn

from kedro.io import DatasetError
from kedro_datasets._typing import ImagePreview
from PIL import Image

from uncrappify.atomic import written_whole
from uncrappify.datasets.file import FileDataset

MILLISECONDS, LAST_MILLISECONDS = 300, 2000


class Film(FileDataset[Sequence[Path]]):
    """An animated GIF, made of picture files; without any there is no film."""

    def save(self, data: Sequence[Path]) -> None:
        """Write the film; the last picture stays for a while."""
        if not data:
            self._filepath.unlink(missing_ok=True)
            return
        first, *others = (Image.open(file).convert("RGB") for file in data)
        content = BytesIO()
        durations = [MILLISECONDS] * len(others) + [LAST_MILLISECONDS]
        first.save(content, "GIF", save_all=True, append_images=others, duration=durations, loop=0)
        with written_whole(self._filepath) as path:
            path.write_bytes(content.getvalue())

    def load(self) -> NoReturn:
        """Refuse: a film is only looked at."""
        raise DatasetError(f"{self} is an output only")

    def preview(self) -> ImagePreview:
        """Show the film."""
        return ImagePreview(base64.b64encode(self._filepath.read_bytes()).decode())
