"""Run a pipeline of this project from Python, as `kedro run` does, and get at what it made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

PROJECT = Path(__file__).resolve().parents[1]


def run_pipeline(name: str, parameters: dict[str, Any], env: str | None = None) -> dict[str, Any]:
    """Run a pipeline; it is a run in MLflow as well.

    Args:
        name: Of the pipeline.
        parameters: What `--params` would say.
        env: Environment in conf/.

    Returns:
        The pipeline's free outputs by name, each a dataset to `load()`.
    """
    # Kedro and the settings look for the project around the current folder.
    os.chdir(PROJECT)
    bootstrap_project(PROJECT)
    session: KedroSession = KedroSession.create(PROJECT, env=env, runtime_params=parameters)
    with session:
        outputs: dict[str, Any] = session.run(pipeline_names=[name])
    return outputs


def find_weights(name: str, *, smoke: bool) -> Path:
    """Give the weights that a pipeline has made in its last run; those of smoke runs lie apart."""
    data = PROJECT / "data" / "smoke" if smoke else PROJECT / "data"
    return data / "06_models" / name / "model.safetensors"
