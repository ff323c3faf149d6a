"""Template for pipelines whose generator undoes damage so well that a critic takes the result for good pictures."""

from uncrappify.pipelines.adversarial.parameters import Parameters
from uncrappify.pipelines.adversarial.pipeline import create_pipeline

__all__ = ["Parameters", "create_pipeline"]
