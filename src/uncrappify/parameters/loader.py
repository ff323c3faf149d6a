"""Kedro's loader of ``conf/``, which knows how a value was written and says what is wrong with a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf.errors import OmegaConfBaseException

from uncrappify.errors import UserError
from uncrappify.parameters.arguments import Typed, find_typed
from uncrappify.parameters.files import Files, check_kinds, find_written, read_yaml
from uncrappify.parameters.messages import Location, guess

KEY = "parameters"


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader; runtime parameters may set a value inside an element of a list that is there."""

    def __init__(
        self, conf_source: str, env: str | None = None, runtime_params: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self._given = runtime_params or {}
        self._parameter_files: list[Path] = []
        # What files refer to by ${...} is merged by OmegaConf; the rest, which it would take apart, afterwards.
        super().__init__(conf_source, env, _mergeable(self._given), **options)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Load what belongs to a key.

        Raises:
            UserError: If a file is broken, or a runtime parameter names an element that is not there.
        """
        loaded = key in self
        try:
            found = self._load(key)
        except OmegaConfBaseException as error:
            raise UserError(explain_reference(error)) from error
        return found if loaded or key != KEY else override(found, self._given)

    @staticmethod
    def _initialise_filesystem_and_protocol(conf_source: str) -> tuple[Any, str]:
        files, protocol = OmegaConfigLoader._initialise_filesystem_and_protocol(conf_source)
        # Kedro takes the project's folder for a pattern: [x] finds nothing, and a?b the project acb too.
        return (Files() if protocol == "file" else files), protocol

    def _load(self, key: str) -> dict[str, Any]:
        try:
            return super().__getitem__(key)
        except TypeError:
            # Names in a list's place, or the reverse, which OmegaConf cannot merge: in a file, or after --params, of
            # which the check of the whole tree says what is wrong.
            self.runtime_params = {}
            self._check_kinds()
            return super().__getitem__(key)

    def _check_kinds(self) -> None:
        base = Path(self.conf_source) / str(self.base_env)
        files = sorted(set(self._parameter_files), key=lambda file: not file.is_relative_to(base))
        known: dict[str, Any] = {}
        for file in files:
            check_kinds(file, known)
            known |= {name: value for name, value in read_yaml(file).items() if name not in known}

    def written(self, location: Location, value: Any) -> str | None:
        """Find how a parameter was written: what has to be a text is never taken for a number.

        Args:
            location: Names, and places in lists.
            value: What was read there.

        Returns:
            Its source, on the command line or in a file; None where there is none, as of what was put together.
        """
        sources = (find_written(file, location, value) for file in reversed(self._parameter_files))
        return next((text for text in (find_typed(self._given, location), *sources) if text is not None), None)

    def _read_dir_configs(self, conf_path: str, patterns: Any, key: str, *more: Any) -> Any:
        try:
            read = super()._read_dir_configs(conf_path, patterns, key, *more)
        except MissingConfigException as error:
            raise UserError(_explain_environment(Path(conf_path))) from error
        except Exception as error:
            # Kedro does not always say which file, nor the line.
            for file in sorted(Path(conf_path).rglob("*")):
                if file.suffix in (".yml", ".yaml", ".json"):
                    read_yaml(file)
            raise UserError(f"{conf_path}: {error}") from error
        if key == KEY:
            self._parameter_files += sorted(read)
        return read


def override(tree: Any, given: Any, path: Location = ()) -> Any:
    """Lay runtime parameters over a tree.

    Args:
        tree: What there is: mappings are merged, all else is replaced.
        given: Where it names places in a list, the elements there are changed.
        path: Where ``tree`` lies in the whole.

    Raises:
        UserError: If a list has no such place.
    """
    if isinstance(given, Typed):
        given = given.value
    if not isinstance(given, Mapping):
        return given
    if isinstance(tree, list) and _names_places(given):
        changed = list(tree)
        for key, value in given.items():
            if int(key) >= len(tree):
                raise UserError(
                    f"{'.'.join(map(str, (*path, key)))}: there is no such element; {'.'.join(map(str, path))} has "
                    f"{len(tree)}, counted from 0. Give the whole list to have more."
                )
            changed[int(key)] = override(tree[int(key)], value, (*path, key))
        return changed
    below = tree if isinstance(tree, Mapping) else {}
    return {**below, **{key: override(below.get(key), value, (*path, key)) for key, value in given.items()}}


def explain_reference(error: OmegaConfBaseException) -> str:
    """Say what is wrong with a ``${...}`` in a file."""
    reason = str(error).splitlines()[0]
    place = f"{error.full_key}: " if error.full_key else "conf: "
    return f"{place}{reason}. A text that has ${{ in it is written \\${{ there."


def _mergeable(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what OmegaConf takes as it is: neither places in lists, nor texts with ``${`` in them."""
    kept: dict[str, Any] = {}
    for key, value in given.items():
        plain = value.value if isinstance(value, Typed) else value
        if isinstance(plain, Mapping):
            if not _names_places(plain):
                kept[key] = _mergeable(plain)
        elif plain is None or isinstance(plain, int | float) or (isinstance(plain, str) and "${" not in plain):
            kept[key] = plain
    return kept


def _names_places(given: Mapping[Any, Any]) -> bool:
    return bool(given) and all(str(key).isdecimal() for key in given)


def _explain_environment(folder: Path) -> str:
    environments = sorted(path.name for path in folder.parent.glob("*") if path.is_dir() and path.name != "schema")
    return (
        f"conf/{folder.name}: there is no such environment{guess(folder.name, environments)} Make that folder, or name "
        f"another one with --env: {', '.join(environments)}."
    )
