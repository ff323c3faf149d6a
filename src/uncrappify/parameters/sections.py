"""The parameter files of ``conf/base``: which pipelines there are, and from which template each is made."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import yaml
from kedro.framework.project import settings
from kedro.utils import find_kedro_project

from uncrappify.errors import UserError

PIPELINES = Path(__file__).parents[1] / "pipelines"
TEMPLATES = tuple(sorted(package.name for package in iter_modules([str(PIPELINES)]) if package.ispkg))


def read_sections() -> dict[str, Mapping[str, Any]]:
    """Read the parameter files.

    Returns:
        Pipeline name to its section, as it stands in ``conf/base``, sorted by name.

    Raises:
        UserError: If a file names a template that does not exist.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for file in sorted((_conf_source() / "base" / "parameters").glob("*.yml")):
        # Opened as a file, so that a mistake in the YAML is reported with the file's name.
        with file.open(encoding="utf-8") as stream:
            sections = yaml.safe_load(stream) or {}
        for name, section in sections.items():
            if not isinstance(section, dict) or "template" not in section:
                continue
            if section["template"] not in TEMPLATES and "." not in str(section["template"]):
                raise UserError(
                    f"{file.name}: {name}.template: there is no template {section['template']!r}. "
                    f"Known templates: {', '.join(TEMPLATES)}."
                )
            found[name] = section
    return dict(sorted(found.items()))


def import_template(template: str) -> Any:
    """Import a template's package, which has ``create_pipeline`` and ``Parameters``.

    Args:
        template: One of ``TEMPLATES``, or a package of the user's own by its dotted name.

    Raises:
        UserError: If there is no such package.
    """
    name = f"uncrappify.pipelines.{template}" if template in TEMPLATES else template
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise UserError(
            f"There is no template {template!r}: Python finds no package {error.name}. Known templates: "
            f"{', '.join(TEMPLATES)}."
        ) from error


def _conf_source() -> Path:
    # Here: whoever only loads a model runs no command.
    import click

    context = click.get_current_context(silent=True)
    given = context.params.get("conf_source") if context else None
    return Path(given) if given else (find_kedro_project(Path.cwd()) or Path.cwd()) / settings.CONF_SOURCE
