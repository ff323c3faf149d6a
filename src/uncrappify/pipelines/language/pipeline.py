"""How the nodes of a language pipeline hang together."""

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from uncrappify.parameters.delivery import find_trained_models
from uncrappify.pipelines.language import nodes


def create_pipeline(name: str, section: Mapping[str, Any]) -> Pipeline:
    """Instantiate the template.

    Args:
        name: Namespace, which is the pipeline's name.
        section: The pipeline's parameters in ``conf/base``, which name its models.

    Returns:
        The pipeline.
    """
    models = find_trained_models(section)
    choice = {key: f"params:{key}" for key in ("source", "valid_blocks", "test_blocks", "seed")}
    split = {"tokens": "tokens", "vocabulary": "vocabulary", "kind": "params:split", **choice}
    evaluate = Node(
        nodes.evaluate,
        {key: key for key in ("tokens", "vocabulary", "split")}
        | {"source": "params:source", "delivers": "params:delivers"}
        | {f"{model}_model": f"{model}.model" for model in models},
        ["comparison", "ladder", "delivered", "test_metrics", "model_card"]
        + [f"{model}.{output}" for model in models for output in ("test_metrics", "model_card")],
        name="evaluate",
        tags="evaluation",
    )
    return Pipeline(
        [
            Node(nodes.write, "params:source", "text", name="write", tags="data"),
            Node(nodes.tokenize, ["text", "params:vocabulary"], ["tokens", "vocabulary"], name="tokenize", tags="data"),
            Node(nodes.split, split, "split", name="split", tags="data"),
            *(train(model) for model in models),
            evaluate,
        ],
        namespace=name,
    )


def train(model: str) -> Pipeline:
    """Give the node that trains a model, under the model's own namespace."""
    shared = ("tokens", "vocabulary", "split")
    inputs = {key: key for key in (*shared, "run")}
    inputs |= {key: f"params:{key}" for key in ("source", "model", "training", "seed")}
    outputs = ["model", "history", "curves", "layers", "training_metrics"]
    node = Node(nodes.train, inputs, outputs, name="train", tags=["training", model])
    return Pipeline([node], namespace=model, inputs=set(shared), parameters={"source", "seed"})
