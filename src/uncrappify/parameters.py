"""Check the whole tree of parameters before anything runs, fill in defaults, and explain mistakes to a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError

Location = tuple[str | int, ...]
SCHEMAS = Path("conf/schema")
MISTAKES_SHOWN = 5
LONGEST_VALUE = 60


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


def located(location: Location, message: str) -> ValidationError:
    """Give an error for a validator of a whole model that knows which of its parameters is wrong.

    Args:
        location: Of the wrong parameter, seen from the model.
        message: What is wrong and what to do, without the parameter's name.
    """
    mistake = PydanticCustomError("located", "{message}", {"message": message})
    return ValidationError.from_exception_data("", [InitErrorDetails(type=mistake, loc=location, input=None)])


def nearest(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that a name is unknown, which one was probably meant, and which there are.

    Example:
        >>> nearest("loss", "l3", ["l1", "mse"])
        'There is no loss "l3"; did you mean "l1"? Known: l1, mse.'
    """
    known = list(known)
    meant = _meant(name, known)
    guess = f'; did you mean "{meant}"?' if meant else "."
    return f'There is no {kind} "{name}"{guess} Known: {", ".join(known)}.'


def explain(error: ValidationError, model: type[BaseModel], path: Location = ()) -> str:
    """Turn a validation error into sentences for the person who wrote the parameters.

    Args:
        error: What Pydantic found.
        model: The model that was validated.
        path: Where the model's section lies in the whole tree.

    Returns:
        A line for each mistake, five at most.
    """
    form = model.model_json_schema()
    mistakes = error.errors(include_url=False)
    # A misspelt key that had to be there is one mistake, not two.
    misspelt = [details["loc"] for details in mistakes if details["type"] == "extra_forbidden"]
    meant = {(*loc[:-1], _meant(loc[-1], _siblings(form, loc))) for loc in misspelt}
    told = [details for details in mistakes if details["type"] != "missing" or details["loc"] not in meant]
    lines = list(dict.fromkeys(_sentence(dict(details), form, path) for details in told))
    more = [f"... and {len(lines) - MISTAKES_SHOWN} more."] if len(lines) > MISTAKES_SHOWN else []
    return "\n".join(lines[:MISTAKES_SHOWN] + more)


def _validated(model: type[BaseModel], section: Any, path: Location) -> Any:
    try:
        validated = model.model_validate(section)
    except ValidationError as error:
        raise UserError(explain(error, model, path)) from error
    for name, value in flatten(validated.model_dump(), ".".join(map(str, path))):
        numbers = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(number, float) and not isfinite(number) for number in numbers):
            raise UserError(f"{name}: expected finite numbers, got {_written(value)}.")
    return validated


def _meant(name: object, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(str(name), list(known), n=1, cutoff=0.5)), None)


def _siblings(schema: dict[str, Any], location: Location) -> list[str]:
    return list(_at(schema, schema, location[:-1]).get("properties", {}))


def _sentence(details: dict[str, Any], schema: dict[str, Any], path: Location) -> str:
    location, kind, given = details["loc"], details["type"], details["input"]
    where = ".".join(map(str, (*path, *location)))
    node = _at(schema, schema, location)
    expected = _named(location, _form(node, schema)) + _bounds(node)
    if kind == "extra_forbidden":
        return f"{where}: {_lowered(nearest('parameter', location[-1], _siblings(schema, location)))}"
    if kind == "missing":
        return f"{where} is missing: expected {expected}."
    if kind == "literal_error":
        return f"{where}: {_lowered(nearest('choice', given, _choices(node)))}"
    if kind in ("too_short", "string_too_short"):
        return f"{where} is empty: expected {expected}."
    if kind.startswith(("greater_than", "less_than", "too_long", "int_from")) or kind.endswith(("_type", "_parsing")):
        return f"{where}: expected {expected}, got {_written(given)}."
    message = _lowered(details["msg"].removeprefix("Value error, "))
    if message.endswith((".", "?")):
        return f"{where}: {message}"
    got = f"; got {_written(given)}" if isinstance(given, str | int | float) else ""
    return f"{where}: {message}{got}."


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _written(value: Any) -> str:
    """Write a value as it stands in the YAML file, cut short."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _flow(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _flow(value: Any) -> str:
    try:
        return yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).splitlines()[0]
    except yaml.YAMLError:
        return str(value)


def _named(location: Location, form: str) -> str:
    return f"{location[-1]}: {form}" if location and isinstance(location[-1], str) and form[:1] in "[{" else form


def _choices(node: dict[str, Any]) -> list[str]:
    return [str(choice) for choice in node.get("enum", [node.get("const")])]


def _at(node: dict[str, Any], schema: dict[str, Any], location: Location) -> dict[str, Any]:
    node = _resolved(node, schema)
    for part in location:
        if isinstance(part, int):
            node = _resolved(_entries(node, part + 1)[part], schema)
        else:
            node = _resolved(node.get("properties", {}).get(part, {}), schema)
    return node


def _entries(node: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Give the forms of a list's first entries."""
    return [*node.get("prefixItems", []), *[node.get("items", {})] * number]


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references; of several forms with names in them, take the names together."""
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    forms = [_resolved(form, schema) for form in node.get("anyOf", node.get("oneOf", []))]
    mappings = [form for form in forms if "properties" in form]
    if len(mappings) == 1:
        return mappings[0]
    if mappings:
        names = {name: value for form in mappings for name, value in form["properties"].items()}
        return {"properties": names, "maxProperties": 1}
    return node


def _form(node: dict[str, Any], schema: dict[str, Any]) -> str:
    """Sketch what a value looks like: ``[{size, batch_size, steps}]``."""
    node = _resolved(node, schema)
    if "properties" in node:
        separator = " | " if node.get("maxProperties") == 1 else ", "
        return "{" + separator.join(node["properties"]) + "}"
    if node.get("type") == "array":
        fixed = node.get("minItems", 1) if node.get("minItems") == node.get("maxItems") else 1
        return "[" + ", ".join(_form(entry, schema) for entry in _entries(node, fixed)[:fixed]) + "]"
    if "enum" in node or "const" in node:
        return " | ".join(_choices(node))
    if forms := node.get("anyOf", node.get("oneOf", [])):
        return " or ".join(dict.fromkeys(_form(form, schema) for form in forms))
    kinds = {"integer": "a whole number", "number": "a number", "string": "a text", "boolean": "true or false"}
    return kinds.get(node.get("type", ""), "nothing" if node.get("type") == "null" else "a value")


def _bounds(node: dict[str, Any]) -> str:
    """Say how large a number may be: `` from 1 to 24``."""
    if "minimum" in node and "maximum" in node:
        return f" from {node['minimum']} to {node['maximum']}"
    said = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "of at most", "exclusiveMaximum": "below"}
    bounds = [f"{text} {node[key]}" for key, text in said.items() if key in node]
    return " " + " and ".join(bounds) if bounds else ""


if __name__ == "__main__":
    write_schemas(SCHEMAS)
