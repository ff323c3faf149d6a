"""How the nodes of a restoration pipeline hang together."""

from collections.abc import Callable, Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from uncrappify.pipelines.nodes import split
from uncrappify.pipelines.restoration import nodes


def create_pipeline(name: str, _: Mapping[str, Any]) -> Pipeline:
    """Instantiate the template.

    Args:
        name: Namespace, which is the pipeline's name: node ``superres.train``, parameter ``params:superres.model``.
        _: The pipeline's parameters in ``conf/base``; this template has the same nodes for all.

    Returns:
        The pipeline.
    """
    return Pipeline(
        [
            *prepare(),
            train(tags="training"),
            Node(
                nodes.evaluate,
                ["raw", "degraded", "split", "params:recipe", "params:seed", "model", "params:evaluation"],
                ["scores", "test_draws", "comparison", "sheet", "test_metrics", "model_card"],
                name="evaluate",
                tags="evaluation",
            ),
        ],
        namespace=name,
        # Shared by all pipelines: what two of them name is downloaded once.
        inputs="raw_data",
    )


def prepare() -> list[Node]:
    """Give the nodes that bring good pictures and their degraded twins."""
    return [
        Node(
            nodes.download,
            ["params:source", "params:test_source", "raw_data"],
            "raw",
            name="download",
            tags="data",
        ),
        Node(nodes.list_pictures, "raw", ["manifest", "listing_metrics"], name="list", tags="data"),
        Node(
            nodes.crappify,
            ["raw", "manifest", "params:recipe", "params:seed"],
            ["degraded", "draws", "damage"],
            name="crappify",
            tags="data",
        ),
        Node(split, ["raw", "manifest"], "split", name="split", tags="data"),
    ]


def train(tags: str | list[str], function: Callable[..., Any] = nodes.train) -> Node:
    """Give the node that trains a network to undo the damage, by this function."""
    return Node(
        function,
        {
            "raw": "raw",
            "degraded": "degraded",
            "split": "split",
            "recipe": "params:recipe",
            "model": "params:model",
            "training": "params:training",
            "seed": "params:seed",
            "run": "run",
        },
        ["model", "history", "curves", "layers", "training_metrics"],
        name="train",
        tags=tags,
    )
