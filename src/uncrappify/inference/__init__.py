"""Using a model: prediction on pictures of any size."""

from uncrappify.inference.restorer import Restorer
from uncrappify.inference.tiled import predict_picture

__all__ = ["Restorer", "predict_picture"]
