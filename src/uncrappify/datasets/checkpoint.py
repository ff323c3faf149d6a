"""The checkpoint of a stage: written whole, and believed only where every byte is as it was written."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError

from uncrappify.atomic import written_whole
from uncrappify.errors import tell_mistake
from uncrappify.state import BrokenStateError


class Clock(BaseModel):
    """What :class:`uncrappify.training.callbacks.Clock` has measured; version 0.1 did not note validations."""

    model_config = ConfigDict(strict=True)

    position: NonNegativeInt
    seconds: NonNegativeFloat
    step_seconds: list[float]
    seconds_waited: NonNegativeFloat
    peak_memory_mb: NonNegativeFloat
    watched: NonNegativeInt | None = None


class Saver(BaseModel):
    """What :class:`uncrappify.training.callbacks.Saver` knows; version 0.1 noted no more than the end."""

    model_config = ConfigDict(strict=True)

    ended: bool
    fingerprint: str = ""
    rows: NonNegativeInt = 0


class Callbacks(BaseModel):
    """The parts of the training that have something to keep, by their class; a learner's own ones too."""

    model_config = ConfigDict(extra="allow")

    clock: Clock = Field(alias="Clock")
    saver: Saver = Field(alias="Saver")
    delivery: dict[str, Any] = Field({}, alias="Delivery")


class Checkpoint(BaseModel):
    """What Lightning writes, as far as this project looks into it."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    # Lightning reads it before anything else.
    version: str = Field(alias="pytorch-lightning_version", pattern=r"^\d+(\.\d+)+(\.post\d+)?$")
    state_dict: dict[str, Any]
    callbacks: Callbacks
    loops: dict[str, Any]
    optimizer_states: list[dict[str, Any]]
    lr_schedulers: list[dict[str, Any]]

    @property
    def fingerprint(self) -> str:
        """Of the training."""
        return self.callbacks.saver.fingerprint


def read_checkpoint(file: Path) -> Checkpoint:
    """Read a checkpoint, and nothing in it that could run code.

    Args:
        file: That :func:`write_checkpoint` wrote.

    Returns:
        The checkpoint, with tensors on the CPU.

    Raises:
        BrokenStateError: If it is damaged, or is something else.
    """
    import torch

    try:
        # torch itself does not compare what it reads with the checksums that it has written.
        with ZipFile(file) as archive:
            damaged = archive.testzip()
        found = None if damaged else torch.load(file, weights_only=True, map_location="cpu")
    except Exception as error:  # of zip files and pickles alike, for any bytes
        raise BrokenStateError(f"{file} cannot be read ({type(error).__name__})") from error
    if damaged:
        raise BrokenStateError(f"{file} is damaged")
    try:
        return Checkpoint.model_validate(found)
    except ValidationError as error:
        raise BrokenStateError(f"{file} is not a checkpoint ({tell_mistake(error)})") from error


def write_checkpoint(checkpoint: dict[str, Any], file: Path) -> None:
    """Write a checkpoint beside the old one, on the disk, and put it in its place.

    Args:
        checkpoint: Tensors, numbers and text, in dictionaries and lists.
        file: Where to.

    Raises:
        UserError: If the disk is full, or there is no permission.
    """
    import torch

    # Not into the file at once: torch reports a full disk in a way of its own.
    content = BytesIO()
    torch.save(checkpoint, content)
    with written_whole(file) as temporary:
        temporary.write_bytes(content.getbuffer())
