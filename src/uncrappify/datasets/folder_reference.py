"""Where a source's pictures lie, as a small JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from uncrappify.atomic import written_whole
from uncrappify.sources import PictureSource


class FolderReference(AbstractDataset[PictureSource, PictureSource]):
    """Keeps a :class:`~uncrappify.sources.PictureSource`: a folder by its path, never a copy of it.

    Args:
        filepath: The JSON file.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> PictureSource:
        """Read the reference."""
        return PictureSource.model_validate_json(self._filepath.read_text(encoding="utf-8"))

    def save(self, data: PictureSource) -> None:
        """Write the reference."""
        with written_whole(self._filepath) as path:
            path.write_text(data.model_dump_json(indent=2), encoding="utf-8")

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def preview(self) -> JSONPreview:
        """Show the JSON."""
        return JSONPreview(self._filepath.read_text(encoding="utf-8"))
