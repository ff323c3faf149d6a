"""A run of a part of a pipeline: what it takes from earlier runs has to be there, and made as is said now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner

from uncrappify.errors import UserError
from uncrappify.parameters.messages import format_value
from uncrappify.parameters.tree import flatten

PARAMETER = "params:"


def find_missing(pipeline: Pipeline, catalog: DataCatalog) -> Pipeline:
    """Give the nodes that ``--only-missing-outputs`` leaves; the runner finds them only after all hooks were called."""
    return SequentialRunner()._filter_pipeline_for_missing_outputs(pipeline, catalog)


def find_read(node: Node, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Find the parameters that a node reads.

    Args:
        node: The node.
        tree: All parameters.

    Returns:
        Dotted name (``superres.training``) to value. A mirror is left out: it changes nothing of what is read from it.
    """
    names = [name.removeprefix(PARAMETER) for name in node.inputs if name.startswith(PARAMETER)]
    found: dict[str, Any] = {}
    for name in names:
        value: Any = tree
        for key in name.split("."):
            value = value[key]
        found[name] = _without_mirrors(value)
    return found


def check_left_out(
    whole: Pipeline,
    running: Pipeline,
    catalog: DataCatalog,
    read: Mapping[str, Mapping[str, Any]],
    tree: Mapping[str, Any],
) -> None:
    """Check what a partial run takes from the nodes that it leaves out.

    Args:
        whole: The pipeline.
        running: What runs of it; where that is no node, all is taken from earlier runs.
        catalog: Has the results.
        read: Node to the parameters that it read when it last ran; empty where nothing was noted yet.
        tree: All parameters.

    Raises:
        UserError: If a result is missing, is older than what it was made from, or was made with other parameters.
    """
    taken = (running.inputs() if running.nodes else whole.all_outputs()) & whole.all_outputs()
    # A model that is only evaluated may be missing.
    needed = {name for node in running.nodes if "evaluation" not in node.tags for name in node.inputs}
    spared = {name for name in taken - needed if getattr(catalog.get(name), "optional", False)}
    taken = {name for name in taken if name not in spared or catalog.exists(name)}
    if not taken:
        return
    # Who trains some of several models compares them with the others as these are: each says itself how it came about.
    trains = any("training" in node.tags for node in running.nodes)
    for node in (node for node in whole.to_outputs(*sorted(taken)).nodes if node not in running.nodes):
        for name in (name for name in node.outputs if name in taken and not catalog.exists(name)):
            raise UserError(
                f"{name} is not there yet: the node {node.name} makes it, and this run leaves that node out. Run the "
                f"whole pipeline first, or from that node on (--from-nodes {node.name})."
            )
        # Whoever only evaluates a model that was trained before compares what it has learned from.
        if read and (not taken & set(node.outputs) <= spared or (node.name in read and not trains)):
            _check_parameters(node, read.get(node.name), find_read(node, tree))


def _check_parameters(node: Node, before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> None:
    if before is None:
        raise UserError(
            f"{node.name}, which this run leaves out, has not run to its end since a node before it has. Run the whole "
            f"pipeline, or from that node on (--from-nodes {node.name})."
        )
    then, given = dict(flatten(dict(before))), dict(flatten(dict(now)))
    for name in (name for name in {**then, **given} if then.get(name) != given.get(name)):
        was, wanted = format_value(then.get(name)), format_value(given.get(name))
        raise UserError(
            f"{name}: {node.name}, which this run leaves out, ran with {was} and not with {wanted}. Run from that node "
            f"(--from-nodes {node.name}), or leave {name} as it was."
        )


def _without_mirrors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_mirrors(entry) for key, entry in value.items() if key != "mirror"}
    return value
