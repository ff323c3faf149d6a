"""Check the whole tree of parameters before anything runs, fill in defaults, and explain mistakes to a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uncrappify.errors import UserError


class Shortcuts(BaseModel):
    """Runtime parameters that hold for every pipeline, short because people type them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pictures: str | None = Field(None, description="A folder of the user's own pictures, in place of the source")
    smoke: bool = Field(False, description="Run every node with two batches a stage, to see that all works")


class TemplateParameters(Protocol):
    """What the parameter model of a template can do."""

    def with_pictures(self, folder: str) -> Self:
        """Take the pictures of a folder instead of the source's."""

    def smoke(self) -> Self:
        """Train two batches a stage."""


def template_parameters(template: str) -> type[BaseModel]:
    """Give the Pydantic model that checks a template's section."""
    model: type[BaseModel] = import_module(f"uncrappify.pipelines.{template}").Parameters
    return model


def complete(tree: Mapping[str, Any], templates: Mapping[str, str]) -> dict[str, Any]:
    """Check every section, fill in the defaults and carry out the shortcuts.

    Args:
        tree: Merged parameters: a section a pipeline, and shortcuts (``pictures``, ``smoke``).
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


def nearest(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that a name is unknown, which one was probably meant, and which there are.

    Example:
        >>> nearest("loss", "l3", ["l1", "mse"])
        'There is no loss "l3"; did you mean "l1"? Known: l1, mse.'
    """
    known = list(known)
    matches = get_close_matches(str(name), known, n=1, cutoff=0.5)
    guess = f'; did you mean "{matches[0]}"?' if matches else "."
    return f'There is no {kind} "{name}"{guess} Known: {", ".join(known)}.'


def explain(error: ValidationError, model: type[BaseModel], path: tuple[str, ...] = ()) -> str:
    """Turn a validation error into sentences for the person who wrote the parameters.

    Args:
        error: What Pydantic found.
        model: The model that was validated.
        path: Where the model's section lies in the whole tree.

    Returns:
        A line for each mistake, five at most.
    """
    schema = model.model_json_schema()
    lines = [_sentence(dict(details), schema, path) for details in error.errors()]
    lines = list(dict.fromkeys(lines))
    more = [f"... and {len(lines) - 5} more."] if len(lines) > 5 else []
    return "\n".join(lines[:5] + more)


def _validated(model: type[BaseModel], section: Any, path: tuple[str, ...]) -> Any:
    try:
        return model.model_validate(section)
    except ValidationError as error:
        raise UserError(explain(error, model, path)) from error


def _sentence(details: dict[str, Any], schema: dict[str, Any], path: tuple[str, ...]) -> str:
    location = tuple(part for part in details["loc"])
    where = ".".join(map(str, path + location)) or "parameters"
    kind, given, message = details["type"], details["input"], details["msg"]
    if kind == "extra_forbidden":
        siblings = _at(schema, schema, location[:-1]).get("properties", {})
        return f"{where} is not a parameter. {nearest('parameter', location[-1], siblings)}"
    node = _at(schema, schema, location)
    if kind == "missing":
        return f"{where} is missing. Expected: {_with_name(location, node, schema)}."
    if kind == "literal_error":
        return f"{where}: {nearest('choice', given, map(str, node.get('enum', [node.get('const')])))}"
    message = message.removeprefix("Value error, ")
    if kind.endswith("_type") or kind.endswith("_parsing"):
        return f"{where}: expected {_with_name(location, node, schema)}, got {given!r}."
    if kind in ("value_error", "assertion_error") or message[-1:] in ".?":
        return f"{where}: {message}"
    return f"{where}: {message[:1].lower() + message[1:]}, got {given!r}."


def _with_name(location: tuple[Any, ...], node: dict[str, Any], schema: dict[str, Any]) -> str:
    form = _form(node, schema)
    return f"{location[-1]}: {form}" if location and form[:1] in "[{" else form


def _at(node: dict[str, Any], schema: dict[str, Any], location: tuple[Any, ...]) -> dict[str, Any]:
    node = _resolved(node, schema)
    for part in location:
        if isinstance(part, int):
            node = _resolved(node.get("items", {}), schema)
        elif part in node.get("properties", {}):
            node = _resolved(node["properties"][part], schema)
    return node


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference; of several forms, take their properties together."""
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    forms = [_resolved(form, schema) for form in node.get("anyOf", node.get("oneOf", []))]
    properties = {name: value for form in forms for name, value in form.get("properties", {}).items()}
    if properties:
        return {"properties": properties, "oneOf": forms}
    return node


def _form(node: dict[str, Any], schema: dict[str, Any]) -> str:
    """Sketch what a value looks like: ``[{size, batch_size, steps}]``."""
    node = _resolved(node, schema)
    if "properties" in node:
        separator = " | " if node.get("maxProperties") == 1 or "oneOf" in node else ", "
        return "{" + separator.join(node["properties"]) + "}"
    if node.get("type") == "array":
        return f"[{_form(node.get('items', {}), schema)}]"
    if "enum" in node:
        return " | ".join(map(str, node["enum"]))
    forms = node.get("anyOf", node.get("oneOf", []))
    if forms:
        return " or ".join(dict.fromkeys(_form(form, schema) for form in forms))
    kinds = {"integer": "a whole number", "number": "a number", "string": "a text", "boolean": "true or false"}
    return kinds.get(node.get("type", ""), "nothing" if node.get("type") == "null" else "a value")
