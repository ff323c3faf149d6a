"""A reference to a source's folder of pictures, as a JSON file."""

from __future__ import annotations

from kedro_datasets._typing import JSONPreview

from uncrappify.atomic import written_whole
from uncrappify.datasets.file import FileDataset
from uncrappify.sources import PictureSource


class FolderReference(FileDataset[PictureSource]):
    """Stores a :class:`~uncrappify.sources.PictureSource` as JSON: the folder's path, not its pictures."""

    def load(self) -> PictureSource:
        """Read the reference."""
        return PictureSource.model_validate_json(self._filepath.read_text(encoding="utf-8"))

    def save(self, data: PictureSource) -> None:
        """Write the reference."""
        with written_whole(self._filepath) as path:
            path.write_text(data.model_dump_json(indent=2), encoding="utf-8")

    def preview(self) -> JSONPreview:
        """Show the JSON."""
        return JSONPreview(self._filepath.read_text(encoding="utf-8"))
