"""Whether a picture looks like the damage that a model has learned to undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uncrappify.datasets.description import RestorationDescription
    from uncrappify.pictures.original import Original

LARGE = 4_000_000
"""Pixels; a larger picture is seldom one that somebody has made smaller."""

TOLERANCE = 5
"""Steps of quality, by which programs differ, and the estimate too."""


def describe_damage(recipe: list[dict[str, Any]]) -> str:
    """Say in short what a model has learned to undo, such as ``x3 and JPEG 60``; ``pairs`` where it was no recipe."""
    named = list(_name_steps(recipe))
    return " and ".join(filter(None, [", ".join(named[:-1]), *named[-1:]])) or "pairs of pictures"


def find_doubt(description: RestorationDescription, original: Original) -> str:
    """Say in one line how a picture differs from what the model was trained for; empty where it looks alike.

    What can be seen from outside is the quality of a JPEG, by the tables in its file, and the size of a picture that
    should have been made smaller.

    Args:
        description: Of the model.
        original: The picture.
    """
    width, height = original.size
    doubts = []
    if description.scale > 1 and width * height > LARGE:
        doubts.append(f"has {width * height / 1e6:.0f} megapixels, and is hardly one that was made smaller")
    if (quality := _find_quality(description.recipe)) and not _may_be_missing(description.recipe, "jpeg"):
        low, high = quality
        if original.quality is None:
            doubts.append("is no JPEG: if it never was one, expect it too smooth")
        elif original.quality > high + TOLERANCE:
            doubts.append(f"has quality {original.quality}: expect it too smooth")
        elif original.quality < low - TOLERANCE:
            doubts.append(f"has quality {original.quality}: expect blocks to stay")
    elif quality and original.quality is not None and original.quality < quality[0] - TOLERANCE:
        doubts.append(f"has quality {original.quality}: expect blocks to stay")
    elif not quality and description.recipe and original.quality is not None and original.quality < 85:
        doubts.append(f"is a JPEG of quality {original.quality}: expect its blocks to stay, or to grow")
    if not doubts:
        return ""
    return f"trained for {describe_damage(description.recipe)}; this picture {', and '.join(doubts)}"


def _name_steps(recipe: list[dict[str, Any]]) -> Iterator[str]:
    for name, options in _list_steps(recipe):
        if name == "resize":
            yield f"x{_write_range(options['factor'])}" if options.get("factor") else "another size"
        elif name == "jpeg":
            yield f"JPEG {_write_range(options.get('quality', 'of any quality'))}"
        else:
            yield name.replace("_", " ")


def _list_steps(recipe: list[dict[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for step in recipe:
        for name, options in step.items():
            yield str(name), options if isinstance(options, Mapping) else {}


def _write_range(value: object) -> str:
    ends = value if isinstance(value, list | tuple) else [value]
    shown = [f"{end:g}" if isinstance(end, int | float) else str(end) for end in ends]
    return " to ".join(dict.fromkeys(shown))


def _find_quality(recipe: list[dict[str, Any]]) -> tuple[float, float] | None:
    """Give the lowest and the highest quality of the last JPEG that a recipe makes; None where it makes none."""
    found = None
    for name, options in _list_steps(recipe):
        value = options.get("quality")
        ends = value if isinstance(value, list | tuple) else [value]
        if name == "jpeg" and ends and all(isinstance(end, int | float) for end in ends):
            found = float(min(ends)), float(max(ends))
    return found


def _may_be_missing(recipe: list[dict[str, Any]], step: str) -> bool:
    return all(options.get("probability", 1) < 1 for name, options in _list_steps(recipe) if name == step)
