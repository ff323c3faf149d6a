"""A run in MLflow: what it was started with, what it made, and how it ended, also when it is killed and goes on."""

from __future__ import annotations

import json
import logging
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import yaml
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from mlflow.data.pandas_dataset import from_pandas
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_ALREADY_EXISTS, ErrorCode

from uncrappify.addresses import without_password
from uncrappify.datasets import Chart
from uncrappify.errors import UserError
from uncrappify.parameters.arguments import as_plain
from uncrappify.parameters.delivery import find_delivered
from uncrappify.parameters.sections import read_sections
from uncrappify.parameters.tree import flatten, parse_section
from uncrappify.pipeline_registry import DEFAULT_PIPELINE
from uncrappify.tracking import server
from uncrappify.tracking.partial import check_left_out, find_missing, find_read
from uncrappify.tracking.provenance import git
from uncrappify.tracking.run_copy import RunCopy, unsent
from uncrappify.tracking.runs import IDENTITY, PLACE, PipelineRuns, find_given, identify
from uncrappify.tracking.sender import Sender
from uncrappify.tracking.store import PARAMETERS_FILE, log_figure, log_file, log_values
from uncrappify.tracking.store_file import explain_store, prepare_store

log = logging.getLogger(__name__)

LOGGED_LAYERS = ("model_input", "models", "reporting")
# What kedro-mlflow would set as tags and _tags says in a form that is easier to read.
TOLD_BETTER = ("project_path", "run_id", "runner", "runtime_params")
# MLflow takes so many parameters at once, and so many signs of each.
PARAMETERS_A_BATCH = 100
LONGEST_PARAMETER = 6000


class TrackingHook(MlflowHook):  # type: ignore[misc]
    """kedro-mlflow's hook, with what the nodes read, resume, a child run for each model, and artifacts by layers."""

    def __init__(self) -> None:
        super().__init__()
        self._context: KedroContext
        self._catalog: DataCatalog
        self._runs: PipelineRuns | None = None
        self._sender: Sender | None = None
        self._section: Mapping[str, Any] = {}
        self._unsaved: set[str] = set()

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
        prepare_store(store)
        try:
            self._open(context)
        except UserError:
            raise
        except Exception as error:
            raise UserError(explain_store(store, error)) from error

    def _open(self, context: KedroContext) -> None:
        """Open the store, and the experiment in it.

        Raises:
            UserError: MLflow does not take the experiment's name.
        """
        try:
            super().after_context_created(context)
        except MlflowException as error:
            if error.error_code == ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                # Another first run was quicker to make the experiment.
                super().after_context_created(context)
            elif error.error_code == ErrorCode.Name(INVALID_PARAMETER_VALUE) and "MLFLOW_EXPERIMENT_NAME" in os.environ:
                raise UserError(f"MLFLOW_EXPERIMENT_NAME: {server.in_short(error)}.") from error
            else:
                raise

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Start a run, or go on in one that was killed; log the parameters that its nodes read.

        Raises:
            UserError: If another process runs the pipeline, or what a partial run takes from earlier ones does not fit.
        """
        name, *more = run_params["pipeline_names"] or ["__default__"]
        if more:
            raise UserError("one pipeline a run: kedro run --pipelines a,b gives each a run of its own.")
        name = DEFAULT_PIPELINE if name == "__default__" else name
        self._section = read_sections()[name]
        address = server.address()
        away = server.why_away(address) if address else None
        if address and away:
            log.warning(
                "%s does not answer (%s): the run begins here, and is sent when it does",
                without_password(address),
                away,
            )
        if run_params["only_missing_outputs"]:
            pipeline = find_missing(pipeline, catalog)
        tree = self._context.config_loader["parameters"]
        runs = PipelineRuns(name, catalog.load(f"{name}.records"))
        self._runs, self._catalog = runs, catalog
        runs.find_dead()
        check_left_out(pipelines[name], pipeline, catalog, runs.record.read, tree)
        if not pipeline.nodes:
            runs.end_dead()
            self._release()
            return
        parameters = self._find_parameters(pipeline, name)
        read = {node.name: find_read(node, tree) for node in pipeline.nodes}
        identity = identify(read, parse_section(name, tree[name], self._section).folders)
        self.mlflow_config.tracking.run.id = self._find_run(identity, parameters)
        told = {key: value for key, value in run_params.items() if key not in TOLD_BETTER}
        super().before_pipeline_run(told | {"pipeline_names": [name]}, pipeline, catalog)
        runs.begin(self.run_id)
        _log_parameters(self.run_id, parameters)
        # To run it again, whole: what was left out has been run with the same. A smoke run is to be one again.
        again = {name: tree[name]} | ({"smoke": True} if tree["smoke"] else {})
        mlflow.log_text(without_password(yaml.safe_dump(again, sort_keys=False)), PARAMETERS_FILE)
        nodes = ", ".join(node.name.removeprefix(f"{name}.") for node in pipeline.nodes)
        mlflow.set_tags(_tags(run_params) | {IDENTITY: identity, PLACE: runs.place, "nodes": nodes})
        if address:
            self._begin_sending(address, away=bool(away))

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool) -> None:
        """Make the run active that the node belongs to, and log what a training gets to see."""
        runs = self._running
        self._end_child()
        runs.begin_node(node.name, (later.name for later in pipelines[runs.name].from_nodes(node.name).nodes))
        self._unsaved = set(node.outputs)
        if mlflow.active_run() is None:
            # In another thread than the one that the run was started in.
            mlflow.start_run(run_id=runs.run_id)
        namespace = node.namespace or runs.name
        if namespace != runs.name:
            self._begin_child(node, namespace)
        if "training" in node.tags:
            for name, data in inputs.items():
                if name.endswith(".split"):
                    known = data[[column for column in ("name", "sha256", "split") if column in data]]
                    mlflow.log_input(from_pandas(known, name=name, targets="split"), context="training")

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Log metrics, and the files of the catalog's logged layers, in the run that the dataset belongs to."""
        runs = self._running
        namespace, _, name = dataset_name.rpartition(".")
        # What is empty is said of a model that is not trained, and begins no run for it.
        if not (isinstance(data, dict | str) and not data):
            self._log(namespace, name, data, self._catalog.get(dataset_name))
        self._unsaved.discard(dataset_name)
        if not self._unsaved:
            runs.finish_node(node.name, find_read(node, self._context.config_loader["parameters"]))

    def _log(self, namespace: str, name: str, data: Any, dataset: Any) -> None:
        """Log what a node has made in the run of its namespace."""
        runs, run_id = self._running, self._find_run_of(namespace)
        if name.endswith("_metrics"):
            # The last validation's values are the ends of curves that are there already.
            values = {metric: value for metric, value in data.items() if not metric.startswith("valid_")}
            delivered = namespace == f"{runs.name}.{find_delivered(self._section)}"
            for one in {run_id, runs.run_id} if delivered else {run_id}:
                log_values(values, one)
        layer = ((getattr(dataset, "metadata", None) or {}).get("kedro-viz") or {}).get("layer")
        path = getattr(dataset, "_filepath", None)
        if layer in LOGGED_LAYERS and path is not None:
            if isinstance(dataset, Chart):
                # Of JSON MLflow's page would show the text.
                log_figure(data, f"{layer}/{dataset.page.name}", run_id)
            else:
                log_file(Path(path), layer, run_id)
            if Path(path).suffix == ".safetensors":
                from uncrappify.inference.mlflow_model import log_model

                log_model(Path(path))
                if self._sender:
                    # The largest of what is sent is on its way while the next node works.
                    self._sender.hurry()

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """End the run, and note that it needs no resume."""
        if self._runs is None:
            return
        self._end_child()
        super().after_pipeline_run(run_params, pipeline, catalog)
        self.stop("FINISHED")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """End the run as failed."""
        self.stop("FAILED")

    def stop(self, status: str) -> None:
        """End the run and its children; the command line calls it where Kedro calls no hook."""
        try:
            while mlflow.active_run():
                mlflow.end_run(status)
            if self._runs and self._runs.run_id:
                self._runs.end_children(status)
                if status == "FINISHED":
                    # Not before the store has it: until then the same command goes on in this run.
                    self._runs.finish()
            elif self._runs:
                # Nothing has begun, and so nothing goes on in what was killed.
                self._runs.end_dead()
        except MlflowException as error:
            if status == "FINISHED":
                raise
            # What went wrong before says more; the same command goes on in this run.
            log.warning("MLflow's store has not taken the end of the run (%s)", server.in_short(error))
        finally:
            self._release()
            if self._sender:
                sender, self._sender = self._sender, None
                sender.finish()

    def _find_run(self, identity: str, parameters: Mapping[str, str]) -> str:
        """Find the run to go on in, or make one.

        Raises:
            UserError: MLFLOW_RUN_ID names one that cannot be gone on with.
        """
        experiment_id = self.mlflow_config.tracking.experiment._experiment.experiment_id
        # For one pipeline, as MLflow has it: the next one of the same command gets a run of its own.
        if given := os.environ.pop("MLFLOW_RUN_ID", None):
            run = find_given(given, parameters)
            self._running.take(given)
            mlflow.set_experiment(experiment_id=run.info.experiment_id)
            return given
        return self._running.find_unfinished(identity, experiment_id) or self._running.create(experiment_id, identity)

    @property
    def _running(self) -> PipelineRuns:
        assert self._runs is not None
        return self._runs

    def _release(self) -> None:
        if self._runs:
            self._runs.release()
            self._runs = None

    def _begin_child(self, node: Node, namespace: str) -> None:
        """Make the run of a model active, with the parameters that its node reads."""
        run_id = self._find_run_of(namespace)
        mlflow.start_run(run_id=run_id, nested=True)
        read = _as_mlflow_has_it(find_read(node, self._context.config_loader["parameters"]))
        # Without the model's name, so that the models stand side by side on MLflow's page.
        _log_parameters(run_id, {key.removeprefix(f"{namespace}."): value for key, value in read.items()})

    def _find_run_of(self, namespace: str) -> str:
        """Find the run of a namespace, which a server gets too."""
        run_id = self._running.find_run_of(namespace)
        if self._sender and run_id != self._running.run_id:
            self._sender.follow(self._copy_of(run_id))
        return run_id

    def _end_child(self) -> None:
        active = mlflow.active_run()
        if active and active.info.run_id != self._running.run_id:
            mlflow.end_run()

    def _begin_sending(self, address: str, *, away: bool) -> None:
        runs = self._running
        own = {runs.run_id, *runs.record.children.values()}
        unfinished = unsent(runs.folder / "sent", mlflow.get_tracking_uri(), address)
        older = [copy for copy in unfinished if copy.run_id not in own]
        self._sender = Sender(self._copy_of(runs.run_id), older, f"uncrappify sync {runs.name}", away=away)

    def _copy_of(self, run_id: str) -> RunCopy:
        address = server.address()
        assert address is not None
        notes = self._running.folder / "sent" / f"{run_id}.json"
        return RunCopy(run_id, mlflow.get_tracking_uri(), address, notes)

    def _find_parameters(self, pipeline: Pipeline, name: str) -> dict[str, str]:
        """Find what the pipeline's own nodes read; that of a model's nodes belongs to its child."""
        tree = self._context.config_loader["parameters"]
        found = {f"{name}.template": tree[name]["template"]}
        for node in (node for node in pipeline.nodes if node.namespace == name):
            found |= find_read(node, tree)
        return _as_mlflow_has_it(found)


def _as_mlflow_has_it(read: Mapping[str, Any]) -> dict[str, str]:
    """Turn parameters into MLflow's: dotted names down to plain values, as text of limited length."""
    plain = (entry for name, value in read.items() for entry in flatten(_leave_out_unchosen(value), name))
    # A URL may hold a password.
    return {name: without_password(str(value))[:LONGEST_PARAMETER] for name, value in plain}


def _leave_out_unchosen(value: Any) -> Any:
    """Leave out the options of networks and sources that ``name`` or ``kind`` does not choose.

    MLflow's page would show them as what runs differ by.
    """
    if not isinstance(value, Mapping):
        return value
    options = [key for key, part in value.items() if isinstance(part, Mapping)]
    chosen = [key for key in options if key in (value.get("name"), value.get("kind"))]
    return {
        key: _leave_out_unchosen(part)
        for key, part in value.items()
        if not chosen or key in chosen or not isinstance(part, Mapping)
    }


def _log_parameters(run_id: str, parameters: Mapping[str, str]) -> None:
    entries = list(parameters.items())
    for start in range(0, len(entries), PARAMETERS_A_BATCH):
        mlflow.log_params(dict(entries[start : start + PARAMETERS_A_BATCH]), run_id=run_id)


def _tags(run_params: dict[str, Any]) -> dict[str, str]:
    tags = {
        "kedro_command": without_password(shlex.join(["kedro", *sys.argv[1:]])),
        "env": run_params.get("env") or "local",
        "params": without_password(json.dumps(as_plain(run_params.get("runtime_params") or {}))),
        "python": platform.python_version(),
    }
    if commit := git("rev-parse", "HEAD"):
        tags |= {"mlflow.source.git.commit": commit, "git_dirty": str(bool(git("status", "--porcelain"))).lower()}
    return tags
