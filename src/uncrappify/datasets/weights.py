"""A trained model as one safetensors file that says what it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro_datasets._typing import JSONPreview
from pydantic import ValidationError
from pydantic_core import from_json

from uncrappify.atomic import written_whole
from uncrappify.datasets.description import KINDS, AnyDescription, parse_description
from uncrappify.datasets.file import FileDataset
from uncrappify.errors import UserError, tell_mistake
from uncrappify.models import outline

if TYPE_CHECKING:
    from torch import Tensor

# Everything about the model is one JSON text under this key of the file's metadata.
METADATA_KEY = "uncrappify"
LARGEST_HEADER, LONGEST_DESCRIPTION = 20 << 20, 8 << 20
"""Bytes of what a file says of itself: 50,000 words of any language fit in it."""

FLOATS = ("F16", "BF16", "F32", "F64")
WHOLE = {"torch.int64": ("I64",), "torch.int32": ("I32",), "torch.uint8": ("U8",), "torch.bool": ("BOOL",)}
"""Types of numbers, as files name them, for those of the network; a float may be kept in more or in fewer bits."""

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
    """Read a weights file, after what it holds has been compared with the network that it says it belongs to.

    Args:
        path: A safetensors file that this project wrote.

    Returns:
        Weights on the CPU, and the description.

    Raises:
        UserError: If the file is missing, cut short, or not one of this project's.
    """
    from safetensors import safe_open

    description = read_description(path)
    try:
        wanted = outline(description.kind, description.model, description.to_build)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    with _damage_reported(path), safe_open(path, framework="pt") as file:
        _compare(path, {name: file.get_slice(name) for name in file.keys()}, wanted)  # noqa: SIM118 (not a mapping)
        state = {name: file.get_tensor(name) for name in wanted}
    if strange := [
        name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()
    ]:
        raise UserError(f"{path}: {strange[0]} holds values that are not numbers. {HINT}")
    return TrainedModel(state, description)


def read_description(path: Path) -> AnyDescription:
    """Read what a weights file says of its model, without the weights.

    Raises:
        UserError: As :func:`read_weights`.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise UserError(f"{path}: there is no such file. {HINT}")
    with _damage_reported(path):
        with path.open("rb") as opened:
            if int.from_bytes(opened.read(8), "little") > LARGEST_HEADER:
                raise UserError(f"{path}: not a weights file of this project, or not a whole safetensors file. {HINT}")
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
    if text is None:
        raise UserError(f"{path}: these weights do not say which model they belong to. {HINT}")
    try:
        if len(text.encode()) > LONGEST_DESCRIPTION:
            raise ValueError("too long")
        return parse_description(from_json(text))
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False, include_input=False)
        if first["type"] == "union_tag_invalid":
            raise UserError(
                f"{path}: this version of uncrappify does not know what these weights are for "
                f"({first['ctx']['tag'][:100]}; it knows {', '.join(KINDS)}). Update uncrappify."
            ) from error
        # Pydantic's place begins with the kind.
        told = tell_mistake(error).partition(".")[2]
        raise UserError(f"{path}: the description of the model is wrong: {told[:400]}. {HINT}") from error
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path}: the description of the model cannot be read. {HINT}") from error


def _compare(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and types in a file's header with those of a network.

    Args:
        path: The file.
        found: Name to what safetensors knows of a tensor before it is read.
        wanted: Name to a tensor, such as :func:`uncrappify.models.outline` gives.

    Raises:
        UserError: If they differ.
    """
    wrong = sorted(found.keys() ^ wanted.keys())
    wrong += [name for name, tensor in wanted.items() if name in found and not _fits(found[name], tensor)]
    if wrong:
        raise UserError(
            f"{path}: the weights are not those of the network that they are said to be of: {len(wrong)} of "
            f"{len(wanted)} are missing, unknown, or of another shape or type, such as {wrong[0][:100]}. {HINT}"
        )


def _fits(found: Any, wanted: Tensor) -> bool:
    types = FLOATS if wanted.is_floating_point() else WHOLE.get(str(wanted.dtype), ())
    return tuple(found.get_shape()) == tuple(wanted.shape) and found.get_dtype() in types


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a whole safetensors file ({error}). Copy it again, or: {HINT}") from error


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
        description = data.description.model_dump(mode="json", exclude_none=True)
        text = json.dumps(description, sort_keys=True, ensure_ascii=False)
        # Not save_file: it reports a full disk in a way of its own.
        content = save({name: tensor.contiguous() for name, tensor in data.state.items()}, {METADATA_KEY: text})
        with written_whole(self._filepath) as path:
            path.write_bytes(content)

    def preview(self) -> JSONPreview:
        """Show the description."""
        return JSONPreview(read_description(self._filepath).model_dump_json(exclude_none=True))
