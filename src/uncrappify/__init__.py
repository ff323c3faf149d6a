"""Train models that undo damage to pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uncrappify.inference import Predictor

__version__ = "0.1.0"


def load(weights: str | Path) -> Predictor[Any]:
    """Load a trained model from its one weights file, wherever that file has gone.

    Example:
        >>> restore = uncrappify.load("model.safetensors")
        >>> restore(Image.open("small.jpg")).save("large.png")

    Args:
        weights: A ``model.safetensors`` that a pipeline of this project wrote, or, within the project, the name of a
            pipeline (``superres``) for what it delivers, or of one of its models (``digits.cnn``).

    Returns:
        A callable that takes a picture: it gives the restored one, one whose values are classes, or the names of
        classes with their probabilities.

    Raises:
        UserError: If the file is missing, cut short, or not one of this project's.
    """
    from uncrappify.inference import load_predictor
    from uncrappify.parameters.delivery import find_trained_weights

    return load_predictor(find_trained_weights(str(weights)))
