"""A reference to a source's folder of pictures, as a JSON file."""

from __future__ import annotations

from kedro_datasets._typing import JSONPreview

from uncrappify.datasets.file import FileDataset, advise
from uncrappify.sources import PictureSource
from uncrappify.state import read_state, write_state


class FolderReference(FileDataset[PictureSource]):
    """Stores a :class:`~uncrappify.sources.PictureSource` as JSON: the folder's path, not its pictures."""

    def load(self) -> PictureSource:
        """Read the reference.

        Raises:
            BrokenStateError: If the file is missing or broken.
        """
        return read_state(self._filepath, PictureSource, advise(self._node))

    def save(self, data: PictureSource) -> None:
        """Write the reference."""
        write_state(self._filepath, data)

    def preview(self) -> JSONPreview:
        """Show the JSON."""
        return JSONPreview(self._filepath.read_text(encoding="utf-8"))
