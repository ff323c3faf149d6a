"""How the nodes of a segmentation pipeline hang together."""

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from uncrappify.pipelines.nodes import split
from uncrappify.pipelines.segmentation import nodes


def create_pipeline(name: str, _: Mapping[str, Any]) -> Pipeline:
    """Instantiate the template.

    Args:
        name: Namespace, which is the pipeline's name.
        _: The pipeline's parameters in ``conf/base``; this template has the same nodes for all.

    Returns:
        The pipeline.
    """
    return Pipeline(
        [
            Node(nodes.download, ["params:source", "raw_data"], "raw", name="download", tags="data"),
            Node(
                nodes.list_pictures,
                ["raw", "params:labels"],
                ["manifest", "class_pixels", "listing_metrics"],
                name="list",
                tags="data",
            ),
            Node(split, ["raw", "manifest"], "split", name="split", tags="data"),
            Node(
                nodes.train,
                {
                    "raw": "raw",
                    "split": "split",
                    "class_pixels": "class_pixels",
                    "labels": "params:labels",
                    "model": "params:model",
                    "training": "params:training",
                    "seed": "params:seed",
                    "run": "run",
                },
                ["model", "history", "curves", "layers", "training_metrics"],
                name="train",
                tags="training",
            ),
            Node(
                nodes.evaluate,
                ["raw", "split", "params:labels", "params:seed", "model", "params:evaluation"],
                ["scores", "class_scores", "comparison", "confusion", "sheet", "test_metrics", "model_card"],
                name="evaluate",
                tags="evaluation",
            ),
        ],
        namespace=name,
        # Shared by all pipelines: what two of them name is downloaded once.
        inputs="raw_data",
    )
