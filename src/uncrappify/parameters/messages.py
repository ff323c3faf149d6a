"""Mistakes in parameters, told to the person who wrote them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Location = tuple[str | int, ...]
MISTAKES_SHOWN = 5
LONGEST_VALUE = 60


def nearest(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that a name is unknown, which one was probably meant, and which there are.

    Example:
        >>> nearest("loss", "l3", ["l1", "mse"])
        'There is no loss "l3"; did you mean "l1"? Known: l1, mse.'
    """
    known = list(known)
    return f'There is no {kind} "{name}"{guess(name, known)} Known: {", ".join(known)}.'


def guess(name: object, known: Iterable[str]) -> str:
    """Ask about the name that was probably meant, or end the sentence.

    Example:
        >>> guess("l3", ["l1", "mse"])
        '; did you mean "l1"?'
    """
    meant = _find_meant(name, known)
    return f'; did you mean "{meant}"?' if meant else "."


def report(location: Location, message: str) -> ValidationError:
    """Give an error for a validator of a whole model that knows which of its parameters is wrong.

    Args:
        location: Of the wrong parameter, seen from the model.
        message: What is wrong and what to do, without the parameter's name.
    """
    mistake = PydanticCustomError("mistake", "{message}", {"message": message})
    return ValidationError.from_exception_data("", [InitErrorDetails(type=mistake, loc=location, input=None)])


def report_missing(*location: str | int) -> ValidationError:
    """Give the error of a parameter that has to be there, for a validator that finds out only afterwards."""
    return ValidationError.from_exception_data("", [InitErrorDetails(type="missing", loc=location, input=None)])


def report_empty(*location: str | int) -> ValidationError:
    """Give the error of a list that must not be empty, for a validator that finds out only afterwards."""
    context = {"field_type": "List", "min_length": 1, "actual_length": 0}
    mistake = InitErrorDetails(type="too_short", loc=location, input=[], ctx=context)
    return ValidationError.from_exception_data("", [mistake])


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
    meant = {(*loc[:-1], _find_meant(loc[-1], _list_siblings(form, loc))) for loc in misspelt}
    told = [details for details in mistakes if details["type"] != "missing" or details["loc"] not in meant]
    lines = list(dict.fromkeys(_write_sentence(dict(details), form, path) for details in told))
    more = [f"... and {len(lines) - MISTAKES_SHOWN} more."] if len(lines) > MISTAKES_SHOWN else []
    return "\n".join(lines[:MISTAKES_SHOWN] + more)


def _find_meant(name: object, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(str(name), list(known), n=1, cutoff=0.5)), None)


def _list_siblings(schema: dict[str, Any], location: Location) -> list[str]:
    return list(_find_node(schema, schema, location[:-1]).get("properties", {}))


def _write_sentence(details: dict[str, Any], schema: dict[str, Any], path: Location) -> str:
    location, kind, given = details["loc"], details["type"], details["input"]
    where = ".".join(map(str, (*path, *location)))
    node = _find_node(schema, schema, location)
    expected = _add_name(location, _sketch(node, schema)) + _describe_bounds(node)
    if kind == "extra_forbidden":
        return f"{where}: {_lower_first(nearest('parameter', location[-1], _list_siblings(schema, location)))}"
    if kind == "missing":
        return f"{where} is missing: expected {expected}."
    if kind == "literal_error":
        return f"{where}: {_lower_first(nearest('choice', given, _list_choices(node)))}"
    if kind in ("too_short", "too_long") and details["ctx"]["actual_length"]:
        short, context = kind == "too_short", details["ctx"]
        bound = f"at least {context['min_length']}" if short else f"at most {context['max_length']}"
        return f"{where}: expected {bound} entries, got {context['actual_length']}."
    if kind in ("too_short", "string_too_short"):
        return f"{where} is empty: expected {expected}."
    if kind.startswith(("greater_than", "less_than", "too_long", "int_from")) or kind.endswith(("_type", "_parsing")):
        return f"{where}: expected {expected}, got {format_value(given)}."
    message = _lower_first(details["msg"].removeprefix("Value error, "))
    if message.endswith((".", "?")):
        return f"{where}: {message}"
    got = f"; got {format_value(given)}" if isinstance(given, str | int | float) else ""
    return f"{where}: {message}{got}."


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def format_value(value: Any) -> str:
    """Write a value as it stands in the YAML file, cut short."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _format_flow(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _format_flow(value: Any) -> str:
    try:
        return yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).splitlines()[0]
    except yaml.YAMLError:
        return str(value)


def _add_name(location: Location, form: str) -> str:
    return f"{location[-1]}: {form}" if location and isinstance(location[-1], str) and form[:1] in "[{" else form


def _list_choices(node: dict[str, Any]) -> list[str]:
    return [str(choice) for choice in node.get("enum", [node.get("const")])]


def _find_node(node: dict[str, Any], schema: dict[str, Any], location: Location) -> dict[str, Any]:
    node = _resolve(node, schema)
    for part in location:
        if isinstance(part, int):
            node = _resolve(_list_entries(node, part + 1)[part], schema)
        else:
            node = _resolve(node.get("properties", {}).get(part, {}), schema)
    return node


def _list_entries(node: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Give the forms of a list's first entries."""
    return [*node.get("prefixItems", []), *[node.get("items", {})] * number]


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references; of several forms with names in them, take the names together."""
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    forms = [_resolve(form, schema) for form in node.get("anyOf", node.get("oneOf", []))]
    given = [form for form in forms if form.get("type") != "null"]
    if len(given) == 1:
        # What may be left out is described by what may be given.
        return given[0]
    mappings = [form for form in forms if "properties" in form]
    if len(mappings) == 1:
        return mappings[0]
    if mappings:
        names = {name: value for form in mappings for name, value in form["properties"].items()}
        return {"properties": names, "maxProperties": 1}
    return node


def _sketch(node: dict[str, Any], schema: dict[str, Any]) -> str:
    """Sketch what a value looks like: ``[{size, batch_size, steps}]``."""
    node = _resolve(node, schema)
    if "properties" in node:
        separator = " | " if node.get("maxProperties") == 1 else ", "
        return "{" + separator.join(node["properties"]) + "}"
    if node.get("type") == "array":
        fixed = node.get("minItems", 1) if node.get("minItems") == node.get("maxItems") else 1
        return "[" + ", ".join(_sketch(entry, schema) for entry in _list_entries(node, fixed)[:fixed]) + "]"
    if "enum" in node or "const" in node:
        return " | ".join(_list_choices(node))
    if forms := node.get("anyOf", node.get("oneOf", [])):
        return " or ".join(dict.fromkeys(_sketch(form, schema) for form in forms))
    kinds = {"integer": "a whole number", "number": "a number", "string": "a text", "boolean": "true or false"}
    return kinds.get(node.get("type", ""), "nothing" if node.get("type") == "null" else "a value")


def _describe_bounds(node: dict[str, Any]) -> str:
    """Say how large a number may be: `` from 1 to 24``."""
    if "minimum" in node and "maximum" in node:
        return f" from {node['minimum']} to {node['maximum']}"
    said = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "of at most", "exclusiveMaximum": "below"}
    bounds = [f"{text} {node[key]}" for key, text in said.items() if key in node]
    return " " + " and ".join(bounds) if bounds else ""
