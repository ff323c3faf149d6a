"""Using a model: prediction on pictures of any size."""

from uncrappify.inference.restorer import Restorer
from uncrappify.inference.segmenter import Segmenter
from uncrappify.inference.tiled import predict_picture

__all__ = ["Restorer", "Segmenter", "predict_picture"]
