"""The options of ``run``: Kedro's, read without a loss, and checked before anything is done with them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import kedro.runner
import yaml
from kedro.framework.cli import project
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner
from kedro.utils import load_obj

from uncrappify.errors import UserError
from uncrappify.parameters.arguments import Typed, parse_arguments
from uncrappify.parameters.files import read_yaml, show_path
from uncrappify.parameters.messages import nearest

# Of these, several may be given: they are joined.
SEVERAL = (
    *("from_inputs", "to_outputs", "from_nodes", "to_nodes", "node_names", "tags", "namespaces", "pipelines"),
    *("load_versions", "params", "runner_params"),
)
PARAMETERS = ("params", "runner_params")


def make_options() -> list[click.Parameter]:
    """Make the options: Kedro's own, of which none is lost where two have one name, with texts taken as typed."""
    return [*map(_keep_all, project.run.params), click.Option(["--verbose"], is_flag=True, help="Show tracebacks.")]


def check_options(names: Collection[str], params: Mapping[str, Any]) -> None:
    """Say which names of pipelines, nodes, tags and so on are unknown; Kedro does so in a traceback.

    Args:
        names: Of the pipelines.
        params: Kedro's options by their Python names.

    Raises:
        UserError: If there is no such thing, or the options leave nothing to run.
    """
    for name in names:
        if name not in pipelines:
            raise UserError(nearest("pipeline", name, pipelines))
    nodes = [node for name in names for node in pipelines[name].nodes]
    namespaces = {node.namespace for node in nodes if node.namespace}
    datasets = {data for name in names for data in pipelines[name].datasets() if not data.startswith("params:")}
    known = {
        "node": ({node.name for node in nodes}, ("from_nodes", "to_nodes", "node_names")),
        "tag": ({tag for node in nodes for tag in node.tags}, ("tags",)),
        "namespace": ({part for full in namespaces for part in _parents(full)}, ("namespaces",)),
        "dataset": (datasets, ("from_inputs", "to_outputs", "load_versions")),
    }
    for kind, (there, options) in known.items():
        for given in (given for option in options for given in params.get(option) or ()):
            if given not in there:
                raise UserError(nearest(kind, given, sorted(there)))
    _check_runner(params.get("runner"), params.get("runner_params") or {})
    for name in names:
        _check_filters(name, pipelines[name], params)


def _parents(namespace: str) -> Iterator[str]:
    parts = namespace.split(".")
    return (".".join(parts[:number]) for number in range(1, len(parts) + 1))


def _check_filters(name: str, pipeline: Pipeline, params: Mapping[str, Any]) -> None:
    """Say so where the options leave no node of a pipeline."""
    options = ("tags", "from_nodes", "to_nodes", "node_names", "from_inputs", "to_outputs")
    filters = {option: given for option in options if (given := params.get(option))}
    if namespaces := params.get("namespaces"):
        filters["node_namespaces"] = namespaces
    try:
        pipeline.filter(**filters)
    except ValueError as error:
        raise UserError(
            f"nothing of the pipeline {name} is left to run: {', '.join(map(_option, filters))} have no node in common."
        ) from error


def _option(name: str) -> str:
    return {"node_names": "--nodes", "node_namespaces": "--namespaces"}.get(name, f"--{name.replace('_', '-')}")


def _check_runner(name: str | None, options: Mapping[str, Any]) -> None:
    """Say that there is no such runner, or that it does not take these options."""
    known = [each for each, value in vars(kedro.runner).items() if _is_runner(value)]
    try:
        runner = load_obj(name or "SequentialRunner", "kedro.runner")
    except (ImportError, AttributeError, ValueError):
        runner = None
    if not _is_runner(runner):
        raise UserError(nearest("runner", name, known))
    try:
        runner(**options)
    except (TypeError, ValueError) as error:
        raise UserError(f"--runner-params: {name or 'SequentialRunner'} does not take them: {error}.") from error


def _is_runner(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, AbstractRunner) and not inspect.isabstract(value)


def _keep_all(option: click.Parameter) -> click.Parameter:
    """Let an option be given several times: Kedro keeps the last and forgets the others."""
    option = copy.copy(option)
    if not isinstance(option, click.Option) or option.is_flag or option.name is None:
        return option
    option.multiple, option.default = True, ()
    option.callback = _join(option.name, _read_config if option.name == "config" else option.callback)
    return option


def _join(name: str, callback: Callable[..., Any] | None) -> Callable[..., Any]:
    def join(context: click.Context, option: click.Parameter, values: tuple[Any, ...]) -> Any:
        if name in PARAMETERS:
            return _parse(name, values)
        if len(values) > 1 and name not in SEVERAL:
            raise UserError(f"{option.opts[0]} is given twice: {', '.join(values)}. Give one.")
        value = ",".join(values) if name in SEVERAL else values[0] if values else None
        return callback(context, option, value) if callback else value

    return join


def _parse(name: str, values: tuple[Any, ...]) -> dict[str, Any]:
    if len(values) == 1 and isinstance(values[0], dict):
        return values[0]
    given = parse_arguments(*values)
    return given if name == "params" else {key: getattr(value, "value", value) for key, value in given.items()}


def _read_config(context: click.Context, option: click.Parameter, file: str | None) -> str | None:
    """Take the options that are not on the command line from a file, with texts as they are written there."""
    if not file:
        return file
    shown, section = show_path(Path(file)), context.info_name or "run"
    if not isinstance(given := read_yaml(Path(file)).get(section), dict):
        raise UserError(f"{shown}: expected options in a section {section}, as in {section}: {{pipelines: superres}}.")
    written = _as_written(yaml.compose(Path(file).read_text(encoding="utf-8-sig"), yaml.SafeLoader))[section]
    known = [each.name for each in project.run.params if each.name and each.name != option.name]
    defaults = {}
    for name, value in given.items():
        if name not in known:
            raise UserError(f"{shown}: {nearest('option', name, known)}")
        defaults[name] = _as_default(shown, name, value, written[name])
    context.default_map = {**(context.default_map or {}), **defaults}
    return file


def _as_default(file: str, name: str, value: Any, written: Any) -> Any:
    if isinstance(value, bool) and name not in SEVERAL:
        return value
    if isinstance(written, dict):
        if name not in PARAMETERS:
            raise UserError(f"{file}: {name}: expected a text, or a list of texts.")
        return (written if name == "params" else value,)
    if isinstance(value, list):
        written = ",".join(map(str, value))
    return (str(written),)


def _as_written(node: yaml.Node | None) -> Any:
    """Turn a node into a tree with :class:`Typed` where YAML would make something else than a text."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: _as_written(value) for key, value in node.value}
    if isinstance(node, yaml.ScalarNode):
        if node.tag == "tag:yaml.org,2002:null":
            return Typed("null")
        return str(node.value) if node.tag == "tag:yaml.org,2002:str" else Typed(node.value)
    return Typed(yaml.serialize(node, width=1_000_000).strip())
