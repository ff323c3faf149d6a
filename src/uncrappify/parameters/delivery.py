"""Which models a pipeline has, which of them it delivers, and where the weights lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.utils import find_kedro_project
from pydantic import BaseModel

from uncrappify.errors import UserError
from uncrappify.names import expand
from uncrappify.parameters.messages import nearest
from uncrappify.parameters.sections import read_sections
from uncrappify.state import recover_state

DATA, SMOKE, MODELS = "data/", "data/smoke/", "06_models"
BEST = "best"
"""What ``delivers`` says where the best of the models is delivered, which the evaluation finds."""


class Delivered(BaseModel):
    """What an evaluation notes of the models that it compares.

    Attributes:
        model: The one that the pipeline delivers.
    """

    model: str = ""


def find_models(section: Mapping[str, Any]) -> list[str]:
    """Find the models of a pipeline that has several: the keys that hold ``model`` and ``training``.

    Args:
        section: The pipeline's parameters, as in YAML.
    """
    return [key for key, value in section.items() if isinstance(value, Mapping) and {"model", "training"} <= set(value)]


def trains(section: Mapping[str, Any]) -> bool:
    """Whether a pipeline makes weights."""
    return bool(find_models({"": section, **section}))


def find_trained_models(section: Mapping[str, Any]) -> list[str]:
    """Find the models for which there are nodes: one without stages, and without weights to start from, is none."""
    parts = (("training", "stages"), ("model", "weights"))
    return [
        name
        for name in find_models(section)
        if any(isinstance(part := section[name][key], Mapping) and part.get(needed) for key, needed in parts)
    ]


def find_delivered(section: Mapping[str, Any]) -> str | None:
    """Say which model a pipeline delivers: what ``delivers`` names, else the last.

    Returns:
        Its name, or ``best``; empty where the pipeline itself is the one model, and None where ``delivers`` is null.
    """
    models = find_trained_models(section)
    given: str | None = section.get("delivers", "")
    return models[-1] if models and given == "" else given


def find_weights(given: str, *, smoke: bool = False) -> Path:
    """Find a weights file by its path, or by the name of a pipeline (``superres``, ``digits.cnn``) of this project.

    Args:
        given: What a user has written.
        smoke: Whether those of smoke runs come first.

    Returns:
        The file, which may be missing.

    Raises:
        UserError: If the pipeline has no such model, or delivers none.
    """
    file = expand(given)
    if file.is_file():
        return file
    pipeline, _, model = given.partition(".")
    section = read_sections().get(pipeline)
    if section is None:
        return file
    models = find_models(section)
    if not trains(section):
        raise UserError(f"{pipeline} trains no model. Name a pipeline that does, such as superres.")
    if model and not models:
        raise UserError(f"{pipeline} has one model, which goes by the pipeline's name: {pipeline}.")
    if model and model not in models:
        raise UserError(nearest(f"model of {pipeline}", model, models))
    delivered = model or find_delivered(section)
    if delivered is None:
        raise UserError(f"{pipeline} delivers no model; name one of its own, such as {pipeline}.{models[-1]}.")
    root = find_kedro_project(Path.cwd()) or Path.cwd()
    places = [root / data / MODELS / pipeline for data in ((SMOKE, DATA) if smoke else (DATA,))]
    files = [_find_model(place, delivered) for place in places]
    found = next((file for file in files if file.is_file()), files[-1])
    if delivered == BEST and not found.is_file():
        raise UserError(
            f"{pipeline} delivers the best of its models, and none is evaluated yet. Run it first (kedro run "
            f"--pipeline {pipeline}), or name one of its own, such as {pipeline}.{models[-1]}."
        )
    return found


def find_trained_weights(given: str) -> Path:
    """Find a weights file as :func:`find_weights` does, and say how to get one that a model of a pipeline has not yet.

    Raises:
        UserError: If the pipeline has no such model, delivers none, or has not trained it.
    """
    file = find_weights(given)
    pipeline = given.partition(".")[0]
    if not file.is_file() and pipeline in read_sections():
        raise UserError(f"{given} is not trained yet. Train it first: kedro run --pipeline {pipeline}")
    return file


def _find_model(place: Path, delivered: str) -> Path:
    """Give the file of a model's weights in the pipeline's folder; of the best model's where that is delivered."""
    if delivered == BEST:
        note = place / "delivered.json"
        delivered = recover_state(note, Delivered, Delivered, "which model is the best is not known").model
    return place / delivered / "model.safetensors"
