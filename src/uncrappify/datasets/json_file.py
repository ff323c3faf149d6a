"""Plain values as a JSON file that is never half written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from uncrappify.atomic import written_whole


class JsonFile(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """A JSON file, written whole or not at all.

    Args:
        filepath: The file.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Read the values."""
        values: dict[str, Any] = json.loads(self._filepath.read_text(encoding="utf-8"))
        return values

    def save(self, data: dict[str, Any]) -> None:
        """Write the values."""
        with written_whole(self._filepath) as path:
            path.write_text(json.dumps(data, indent=2), encoding="utf-8")

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def preview(self) -> JSONPreview:
        """Show the values."""
        return JSONPreview(self._filepath.read_text(encoding="utf-8"))
