"""How the nodes of a classification pipeline hang together."""

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from uncrappify.parameters.delivery import find_trained_models
from uncrappify.pipelines.classification import nodes


def create_pipeline(name: str, section: Mapping[str, Any]) -> Pipeline:
    """Instantiate the template.

    Args:
        name: Namespace, which is the pipeline's name.
        section: The pipeline's parameters in ``conf/base``, which name its models.

    Returns:
        The pipeline.
    """
    models = find_trained_models(section)
    evaluate = Node(
        nodes.evaluate,
        {"pixels": "pixels", "split": "split", "classes": "classes", "evaluation": "params:evaluation"}
        | {"delivers": "params:delivers"}
        | {f"{model}_model": f"{model}.model" for model in models},
        ["comparison", "confusion", "sheet", "delivered", "test_metrics", "model_card"]
        + [f"{model}.{output}" for model in models for output in ("test_metrics", "model_card")],
        name="evaluate",
        tags="evaluation",
    )
    return Pipeline(
        [*prepare(), *(train(model) for model in models), evaluate],
        namespace=name,
        # Shared by all pipelines: what two of them name is downloaded once.
        inputs="raw_data",
    )


def prepare() -> list[Node]:
    """Give the nodes that bring labelled pictures, and decode them once for all models."""
    return [
        Node(nodes.download, ["params:source", "raw_data"], "raw", name="download", tags="data"),
        Node(nodes.list_pictures, "raw", ["manifest", "listing_metrics"], name="list", tags="data"),
        Node(nodes.split, ["raw", "manifest"], ["split", "classes"], name="split", tags="data"),
        Node(nodes.decode, ["raw", "split", "params:size"], "pixels", name="decode", tags="data"),
    ]


def train(model: str) -> Pipeline:
    """Give the node that trains a model, under the model's own namespace."""
    shared = ("raw", "split", "classes", "pixels")
    inputs = {key: key for key in (*shared, "run")} | {key: f"params:{key}" for key in ("model", "training", "seed")}
    outputs = ["model", "history", "curves", "layers", "training_metrics"]
    node = Node(nodes.train, inputs, outputs, name="train", tags=["training", model])
    return Pipeline([node], namespace=model, inputs=set(shared), parameters={"seed"})
