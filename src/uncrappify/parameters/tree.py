"""Check the whole tree of parameters before anything runs, and fill in defaults."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.parameters.messages import Location, explain, nearest, written

SCHEMAS = Path("conf/schema")


class Shortcuts(BaseModel):
    """Runtime parameters that hold for every pipeline, short because people type them."""

    # A folder may be called 2024, which is a number when it is typed.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    pictures: str | None = Field(None, description="A folder of the user's own pictures, in place of the source")
    mirror: str | None = Field(
        None, description="A folder or URL that has the archives and a SHA256SUMS, in place of their own addresses"
    )
    smoke: bool = Field(False, description="Run every node with two batches a stage, to see that all works")

    @field_validator("pictures", "mirror", mode="before")
    @classmethod
    def _says_where(cls, given: Any) -> Any:
        # What Kedro makes of "--params pictures=" is nothing at all, which must not pass for not being there.
        if given is None or given == "":
            raise ValueError("it is empty; give a folder (or, for mirror, a URL), or leave it out.")
        return given


class TemplateParameters(Protocol):
    """What the parameter model of a template can do."""

    @property
    def folders(self) -> list[Path]:
        """The user's own folders, which are read in place."""

    def with_pictures(self, folder: str) -> Self:
        """Take the pictures of a folder instead of the source's."""

    def with_mirror(self, mirror: str) -> Self:
        """Take archives from a folder or URL instead of their own addresses."""

    def smoke(self) -> Self:
        """Train two batches a stage."""


def template_parameters(template: str) -> type[BaseModel]:
    """Give the Pydantic model that checks a template's section."""
    model: type[BaseModel] = import_module(f"uncrappify.pipelines.{template}").Parameters
    return model


def complete(tree: Mapping[str, Any], templates: Mapping[str, str]) -> dict[str, Any]:
    """Check every section, fill in the defaults and carry out the shortcuts.

    Args:
        tree: Merged parameters: a section a pipeline, and shortcuts (``pictures``, ``mirror``, ``smoke``).
        templates: Pipeline name to template name.

    Returns:
        The same tree with plain values, complete.

    Raises:
        UserError: If a name is unknown or a value does not fit.
    """
    names = [*templates, *Shortcuts.model_fields]
    for name in tree:
        if name not in names:
            raise UserError(nearest("parameter", name, names))
    shortcuts = _validated(Shortcuts, {name: tree[name] for name in Shortcuts.model_fields if name in tree}, ())
    sections: dict[str, Any] = {}
    for name, template in templates.items():
        parameters: Any = _validated(template_parameters(template), tree.get(name, {}), (name,))
        if shortcuts.pictures:
            parameters = parameters.with_pictures(shortcuts.pictures)
        if shortcuts.mirror:
            parameters = parameters.with_mirror(shortcuts.mirror)
        if shortcuts.smoke:
            parameters = parameters.smoke()
        sections[name] = parameters.model_dump(mode="json")
    sections |= shortcuts.model_dump(exclude_none=True)
    return sections


def flatten(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk a tree of parameters.

    Args:
        tree: Dicts and lists down to plain values.
        prefix: Name of the tree itself.

    Yields:
        Dotted name and plain value, such as ``("superres.training.stages.0.lr", 0.003)``.
    """
    if isinstance(tree, Mapping) and tree:
        items: Iterable[tuple[Any, Any]] = tree.items()
    elif isinstance(tree, list) and any(isinstance(item, Mapping | list) for item in tree):
        items = enumerate(tree)
    else:
        yield prefix, tree
        return
    for key, value in items:
        yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))


def schema(template: str) -> dict[str, Any]:
    """Describe a parameter file to editors, which then complete and check it while it is written.

    Args:
        template: Of all pipelines in the file.

    Returns:
        JSON Schema (draft 2020-12) of an object whose every property is a section of the template.
    """
    section = template_parameters(template).model_json_schema()
    definitions = section.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Parameters of {template} pipelines",
        "description": f"Pipeline name to the parameters of a pipeline that is made from the template {template}.",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Parameters"},
        "$defs": {"Parameters": section, **definitions},
    }


def write_schemas(folder: Path) -> None:
    """Write ``<template>.json`` for every template; ``python -m uncrappify.parameters`` does so in conf/schema."""
    from uncrappify.pipeline_registry import TEMPLATES

    for template in TEMPLATES:
        with written_whole(folder / f"{template}.json") as path:
            path.write_text(json.dumps(schema(template), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _validated(model: type[BaseModel], section: Any, path: Location) -> Any:
    try:
        validated = model.model_validate(section)
    except ValidationError as error:
        raise UserError(explain(error, model, path)) from error
    for name, value in flatten(validated.model_dump(), ".".join(map(str, path))):
        numbers = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(number, float) and not isfinite(number) for number in numbers):
            raise UserError(f"{name}: expected finite numbers, got {written(value)}.")
    return validated
