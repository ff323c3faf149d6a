"""Files of parameters: read with a sentence about what is wrong, and asked how a value is written in them."""

from __future__ import annotations

import codecs
import glob
import io
from pathlib import Path
from typing import Any

import yaml
from fsspec.implementations.local import LocalFileSystem
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from uncrappify.errors import UserError
from uncrappify.parameters.messages import Location


class Files(LocalFileSystem):  # type: ignore[misc]
    """This machine's files; a pattern begins after the folders that are there."""

    def glob(self, path: str, **_: Any) -> list[str]:
        """Find files by a pattern, ``**`` being any folders and files."""
        place = next(folder for folder in Path(path).parents if folder.is_dir())
        pattern = str(Path(path).relative_to(place))
        return [str(place / found) for found in sorted(glob.glob(pattern, root_dir=place, recursive=True))]  # noqa: PTH207


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a configuration file as Kedro does, with ``${...}`` as it stands.

    Args:
        file: YAML or JSON, UTF-8; an empty one has no names.

    Raises:
        UserError: If it is not UTF-8, no valid YAML, or has no names with values.
    """
    text, shown = _read_text(file), show_path(file)
    try:
        named = isinstance(yaml.compose(text, yaml.SafeLoader), yaml.MappingNode | None)
        read = OmegaConf.to_container(OmegaConf.load(io.StringIO(text)), resolve=False) if named else None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(
            f"{shown}{line}: this is no valid YAML ({error.problem or error.context}). Indent with spaces, and write a "
            "text with signs such as @ * # : { [ in it in quotes."
        ) from error
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, RecursionError) as error:
        raise UserError(f"{shown}: this cannot be read ({str(error).splitlines()[0]}).") from error
    if not isinstance(read, dict):
        raise UserError(f"{shown}: expected names with values, such as superres: {{seed: 7}}, got a list or one value.")
    return dict(read)


def check_kinds(file: Path, known: Any) -> None:
    """Check that a file has lists where there are lists, and names where there are names.

    Args:
        file: YAML or JSON that can be read.
        known: What it is to be laid over.

    Raises:
        UserError: If it has the one where the other belongs.
    """
    _check_kinds(show_path(file), known, read_yaml(file), ())


def find_written(file: Path, location: Location, value: Any) -> str | None:
    """Find how a value is written in a file: ``2024.10``, of which YAML makes 2024.1.

    Args:
        file: YAML or JSON that can be read.
        location: Names, and places in lists.
        value: What was read there.

    Returns:
        Its source; None where the file does not have it, or has another value there, such as one that is made of others
        (``${...}``).
    """
    there: Any = read_yaml(file)
    for part in location:
        try:
            there = there[part]
        except (LookupError, TypeError):
            return None
    return find_source(_read_text(file), location) if (type(there), there) == (type(value), value) else None


def find_source(text: str, location: Location) -> str | None:
    """Find how a value is written in a text of YAML, as :func:`find_written` does."""
    node = yaml.compose(text, yaml.SafeLoader)
    for part in location:
        node = _find_child(node, part)
    if node is None:
        return None
    whole = isinstance(node, yaml.ScalarNode)
    source = str(node.value) if whole else text[node.start_mark.index : node.end_mark.index].rstrip()
    return None if "${" in source else source


def show_path(file: Path) -> str:
    """Write a path as somebody in the current folder would."""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)


def _check_kinds(shown: str, known: Any, given: Any, path: Location) -> None:
    kinds: dict[type, str] = {dict: "names with values", list: "a list"}
    expected, found = kinds.get(type(known)), kinds.get(type(given))
    if expected and found and expected != found:
        advice = "Name what is changed." if found == kinds[list] else "Give the whole list, each element after a dash."
        raise UserError(f"{shown}: {'.'.join(map(str, path))}: expected {expected}, got {found}. {advice}")
    if isinstance(known, dict) and isinstance(given, dict):
        for name in known.keys() & given.keys():
            _check_kinds(shown, known[name], given[name], (*path, name))


def _find_child(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return node.value[part] if part < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        # What a merge key (<<) brings comes first, and what the mapping itself has takes its place.
        yaml.constructor.SafeConstructor().flatten_mapping(node)
        return next((value for key, value in reversed(node.value) if key.value == str(part)), None)
    return None


def _read_text(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        found = "is UTF-16" if utf_16 else f"is not UTF-8 (line {line})"
        raise UserError(f"{show_path(file)}: the file {found}. Save it as UTF-8.") from error
