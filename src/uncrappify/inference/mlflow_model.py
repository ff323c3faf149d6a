"""The trained model as MLflow knows models: an array in, an array out."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import Schema, TensorSpec

import uncrappify
from uncrappify.datasets.weights import read_weights

WEIGHTS = "weights"

REQUIREMENTS = (
    "filelock",
    "kedro",
    "kedro-datasets",
    "mlflow",
    "numpy",
    "pandas",
    "pillow",
    "pydantic",
    "pyyaml",
    "rich",
    "safetensors",
    "torch",
)
"""What the package imports to load a model and apply it."""

MORE_REQUIREMENTS = {"unet": ("timm", "torchvision")}
"""What some models import besides."""


class PictureModel(PythonModel):
    """Applies a weights file to pictures."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights that were logged with the model."""
        self.apply = uncrappify.load(context.artifacts[WEIGHTS])

    def predict(self, context: PythonModelContext, model_input: Any, params: Any = None) -> npt.NDArray[np.uint8]:
        """Restore pictures, or segment them.

        Args:
            context: Given by MLflow.
            model_input: (N, H, W, 3), uint8, RGB; a picture is (1, H, W, 3).
            params: None are known.

        Returns:
            (N, H * scale, W * scale, 3), uint8, or the classes (N, H, W), uint8.
        """
        return np.stack([self.apply(picture) for picture in np.asarray(model_input, dtype=np.uint8)])


def log_model(weights: Path, name: str = "model") -> None:
    """Log a weights file as an MLflow model with a signature; `mlflow.pyfunc.load_model` gives it back.

    The package's own code travels with it, so that loading needs no checkout, and the versions of its requirements are
    those that are installed now.

    Args:
        weights: A ``model.safetensors``.
        name: Of the logged model.
    """
    description = read_weights(weights).description
    more = MORE_REQUIREMENTS.get(description["model"], ())
    picture = Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))])
    classes = Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1))])
    output = classes if description.get("task") == "segmentation" else picture
    mlflow.pyfunc.log_model(
        name=name,
        python_model=PictureModel(),
        artifacts={WEIGHTS: str(weights)},
        signature=ModelSignature(inputs=picture, outputs=output),
        code_paths=[str(Path(uncrappify.__file__).parent)],
        # Without what follows a plus: torch 2.9.0+cpu is no version that the package index has.
        pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in (*REQUIREMENTS, *more)],
    )
