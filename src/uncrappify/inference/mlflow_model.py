"""The trained model as MLflow knows models: an array in, an array out."""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from uncrappify.datasets.weights import read_description
from uncrappify.inference.predictor import predictor_of

REQUIREMENTS = (
    "kedro",
    "kedro-datasets",
    "mlflow",
    "numpy",
    "pillow",
    "pydantic",
    "pyyaml",
    "safetensors",
    "torch",
)
"""What the package imports to load a model and apply it."""

DIGEST = "uncrappify.weights_sha256"
"""Tag of a logged model: hash of its weights file."""

WITH_ENCODERS = ("huggingface_hub", "timm", "torchvision")
MORE_REQUIREMENTS = {"unet": WITH_ENCODERS, "timm": WITH_ENCODERS}
"""What some models import besides."""


def log_model(weights: Path, name: str = "model") -> None:
    """Log a weights file as a model of the active run, with a signature; `mlflow.pyfunc.load_model` gives it back.

    A run that goes on has it already, where its training had ended. The package's own code travels with it, as one file
    that Python imports from, so that loading needs no checkout; the versions of its requirements are those that are
    installed now.

    Args:
        weights: A ``model.safetensors``.
        name: Of the logged model.
    """
    digest = sha256(weights.read_bytes()).hexdigest()
    if any(tags.get(DIGEST) == digest for tags in _tags_of_logged_models()):
        return
    description = read_description(weights)
    more = MORE_REQUIREMENTS.get(description.model, ())
    predictor = predictor_of(description)
    given = _describe(predictor.input_type, predictor.input_shape)
    output = _describe(predictor.output_type, predictor.output_shape)
    with TemporaryDirectory() as folder:
        code = Path(folder) / "uncrappify.zip"
        _pack(code)
        mlflow.pyfunc.log_model(
            name=name,
            python_model=str(Path(__file__).with_name("logged_model.py")),
            # As URLs: MLflow takes a plain path for one, in which `?` and `%41` mean something else.
            artifacts={"weights": weights.absolute().as_uri(), "code": code.absolute().as_uri()},
            signature=ModelSignature(inputs=given, outputs=output),
            tags={DIGEST: digest},
            # Without what follows a plus: torch 2.9.0+cpu is no version that the package index has.
            pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in (*REQUIREMENTS, *more)],
        )


def _describe(kind: str, shape: tuple[int, ...]) -> Schema:
    """Describe arrays; texts as a column, which MLflow takes from a list, a table or an array."""
    return Schema([ColSpec(DataType.string) if kind == "str" else TensorSpec(np.dtype(kind), shape)])


def _tags_of_logged_models() -> list[dict[str, str]]:
    run = mlflow.active_run()
    outputs = mlflow.get_run(run.info.run_id).outputs if run else None
    client = mlflow.MlflowClient()
    return [client.get_logged_model(output.model_id).tags for output in (outputs.model_outputs if outputs else [])]


def _pack(file: Path) -> None:
    """Put the package into a file that Python imports from."""
    package = Path(__file__).parents[1]
    with ZipFile(file, "w", ZIP_DEFLATED, strict_timestamps=False) as archive:
        for source in sorted(package.rglob("*.py")):
            archive.write(source, source.relative_to(package.parent))
