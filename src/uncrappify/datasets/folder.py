"""A folder as a dataset: the catalog says where it is, a node fills it while it runs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview


class Folder(AbstractDataset[NoReturn, Path]):
    """Hands out a folder, which is made when it is missing.

    For what must outlive a killed process, such as checkpoints: those cannot wait for the end of their node.

    Args:
        path: The folder.
        metadata: For kedro-viz.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> Path:
        """Give the folder."""
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path

    def save(self, data: NoReturn) -> None:
        """Refuse: nodes write into the folder themselves."""
        raise DatasetError(f"{self} is an input only")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

    def preview(self) -> ImagePreview:
        """Show the first PNG in the folder, if there is one."""
        pictures = sorted(self._path.glob("*.png"))
        return ImagePreview(base64.b64encode(pictures[0].read_bytes()).decode() if pictures else "")
