"""A trained model as one safetensors file that says what it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro_datasets._typing import JSONPreview

from uncrappify.atomic import written_whole
from uncrappify.datasets.file import FileDataset
from uncrappify.errors import UserError
from uncrappify.tracking.provenance import provenance

if TYPE_CHECKING:
    from torch import Tensor

# Everything about the model is one JSON text under this key of the file's metadata.
METADATA_KEY = "uncrappify"


@dataclass(frozen=True)
class TrainedModel:
    """Weights with all that is needed to use and to judge them.

    Args:
        state: Parameter name to tensor.
        description: What the model is, as plain values: ``model`` (name) and ``options`` rebuild the network;
            ``scale``, ``recipe``, ``normalisation``, ``metrics``, ``data`` say what it does and where it comes from.
    """

    state: dict[str, Tensor]
    description: dict[str, Any]


def read_weights(path: Path) -> TrainedModel:
    """Read a weights file.

    Args:
        path: A safetensors file that this project wrote.

    Returns:
        Weights on the CPU, and the description.

    Raises:
        UserError: If the file is missing, cut short, or not one of this project's.
    """
    from safetensors import SafetensorError, safe_open

    hint = "Give a model.safetensors that a pipeline of this project wrote (data/06_models/<pipeline>/)."
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. {hint}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if METADATA_KEY not in metadata:
                raise UserError(f"{path}: these weights do not say which model they belong to. {hint}")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise UserError(f"{path}: not a whole safetensors file ({error}). Copy it again, or: {hint}") from error
    return TrainedModel(state, json.loads(metadata[METADATA_KEY]))


class Weights(FileDataset[TrainedModel]):
    """A trained model on disk; run id, commit and version are added to its description when it is saved."""

    def load(self) -> TrainedModel:
        """Read weights and description."""
        return read_weights(self._filepath)

    def save(self, data: TrainedModel) -> None:
        """Write weights and description into one file."""
        from safetensors.torch import save

        text = json.dumps(data.description | provenance(), sort_keys=True)
        # Not save_file: it reports a full disk in a way of its own.
        content = save({name: tensor.contiguous() for name, tensor in data.state.items()}, {METADATA_KEY: text})
        with written_whole(self._filepath) as path:
            path.write_bytes(content)

    def preview(self) -> JSONPreview:
        """Show the description."""
        return JSONPreview(json.dumps(self.load().description))
