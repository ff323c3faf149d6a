"""Template `restoration`: good pictures are degraded by a recipe, and a network learns to undo it."""

from uncrappify.pipelines.restoration.parameters import Parameters
from uncrappify.pipelines.restoration.pipeline import create_pipeline

__all__ = ["Parameters", "create_pipeline"]
