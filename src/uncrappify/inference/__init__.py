"""Using a model: prediction on pictures of any size."""

from uncrappify.inference.predictor import Predictor, load_predictor, predictor_of
from uncrappify.inference.restorer import Restorer
from uncrappify.inference.segmenter import Segmenter
from uncrappify.inference.tiled import predict_picture

__all__ = ["Predictor", "Restorer", "Segmenter", "load_predictor", "predict_picture", "predictor_of"]
