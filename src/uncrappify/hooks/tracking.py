"""A run in MLflow: what it was started with, what it made, and how it ended, also when it is killed and goes on."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shlex
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import yaml
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from mlflow.data.pandas_dataset import from_pandas
from mlflow.exceptions import MlflowException
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from uncrappify.addresses import without_password
from uncrappify.errors import UserError
from uncrappify.parameters.tree import flatten, template_parameters
from uncrappify.sources.folder import find_pictures
from uncrappify.tracking import server
from uncrappify.tracking.provenance import git
from uncrappify.tracking.run_copy import RunCopy, unsent
from uncrappify.tracking.runs import Trainings
from uncrappify.tracking.sender import Sender
from uncrappify.tracking.store import PARAMETERS_FILE, log_file, log_model_file, log_values

log = logging.getLogger(__name__)

LOGGED_LAYERS = ("models", "reporting")
# What kedro-mlflow would set as tags and _tags says in a form that is easier to read.
TOLD_BETTER = ("project_path", "run_id", "runner", "runtime_params")
# MLflow takes so many parameters at once.
PARAMETERS_A_BATCH = 100


class TrackingHook(MlflowHook):  # type: ignore[misc]
    """kedro-mlflow's hook, with all parameters at the start, resume, and artifacts by the catalog's layers."""

    def __init__(self) -> None:
        super().__init__()
        self._context: KedroContext
        self._catalog: DataCatalog
        self._monitor: SystemMetricsMonitor | None = None
        self._trainings: Trainings | None = None
        self._sender: Sender | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Open the store.

        Raises:
            UserError: If it cannot be opened.
        """
        self._context = context
        if (given := os.environ.get("MLFLOW_TRACKING_URI")) and ":" in given and "://" not in given:
            raise UserError(
                f"MLFLOW_TRACKING_URI: {given} does not say what it is: a server is http://{given}, a file is "
                "sqlite:///runs.db."
            )
        store = context.config_loader["mlflow"]["server"]["mlflow_tracking_uri"]
        try:
            _try_to_write(store)
            super().after_context_created(context)
        except Exception as error:
            raise UserError(
                f"MLflow's store {without_password(store)} cannot be opened: {server.in_short(error)}. "
                "Make it readable and writable, or set MLFLOW_TRACKING_URI to a store that is."
            ) from error

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Start a run, or go on in the one of a training that was killed; log all parameters."""
        address = server.address()
        away = server.why_away(address) if address else None
        if address and away:
            log.warning(
                "%s does not answer (%s): the run begins here, and is sent when it does",
                without_password(address),
                away,
            )
        parameters = self._parameters(pipeline)
        running = {node.namespace for node in pipeline.nodes if node.namespace}
        training = {node.namespace for node in pipeline.nodes if node.namespace and "training" in node.tags}
        for name in training:
            _check_weights(parameters[name]["training"]["stages"])
            _check_encoder(parameters[name].get("model", {}))
            _check_devices(parameters[name]["training"]["devices"])
        self._catalog = catalog
        self._trainings = Trainings(catalog, sorted(running), sorted(training), _fingerprint(parameters))
        self.mlflow_config.tracking.run.id = self._trainings.unfinished_run()
        told = {name: value for name, value in run_params.items() if name not in TOLD_BETTER}
        super().before_pipeline_run(told, pipeline, catalog)
        self._trainings.begin(self.run_id)
        # A URL may hold a password.
        plain = [(name, without_password(str(value))) for name, value in flatten(_without_mirrors(parameters))]
        for start in range(0, len(plain), PARAMETERS_A_BATCH):
            mlflow.log_params(dict(plain[start : start + PARAMETERS_A_BATCH]))
        mlflow.log_text(without_password(yaml.safe_dump(parameters, sort_keys=False)), PARAMETERS_FILE)
        mlflow.set_tags(_tags(run_params) | {"nodes": ", ".join(node.short_name for node in pipeline.nodes)})
        if address:
            (name,) = run_params["pipeline_names"] or ["__default__"]
            self._begin_sending(address, name, catalog, away=bool(away))

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool) -> None:
        """Log what a training gets to see, and watch the machine while it runs; parameters were logged before."""
        super().before_node_run(node, catalog, {}, is_async)
        if "training" in node.tags and self.run_id:
            from uncrappify.training import hardware

            for name, data in inputs.items():
                if name.endswith(".split"):
                    pictures = from_pandas(data[["name", "sha256", "split"]], name=name, targets="split")
                    mlflow.log_input(pictures, context="training")
            (training,) = (data for name, data in inputs.items() if name.endswith(".training"))
            machine = hardware.describe() | {"precision": hardware.precision(training.precision)}
            mlflow.set_tags({f"hardware.{name}": value for name, value in machine.items()})
            self._monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
                self.run_id, sampling_interval=10, resume_logging=True
            )
            self._monitor.start()  # type: ignore[no-untyped-call]

    @hook_impl
    def after_node_run(self, node: Node, outputs: dict[str, Any]) -> None:
        """Log metrics."""
        self._stop_monitor()
        for name, data in outputs.items():
            if name.endswith("_metrics"):
                # The last validation's values are the ends of curves that are there already.
                log_values({metric: value for metric, value in data.items() if not metric.startswith("valid_")})

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Log the file of whatever the catalog keeps in the layers ``models`` and ``reporting``."""
        dataset = self._catalog.get(dataset_name)
        layer = ((getattr(dataset, "metadata", None) or {}).get("kedro-viz") or {}).get("layer")
        path = getattr(dataset, "_filepath", None)
        if layer not in LOGGED_LAYERS or path is None:
            return
        log_file(Path(path), layer)
        if Path(path).suffix == ".safetensors":
            log_model_file(Path(path))
            if self._sender:
                # The largest of what is sent is on its way while the next node works.
                self._sender.hurry()

    @hook_impl
    def on_node_error(self, error: Exception) -> None:
        """Stop watching the machine."""
        self._stop_monitor()

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """End the run, and note that its training needs no resume."""
        if self._trainings:
            self._trainings.finish(self.run_id)
        super().after_pipeline_run(run_params, pipeline, catalog)
        # kedro-mlflow opens the run once more for every node, and closes it once: the next pipeline would go on in it.
        self.stop("FINISHED")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """End the run as failed."""
        self.stop("FAILED")

    def stop(self, status: str) -> None:
        """End the run, however often it was opened; the command line calls it where Kedro calls no hook."""
        self._stop_monitor()
        try:
            while mlflow.active_run():
                mlflow.end_run(status)
        except MlflowException as error:
            if status == "FINISHED":
                raise
            # What went wrong before says more; the same command goes on in this run.
            log.warning("MLflow's store has not taken the end of the run (%s)", server.in_short(error))
        finally:
            if self._trainings:
                self._trainings.release()
            if self._sender:
                sender, self._sender = self._sender, None
                sender.finish()

    def _begin_sending(self, address: str, pipeline: str, catalog: DataCatalog, *, away: bool) -> None:
        folder: Path = catalog.load(f"{pipeline}.sent")
        store = mlflow.get_tracking_uri()
        older = [copy for copy in unsent(folder, store, address) if copy.run_id != self.run_id]
        copy = RunCopy(self.run_id, store, address, folder / f"{self.run_id}.json")
        self._sender = Sender(copy, older, f"uncrappify sync {pipeline}", away=away)

    def _stop_monitor(self) -> None:
        if self._monitor:
            self._monitor.finish()  # type: ignore[no-untyped-call]
            self._monitor = None

    def _parameters(self, pipeline: Pipeline) -> dict[str, Any]:
        """Give the sections of the pipelines that run."""
        tree = self._context.config_loader["parameters"]
        names = {node.namespace for node in pipeline.nodes if node.namespace}
        return {name: tree[name] for name in sorted(names)}


def _fingerprint(parameters: dict[str, Any]) -> str:
    """Hash parameters, and the files of a user's folders by name, size and time."""
    sections: list[Any] = [
        template_parameters(section["template"]).model_validate(section) for section in parameters.values()
    ]
    files = [
        [str(path), path.stat().st_size, path.stat().st_mtime_ns]
        for section in sections
        for folder in section.folders
        if folder.is_dir()
        for path in (folder / file for file in find_pictures(folder))
    ]
    return hashlib.sha256(json.dumps([_without_mirrors(parameters), files], sort_keys=True).encode()).hexdigest()


def _without_mirrors(value: Any) -> Any:
    """Leave out where archives are taken from, which changes nothing of what is in them."""
    if isinstance(value, dict):
        return {key: _without_mirrors(entry) for key, entry in value.items() if key != "mirror"}
    return value


def _check_weights(stages: list[dict[str, Any]]) -> None:
    """Look for the weights that a loss needs before anything is downloaded or degraded for it."""
    options = [term["feature"] for stage in stages for term in stage.get("loss", []) if "feature" in term]
    if any(option["backend"] == "vgg16_bn" for option in options):
        from uncrappify.losses import vgg

        vgg.find_weights_file()


def _check_encoder(model: dict[str, Any]) -> None:
    """Build the encoder that a model wants, before anything is downloaded or degraded for it."""
    options = model.get(model.get("name", ""), {})
    if "encoder" in options:
        from uncrappify.models.encoders import Encoder

        Encoder(options["encoder"], pretrained=options["pretrained"], weights=options["weights"])


def _try_to_write(store: str) -> None:
    """Lock a store that is a file, for a moment; MLflow tries ten times, for more than a minute, before it says so."""
    if store.startswith("sqlite:///"):
        path = Path(store.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()


def _check_devices(wanted: int) -> None:
    # Before anything is downloaded; torch is only asked where it matters.
    if wanted > 1:
        from uncrappify.training.hardware import check_devices

        check_devices(wanted)


def _tags(run_params: dict[str, Any]) -> dict[str, str]:
    tags = {
        "kedro_command": without_password(shlex.join(["kedro", *sys.argv[1:]])),
        "env": run_params.get("env") or "local",
        "params": without_password(json.dumps(run_params.get("runtime_params") or {})),
        "python": platform.python_version(),
    }
    if commit := git("rev-parse", "HEAD"):
        tags |= {"mlflow.source.git.commit": commit, "git_dirty": str(bool(git("status", "--porcelain"))).lower()}
    return tags
