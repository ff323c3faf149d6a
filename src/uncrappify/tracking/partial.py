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
        running: What runs of it; where nothing does, all is taken from earlier runs.
        catalog: Has the results.
        read: Node to the parameters that it read when it last ran.
        tree: All parameters.

    Raises:
        UserError: If a result is missing, or was made with other parameters.
    """
    taken = (running.inputs() if running.nodes else whole.all_outputs()) & whole.all_outputs()
    taken = {name for name in taken if not getattr(catalog.get(name), "optional", False)}
    if not taken:
        return
    left_out = [node for node in whole.to_outputs(*sorted(taken)).nodes if node not in running.nodes]
    for node in left_out:
        now = dict(flatten(find_read(node, tree)))
        # Of a node that has left no note nothing is known, which is no contradiction.
        then = dict(flatten(read[node.name])) if node.name in read else now
        for name in (name for name in {**then, **now} if then.get(name) != now.get(name)):
            before, given = format_value(then.get(name)), format_value(now.get(name))
            raise UserError(
                f"{name}: {node.name}, which this run leaves out, ran with {before} and not with {given}. Run from "
                f"that node (--from-nodes {node.name}), or leave {name} as it was."
            )
        for name in (name for name in node.outputs if name in taken and not catalog.exists(name)):
            raise UserError(
                f"{name} is not there yet: {node.name} makes it, and this run leaves that node out. Run the whole "
                f"pipeline first, or from that node on (--from-nodes {node.name})."
            )


def _without_mirrors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_mirrors(entry) for key, entry in value.items() if key != "mirror"}
    return value
