"""What datasets that are one file share."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, TypeVar

from kedro.io import AbstractDataset

from uncrappify.atomic import written_whole
from uncrappify.state import BrokenStateError

T = TypeVar("T")


class FileDataset(AbstractDataset[T, T]):
    """A value that is kept in one file; subclasses read and write it.

    Args:
        filepath: The file.
        node: Name of the node that saves it, for errors.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, node: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._node = node
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class WholeFile(FileDataset[T]):
    """A value that a library turns to bytes and back; written whole or not at all, and told in a sentence if broken."""

    def load(self) -> T:
        """Read the value.

        Raises:
            BrokenStateError: If the file is missing, broken, or holds something else.
        """
        try:
            return self._parse(self._filepath.read_bytes())
        except Exception as error:  # the libraries' exceptions for broken files differ by version
            raise BrokenStateError(f"{self._filepath}: {explain(error)}. {advise(self._node)}") from error

    def save(self, data: T) -> None:
        """Write the value."""
        content = self._dump(data)
        with written_whole(self._filepath) as path:
            path.write_bytes(content)

    @abstractmethod
    def _parse(self, content: bytes) -> T:
        """Turn the file's bytes into the value; any exception means that they are not such a value."""

    @abstractmethod
    def _dump(self, data: T) -> bytes:
        """Turn the value into the file's bytes."""


def advise(node: str | None) -> str:
    """Say how a broken file is made anew.

    Args:
        node: Name of the node that makes it, if that is known.
    """
    return f"Run again from the node {node} (--from-nodes {node})." if node else "Run the whole pipeline again."


def explain(error: Exception) -> str:
    """Say why a file could not be read, as the middle of a sentence.

    Args:
        error: What reading it has raised.
    """
    if isinstance(error, OSError) and error.errno:
        return f"cannot be read ({str(error.strerror).lower()})"
    told = " ".join((str(error) or type(error).__name__).split()).rstrip(".")
    return f"does not hold what it should ({told})"
