"""Template `segmentation`: a network learns to say which class every pixel of a picture belongs to."""

from uncrappify.pipelines.segmentation.parameters import Parameters
from uncrappify.pipelines.segmentation.pipeline import create_pipeline

__all__ = ["Parameters", "create_pipeline"]
