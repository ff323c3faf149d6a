"""How the one node of a pipeline that applies a model hangs together."""

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from uncrappify.pipelines.apply import nodes


def create_pipeline(name: str, _: Mapping[str, Any]) -> Pipeline:
    """Instantiate the template.

    Args:
        name: Namespace, which is the pipeline's name.
        _: The pipeline's parameters in ``conf/base``; this template has the same node for all.

    Returns:
        The pipeline.
    """
    node = Node(
        nodes.apply,
        ["params:weights", "params:pictures", "params:options", "applied"],
        ["results", "sheet", "apply_metrics"],
        name="apply",
    )
    return Pipeline([node], namespace=name)
