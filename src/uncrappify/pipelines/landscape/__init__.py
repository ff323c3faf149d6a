"""Template for pipelines that show what additions do for deep nets: training errors, and the loss around weights."""

from uncrappify.pipelines.landscape.parameters import Parameters
from uncrappify.pipelines.landscape.pipeline import create_pipeline

__all__ = ["Parameters", "create_pipeline"]
