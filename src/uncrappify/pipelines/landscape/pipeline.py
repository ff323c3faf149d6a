"""How the nodes of a landscape pipeline hang together."""

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Node, Pipeline

from uncrappify.parameters.delivery import find_trained_models
from uncrappify.pipelines.classification.pipeline import prepare, train
from uncrappify.pipelines.landscape import nodes


def create_pipeline(name: str, section: Mapping[str, Any]) -> Pipeline:
    """Instantiate the template.

    Args:
        name: Namespace, which is the pipeline's name.
        section: The pipeline's parameters in ``conf/base``, which name its models.

    Returns:
        The pipeline.
    """
    models = find_trained_models(section)
    shared = {"pixels": "pixels", "split": "split", "classes": "classes", "options": "params:survey"}
    survey = Node(
        nodes.survey,
        shared
        | {"seed": "params:seed", "folder": "surveys"}
        | {f"{model}_{part}": f"{model}.{part}" for model in models for part in ("model", "run")},
        ["fits", "losses", "surface", "path", "plane"] + [f"{model}.test_metrics" for model in models],
        name="survey",
        tags="evaluation",
    )
    draw = Node(
        nodes.draw,
        ["fits", "losses", "surface", "path", "plane", "params:survey"],
        ["comparison", "surfaces", "contours", "descent", "training_losses", "test_metrics"],
        name="draw",
        tags="evaluation",
    )
    return Pipeline(
        [*prepare(), *(train(model) for model in models), survey, draw],
        namespace=name,
        # Shared by all pipelines: what two of them name is downloaded once.
        inputs="raw_data",
    )
