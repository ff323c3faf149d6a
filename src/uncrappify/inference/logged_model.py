"""What MLflow runs to give a logged model back; it lies in the model, beside the package that it takes from there."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class LoggedModel(PythonModel):
    """Applies a weights file to pictures, or to texts."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights by the code that was logged with them, or by the package that is imported already."""
        if "uncrappify" not in sys.modules:
            sys.path.insert(0, context.artifacts["code"])
        from uncrappify.inference import load_predictor

        self.apply = load_predictor(Path(context.artifacts["weights"]))

    def predict(self, context: PythonModelContext, model_input: Any, params: Any = None) -> npt.NDArray[Any]:
        """Restore pictures, segment them, say which classes they belong to, or go on writing texts.

        Args:
            context: Given by MLflow.
            model_input: (N, H, W, 3), uint8, RGB; a picture is (1, H, W, 3). Texts: (N,).
            params: None are known.

        Returns:
            (N, H * scale, W * scale, 3), uint8, or the classes of their pixels (N, H, W), uint8, or the probabilities
            of their classes (N, classes), float32, or how each text goes on (N,).
        """
        given = np.asarray(model_input, dtype=self.apply.input_type)
        if given.dtype.kind == "U":
            # Texts come as the one column of a table.
            given = given.reshape(-1)
        return np.stack([self.apply(one) for one in given])


set_model(LoggedModel())
