"""Plain values as a JSON file that is written atomically."""

from __future__ import annotations

from typing import Any

from kedro_datasets._typing import JSONPreview

from uncrappify.datasets.file import FileDataset, advise
from uncrappify.state import read_state, write_state


class JsonFile(FileDataset[dict[str, Any]]):
    """A JSON file, written atomically."""

    def load(self) -> dict[str, Any]:
        """Read the values.

        Raises:
            BrokenStateError: If the file is missing or broken.
        """
        return read_state(self._filepath, dict[str, Any], advise(self._node))

    def save(self, data: dict[str, Any]) -> None:
        """Write the values."""
        write_state(self._filepath, data)

    def preview(self) -> JSONPreview:
        """Show the values."""
        return JSONPreview(self._filepath.read_text(encoding="utf-8"))
