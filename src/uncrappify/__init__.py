"""Train models that undo damage to pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uncrappify.inference import Restorer, Segmenter

__version__ = "0.1.0"


def load(path: str | Path) -> Restorer | Segmenter:
    """Load a trained model from its one weights file, wherever that file has gone.

    Example:
        >>> restore = uncrappify.load("model.safetensors")
        >>> restore(Image.open("small.jpg")).save("large.png")

    Args:
        path: A ``model.safetensors`` that a pipeline of this project wrote.

    Returns:
        A callable from picture to picture: to the restored one, or to one whose values are classes.

    Raises:
        UserError: If the file is missing, cut short, or not one of this project's.
    """
    from uncrappify.datasets.weights import read_weights
    from uncrappify.inference import Restorer, Segmenter

    model = read_weights(Path(path))
    kind = Segmenter if model.description.get("task") == "segmentation" else Restorer
    return kind.from_trained(model)
