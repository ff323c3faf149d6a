"""What datasets that are one file share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from kedro.io import AbstractDataset

T = TypeVar("T")


class FileDataset(AbstractDataset[T, T]):
    """A value that is kept in one file; subclasses read and write it.

    Args:
        filepath: The file.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
