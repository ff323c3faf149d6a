"""Where a server keeps files: whether it is a place for them, and whether they have arrived there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import urlparse

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from uncrappify.foreign import in_one_line

THROUGH_A_SERVER = {"http", "https", "mlflow-artifacts"}
"""Schemes of what a server takes itself."""

CLOUDS = {"s3", "r2", "b2", "gs", "wasbs", "abfss", "dbfs", "hdfs", "viewfs"}
"""Schemes of what this machine's own credentials open."""


class Refused(Exception):  # noqa: N818 - an answer of the server's
    """The server answers, and does not take a file; everything else is there."""


def open_folder(uri: str, server: str) -> ArtifactRepository:
    """Open the folder that a server names for files.

    Args:
        uri: As the server gives it. MLflow would take a folder of the server's machine for one of this machine.
        server: Its address; a store that is a file has its files on this machine.

    Raises:
        Refused: If files do not get to the server that way.
    """
    scheme = urlparse(uri).scheme.lower()
    if urlparse(server).scheme in ("http", "https") and scheme not in THROUGH_A_SERVER | CLOUDS:
        raise Refused(
            f"it names {in_one_line(uri, 100) or 'no folder'} for files, which from here is not on the server: its "
            "keeper should start it with --serve-artifacts or --artifacts-destination, not --default-artifact-root"
        )
    return get_artifact_repository(uri, tracking_uri=server)


def find_missing(folder: ArtifactRepository, sizes: dict[str, int]) -> Iterable[str]:
    """Find the files that are not in a server's folder as they were sent.

    Args:
        folder: What :func:`open_folder` gave.
        sizes: Path below it to bytes. In a cloud, who may write need not be allowed to look.

    Returns:
        Their paths.
    """
    if urlparse(folder.artifact_uri).scheme in CLOUDS:
        return []
    there = {}
    for parent in {str(PurePosixPath(path).parent) for path in sizes}:
        for entry in folder.list_artifacts(None if parent == "." else parent):
            there[entry.path] = entry.file_size
    return [path for path, size in sizes.items() if path not in there or there[path] not in (size, None)]
