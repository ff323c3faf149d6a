"""What follows ``--params``: split into names and values, each of which stays as it was typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from uncrappify.errors import UserError
from uncrappify.parameters.files import find_source
from uncrappify.parameters.messages import Location, format_value

_NAME = r"[^\W\d]\w*(?:-\w+)*(?:\.\w+(?:-\w+)*)*"
# A comma ends a value only where a further name=value follows it.
_END = re.compile(rf"(?<!\\),(?=\s*{_NAME}=)")
# What YAML 1.1 takes for an octal number (010 is 8) or one of base 60 (1:30 is 90).
_ODD_NUMBER = re.compile(r"[-+]?(0\d[\d_]*|\d[\d_]*(:[0-5]?\d)+(\.\d*)?)")


class Typed(str):
    """A value of ``--params``, as it was typed: a field for text takes it so, any other takes :attr:`value`."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        """What YAML makes of it: a number, a list, true or false, nothing (``null``), else the text itself."""
        text = str(self)
        if _ODD_NUMBER.fullmatch(text.strip()):
            return text
        try:
            read = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))
        except (yaml.YAMLError, OmegaConfBaseException, ValueError, RecursionError):
            return text
        value = read["value"] if isinstance(read, dict) else None
        nothing = value is None and text.strip() != "null"
        return text if isinstance(value, str) or nothing else value

    @property
    def plain(self) -> Any:
        """Its value, where that says the same as the text, for a record of what was typed."""
        value = self.value
        return value if isinstance(value, list | dict) or format_value(value) == self else str(self)


def parse_arguments(*given: str) -> dict[str, Any]:
    r"""Split what follows ``--params``.

    A comma belongs to the value unless ``<dotted name>=`` follows it; ``\,`` always does.

    Args:
        given: ``name=value,group.name=value``; several where the option is there several times.

    Returns:
        A tree of :class:`Typed`.

    Raises:
        UserError: If an equals sign is missing, a name is none, or one is given twice.

    Example:
        >>> parse_arguments("pictures=Rome, Italy,superres.seed=7")
        {'pictures': 'Rome, Italy', 'superres': {'seed': '7'}}
    """
    tree: dict[str, Any] = {}
    for item in (item for one in given if one.strip() for item in _END.split(one)):
        name, equals, value = item.partition("=")
        name = name.strip()
        if not equals or not re.fullmatch(_NAME, name):
            raise UserError(
                f"--params: {format_value(item)} does not begin with the name of a parameter and an equals sign, as in "
                "superres.seed=7,pictures=~/Pictures."
            )
        *parents, last = name.split(".")
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                break
        if not isinstance(node, dict) or last in node:
            raise UserError(rf"--params: {name} is given twice. A comma that belongs to a text is typed \, there.")
        node[last] = Typed(value.replace(r"\,", ","))
    return tree


def find_typed(tree: Any, location: Location) -> str | None:
    """Find how a value was typed, in a tree of runtime parameters.

    Args:
        tree: With :class:`Typed` where something was typed.
        location: Names, and places in lists.

    Returns:
        The text; None where it was not typed.
    """
    for number, part in enumerate(location):
        if isinstance(tree, Typed):
            return None if isinstance(tree.value, str) else find_source(tree, location[number:])
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(part, tree.get(str(part)))
    return str(tree) if isinstance(tree, Typed) else None


def as_plain(tree: Any) -> Any:
    """Give a tree of runtime parameters without :class:`Typed`, for a record of what was typed."""
    if isinstance(tree, Mapping):
        return {key: as_plain(value) for key, value in tree.items()}
    return tree.plain if isinstance(tree, Typed) else tree
