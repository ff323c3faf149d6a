"""How the nodes of an adversarial pipeline hang together."""

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from uncrappify.parameters.delivery import find_trained_models
from uncrappify.pipelines.adversarial import nodes
from uncrappify.pipelines.restoration.pipeline import prepare, train

OUTPUTS = ["model", "history", "curves", "layers", "training_metrics"]


def create_pipeline(name: str, section: Mapping[str, Any]) -> Pipeline:
    """Instantiate the template.

    Args:
        name: Namespace, which is the pipeline's name.
        section: The pipeline's parameters in ``conf/base``, which say which models are trained.

    Returns:
        The pipeline.
    """
    models = find_trained_models(section)
    parts: dict[str, list[Node | Pipeline]] = {
        "generator": [_train_generator()],
        "critic": [_generate(), _train_critic()],
        "gan": [_train_gan()],
    }
    return Pipeline(
        [*prepare(), *(part for model in models for part in parts[model]), _evaluate(models)],
        namespace=name,
        # Shared by all pipelines: what two of them name is downloaded once.
        inputs="raw_data",
    )


def _train_generator() -> Pipeline:
    shared = {"raw", "degraded", "split"}
    return Pipeline(
        [train(tags=["training", "generator"], function=nodes.train_generator)],
        namespace="generator",
        inputs=shared,
        parameters={"recipe", "seed"},
    )


def _generate() -> Node:
    return Node(
        nodes.generate,
        ["raw", "degraded", "split", "params:recipe", "params:seed", "generator.model"],
        "generated",
        name="generate",
        tags=["training", "critic"],
    )


def _train_critic() -> Pipeline:
    inputs = ["raw", "degraded", "generated", "split", "generator_model"]
    parameters = ["recipe", "objective", "model", "training", "seed"]
    node = Node(
        nodes.train_critic,
        {name: name for name in (*inputs, "run")} | {name: f"params:{name}" for name in parameters},
        OUTPUTS,
        name="train",
        tags=["training", "critic"],
    )
    return Pipeline(
        [node],
        namespace="critic",
        inputs={name: name for name in inputs[:-1]} | {"generator_model": "generator.model"},
        parameters={"recipe", "objective", "seed"},
    )


def _train_gan() -> Pipeline:
    inputs = ["raw", "degraded", "split", "generator_model", "critic_model"]
    parameters = ["recipe", "objective", "r3", "model", "training", "seed"]
    node = Node(
        nodes.train_gan,
        {name: name for name in (*inputs, "run")} | {name: f"params:{name}" for name in parameters},
        [*OUTPUTS, "film"],
        name="train",
        tags=["training", "gan"],
    )
    return Pipeline(
        [node],
        namespace="gan",
        inputs={name: name for name in inputs[:-2]}
        | {f"{model}_model": f"{model}.model" for model in ("generator", "critic")},
        parameters={"recipe", "objective", "r3", "seed"},
    )


def _evaluate(models: list[str]) -> Node:
    parameters = ["recipe", "seed", "evaluation", "delivers"]
    return Node(
        nodes.evaluate,
        {name: name for name in ("raw", "degraded", "split")}
        | {name: f"params:{name}" for name in parameters}
        | {f"{model}_model": f"{model}.model" for model in models},
        ["scores", "test_draws", "comparison", "sheet", "test_metrics", "model_card"]
        + [f"{model}.{output}" for model in models for output in ("test_metrics", "model_card")],
        name="evaluate",
        tags="evaluation",
    )
