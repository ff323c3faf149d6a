"""Kedro's loader of ``conf/``, in project folders whose names have signs that mean something in a pattern."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from kedro.config import OmegaConfigLoader


class ConfigLoader(OmegaConfigLoader):
    """Kedro's takes the project's folder for a pattern: ``[x]`` finds nothing, and ``a?b`` the project ``acb`` too."""

    @staticmethod
    def _initialise_filesystem_and_protocol(conf_source: str) -> tuple[Any, str]:
        files, protocol = OmegaConfigLoader._initialise_filesystem_and_protocol(conf_source)
        return (Files() if protocol == "file" else files), protocol


class Files(LocalFileSystem):  # type: ignore[misc]
    """This machine's files; a pattern begins after the folders that are there."""

    def glob(self, path: str, **_: Any) -> list[str]:
        """Find files by a pattern, ``**`` being any folders and files."""
        place = next(folder for folder in Path(path).parents if folder.is_dir())
        pattern = str(Path(path).relative_to(place))
        return [str(place / found) for found in sorted(glob.glob(pattern, root_dir=place, recursive=True))]  # noqa: PTH207
