"""Check the whole tree of parameters before anything runs, and fill in defaults."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails, PydanticKnownError

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.parameters.delivery import DATA, SMOKE
from uncrappify.parameters.messages import Location, explain, format_value, nearest
from uncrappify.parameters.sections import TEMPLATES, import_template
from uncrappify.parameters.template import SeveralModels, TemplateParameters, section_parameters

SCHEMAS = Path("conf/schema")
#: Mistakes of a value that has to be a text, or one of several, and is something else.
NO_TEXT = ("string_type", "path_type", "literal_error")

Written = Callable[[Location, Any], str | None]
"""Gives the source of a value by its place in the whole tree, or None."""


class Shortcuts(BaseModel):
    """Runtime parameters that hold for every pipeline, short because people type them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pictures: str | None = Field(None, description="A folder of the user's own pictures, in place of the source")
    text: str | None = Field(None, description="A folder of the user's own .txt files, in place of the source")
    weights: str | None = Field(
        None, description="A model.safetensors, a pipeline's name, a run's id or models:/<name>@<alias>, to be applied"
    )
    mirror: str | None = Field(
        None, description="A folder or URL that has the archives and a SHA256SUMS, in place of their own addresses"
    )
    memory: float = Field(
        1.0,
        gt=0,
        description="GB that pictures, copies included, take at most while they are listed, degraded or read, in all "
        "threads together; one that needs more on its own is over a limit",
    )
    smoke: bool = Field(
        False, description="Run every node with two batches a stage, to see that all works, and keep it in data/smoke"
    )

    @field_validator("pictures", "text", "weights", "mirror", mode="before")
    @classmethod
    def _says_where(cls, given: Any) -> Any:
        # Nothing must not pass for not being there; a folder may be called null.
        if given is None:
            raise PydanticKnownError("string_type")
        if given == "":
            raise ValueError("it is empty; give a folder (for mirror also a URL, for weights a file), or leave it out.")
        return given

    def apply(self, parameters: TemplateParameters) -> TemplateParameters:
        """Change the parameters of a pipeline.

        Raises:
            UserError: If a shortcut has no meaning for it.
        """
        if self.pictures:
            parameters = parameters.with_pictures(self.pictures)
        if self.text:
            parameters = parameters.with_text(self.text)
        if self.weights:
            parameters = parameters.with_weights(self.weights)
        if self.mirror:
            parameters = parameters.with_mirror(self.mirror)
        return parameters.shorten() if self.smoke else parameters


def complete(
    tree: Mapping[str, Any],
    sections: Mapping[str, Mapping[str, Any]],
    running: Collection[str] | None = None,
    written: Written = lambda *_: None,
) -> dict[str, Any]:
    """Check every section, fill in the defaults and carry out the shortcuts.

    Args:
        tree: Merged parameters: a section a pipeline, and shortcuts (``pictures``, ``text``, ``mirror``, ``smoke``).
        sections: Pipeline name to its section in ``conf/base``, which has its template and its models.
        running: Pipelines that the shortcuts are meant for; None: all.
        written: Gives the source of a value: what has to be a text is taken as it is written.

    Returns:
        The same tree with plain values, complete.

    Raises:
        UserError: If a name is unknown, a value does not fit, or a shortcut has no meaning for a pipeline that runs.
    """
    names = [*sections, *Shortcuts.model_fields]
    for name in tree:
        if name not in names:
            raise UserError(nearest("parameter", name, names))
    shortcuts = _validate(Shortcuts, {name: tree[name] for name in Shortcuts.model_fields if name in tree}, (), written)
    done: dict[str, Any] = {}
    for name, section in sections.items():
        parameters = parse_section(name, tree.get(name, {}), section, written)
        if running is None or name in running:
            parameters = shortcuts.apply(parameters)
        done[name] = parameters.find_weights(smoke=shortcuts.smoke).model_dump(mode="json")
    done |= shortcuts.model_dump(exclude_none=True)
    return done


def parse_section(
    name: str, given: Any, section: Mapping[str, Any], written: Written = lambda *_: None
) -> TemplateParameters:
    """Check the parameters of a pipeline.

    Args:
        name: Of the pipeline.
        given: Its parameters, merged from all environments.
        section: The same in ``conf/base``, which has its template and its models.
        written: As :func:`complete` takes it.

    Raises:
        UserError: If a name is unknown or a value does not fit.
    """
    template = import_template(section["template"]).Parameters
    parameters: TemplateParameters = _validate(section_parameters(template, section), given, (name,), written)
    return parameters


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
    parameters = import_template(template).Parameters
    section = parameters.model_json_schema()
    definitions = section.pop("$defs")
    if issubclass(parameters, SeveralModels) and parameters.each:
        model = parameters.each.model_json_schema()
        definitions |= model.pop("$defs") | {"Model": model}
        section["additionalProperties"] = {"$ref": "#/$defs/Model"}
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
    for template in TEMPLATES:
        with written_whole(folder / f"{template}.json") as path:
            path.write_text(json.dumps(schema(template), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _validate(model: type[BaseModel], section: Any, path: Location, written: Written) -> Any:
    while True:
        try:
            validated = model.model_validate(section)
            break
        except ValidationError as error:
            corrected = _take_as_written(section, error.errors(include_url=False), path, written)
            # Identity first: a section that is NaN is not equal to itself.
            if corrected is section or corrected == section:
                raise UserError(explain(error, model, path)) from error
            section = corrected
    for name, value in flatten(validated.model_dump(), ".".join(map(str, path))):
        numbers = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(number, float) and not isfinite(number) for number in numbers):
            raise UserError(f"{name}: expected finite numbers, got {format_value(value)}.")
    return validated


def _take_as_written(section: Any, mistakes: Iterable[ErrorDetails], path: Location, written: Written) -> Any:
    """Put the source in the place of each value that YAML has taken for something else than a text.

    Returns:
        A copy with texts; it is equal to ``section`` where there is nothing to do.
    """
    for mistake in mistakes:
        given, location = mistake["input"], mistake["loc"]
        if mistake["type"] not in NO_TEXT or isinstance(given, str):
            continue
        source = written((*path, *location), given)
        if source is None and mistake["type"] == "string_type" and (given is None or type(given) is int):
            # Given from Python.
            source = "" if given is None else str(given)
        if source is not None:
            section = _replace(section, location, source)
    return section


def _replace(tree: Any, location: Location, value: str) -> Any:
    """Give a copy of a tree with another value at a place, or the tree itself where it has no such place."""
    if not location:
        return value
    first, *rest = location
    try:
        changed = _replace(tree[first], tuple(rest), value)
    except (LookupError, TypeError):
        return tree
    if isinstance(tree, list):
        return [changed if number == first else entry for number, entry in enumerate(tree)]
    return {key: changed if key == first else entry for key, entry in tree.items()}


def keep_below_smoke(catalog: Any) -> Any:
    """Move every path of a catalog below ``data/smoke``: a smoke run must not take the place of an hour's result."""
    if isinstance(catalog, dict):
        return {key: keep_below_smoke(value) for key, value in catalog.items()}
    if isinstance(catalog, list):
        return [keep_below_smoke(value) for value in catalog]
    if isinstance(catalog, str) and catalog.startswith(DATA):
        return catalog.replace(DATA, SMOKE, 1)
    return catalog
