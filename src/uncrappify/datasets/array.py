"""An array as a dataset that no killed process leaves half, and that is as large as the disk allows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncrappify.atomic import written_whole
from uncrappify.datasets.file import FileDataset, advise, explain
from uncrappify.state import BrokenStateError


class Array(FileDataset[NDArray[Any]]):
    """An array in NumPy's own format (.npy), which is mapped into memory: what is not looked at is not read."""

    def load(self) -> NDArray[Any]:
        """Map the array, read-only.

        Raises:
            BrokenStateError: If the file is missing, cut, or holds something else.
        """
        try:
            return np.load(self._filepath, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
        except Exception as error:  # NumPy's exceptions for broken files differ by version
            raise BrokenStateError(f"{self._filepath}: {explain(error)}. {advise(self._node)}") from error

    def save(self, data: NDArray[Any]) -> None:
        """Write the array."""
        with written_whole(self._filepath) as path:
            np.save(path, data, allow_pickle=False)
