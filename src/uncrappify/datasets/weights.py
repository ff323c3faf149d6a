"""A trained model as one safetensors file that says what it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro_datasets._typing import JSONPreview
from pydantic import ValidationError

from uncrappify.atomic import written_whole
from uncrappify.datasets.description import KINDS, AnyDescription, parse_description
from uncrappify.datasets.file import FileDataset
from uncrappify.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

# Everything about the model is one JSON text under this key of the file's metadata.
METADATA_KEY = "uncrappify"
HINT = "Give a model.safetensors that a pipeline of this project wrote (data/06_models/<pipeline>/)."


@dataclass(frozen=True)
class TrainedModel:
    """Weights with all that is needed to use and to judge them.

    Args:
        state: Parameter name to tensor.
        description: What the model is: its kind, model and options rebuild the network.
    """

    state: dict[str, Tensor]
    description: AnyDescription

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, shapes and values of all weights, in hexadecimal."""
        import torch

        digest = hashlib.sha256()
        for name, tensor in sorted(self.state.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            # As bytes: numpy has no bfloat16.
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


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

    description = read_description(path)
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise _report_damage(path, error) from error
    return TrainedModel(state, description)


def read_description(path: Path) -> AnyDescription:
    """Read what a weights file says of its model, without the weights.

    Raises:
        UserError: As :func:`read_weights`.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"{path}: there is no such file. {HINT}")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise _report_damage(path, error) from error
    if METADATA_KEY not in metadata:
        raise UserError(f"{path}: these weights do not say which model they belong to. {HINT}")
    try:
        return parse_description(json.loads(metadata[METADATA_KEY]))
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        if first["type"] == "union_tag_invalid":
            raise UserError(
                f"{path}: this version of uncrappify does not know what these weights are for "
                f"({first['ctx']['tag']}; it knows {', '.join(KINDS)}). Update uncrappify."
            ) from error
        place = ".".join(map(str, first["loc"][1:]))
        raise UserError(f"{path}: the description of the model is wrong: {place}: {first['msg']}. {HINT}") from error
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path}: the description of the model cannot be read. {HINT}") from error


def _report_damage(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: not a whole safetensors file ({error}). Copy it again, or: {HINT}")


class Weights(FileDataset[TrainedModel | None]):
    """A trained model on disk.

    Args:
        filepath: The file.
        optional: Whether it may be missing; it is None then.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, optional: bool = False, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self.optional = optional

    def load(self) -> TrainedModel | None:
        """Read weights and description."""
        return None if self.optional and not self._exists() else read_weights(self._filepath)

    def save(self, data: TrainedModel | None) -> None:
        """Write weights and description into one file."""
        from safetensors.torch import save

        assert data is not None
        text = json.dumps(data.description.model_dump(mode="json", exclude_none=True), sort_keys=True)
        # Not save_file: it reports a full disk in a way of its own.
        content = save({name: tensor.contiguous() for name, tensor in data.state.items()}, {METADATA_KEY: text})
        with written_whole(self._filepath) as path:
            path.write_bytes(content)

    def preview(self) -> JSONPreview:
        """Show the description."""
        return JSONPreview(read_description(self._filepath).model_dump_json(exclude_none=True))
