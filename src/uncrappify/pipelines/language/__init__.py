"""Template for pipelines that train networks to say which word of a text follows, and compare them."""

from uncrappify.pipelines.language.parameters import Parameters
from uncrappify.pipelines.language.pipeline import create_pipeline

__all__ = ["Parameters", "create_pipeline"]
