"""Template for pipelines that apply a trained model to a user's own pictures."""

from uncrappify.pipelines.apply.parameters import Parameters
from uncrappify.pipelines.apply.pipeline import create_pipeline

__all__ = ["Parameters", "create_pipeline"]
