"""The project around the current folder."""

import logging
from pathlib import Path

from kedro.framework.startup import bootstrap_project
from kedro.utils import find_kedro_project

from uncrappify.errors import UserError


def find_project() -> Path:
    """Find the project around the current folder, and make its settings count."""
    root = find_kedro_project(Path.cwd())
    if root is None:
        raise UserError("this is no folder of the project: go to where pyproject.toml and conf/ are.")
    bootstrap_project(root)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    return Path(root)
