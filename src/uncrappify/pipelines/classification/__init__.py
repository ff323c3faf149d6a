"""Template for pipelines that train networks to say which class a picture belongs to, and compare them."""

from uncrappify.pipelines.classification.parameters import Parameters
from uncrappify.pipelines.classification.pipeline import create_pipeline

__all__ = ["Parameters", "create_pipeline"]
