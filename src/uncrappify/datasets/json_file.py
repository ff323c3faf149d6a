"""Plain values as a JSON file that is written atomically."""

from __future__ import annotations

import json
from typing import Any

from kedro_datasets._typing import JSONPreview

from uncrappify.atomic import written_whole
from uncrappify.datasets.file import FileDataset


class JsonFile(FileDataset[dict[str, Any]]):
    """A JSON file, written atomically."""

    def load(self) -> dict[str, Any]:
        """Read the values."""
        values: dict[str, Any] = json.loads(self._filepath.read_text(encoding="utf-8"))
        return values

    def save(self, data: dict[str, Any]) -> None:
        """Write the values."""
        with written_whole(self._filepath) as path:
            path.write_text(json.dumps(data, indent=2), encoding="utf-8")

    def preview(self) -> JSONPreview:
        """Show the values."""
        return JSONPreview(self._filepath.read_text(encoding="utf-8"))
