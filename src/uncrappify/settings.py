"""Kedro's project settings."""

import os
from pathlib import Path

from kedro.utils import find_kedro_project

import uncrappify.threads  # isort: skip (before numpy and torch, which the hooks load)
import uncrappify.logs  # isort: skip # noqa: F401 (before the hooks: MLflow has something to say as it loads)
from uncrappify.addresses import store_address, store_file
from uncrappify.hooks import ParameterHook, TerminalHook, TrackingHook
from uncrappify.parameters.loader import ConfigLoader
from uncrappify.tracking import server

# A server that is away must not hold anybody up for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
# What shows the runs also runs jobs for language models, which takes as long as the rest.
os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
# The terminal belongs to the project's own bars.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

# Read once: MLflow itself sets its variables to what is in use.
EXPERIMENT = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "uncrappify"
PROJECT = find_kedro_project(Path.cwd()) or Path.cwd()


def tracking_uri() -> str:
    """Give the store of the environment, or the project's own; a server gets copies of the runs in that."""
    own = store_address(PROJECT / "mlflow.db")
    return own if server.address() else os.environ.get("MLFLOW_TRACKING_URI") or own


def artifact_location() -> str | None:
    """Give the folder for artifacts beside a store that is a file; other stores decide for themselves."""
    return (PROJECT / "mlartifacts").as_uri() if store_file(tracking_uri()) else None


HOOKS = (ParameterHook(), TrackingHook(), TerminalHook())
# TrackingHook extends kedro-mlflow's own hook, which would otherwise run beside it.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow", "kedro-mlflow", "kedro_telemetry", "kedro-telemetry")
CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # An environment's file changes the keys that it names and leaves their siblings alone.
    "merge_strategy": {"parameters": "soft"},
    "config_patterns": {"mlflow": ["mlflow*"]},
    "custom_resolvers": {
        "tracking_uri": tracking_uri,
        "artifact_location": artifact_location,
        "experiment": lambda: EXPERIMENT,
    },
}
