"""The parameter files of ``conf/base``: which pipelines there are, and from which template each is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from kedro.utils import find_kedro_project

from uncrappify.errors import UserError

PIPELINES = Path(__file__).parents[1] / "pipelines"
#: Runtime parameters, whose names no pipeline has.
RESERVED = ("memory", "mirror", "pictures", "smoke", "text", "weights")
_PIPELINE_NAME = re.compile(r"[^\W\d][\w-]*")
TEMPLATES = tuple(sorted(package.name for package in iter_modules([str(PIPELINES)]) if package.ispkg))


def read_sections() -> dict[str, Mapping[str, Any]]:
    """Read the parameter files.

    Returns:
        Pipeline name to its section, as it stands in ``conf/base``, sorted by name.

    Raises:
        UserError: If a file is broken, or names a template that does not exist.
    """
    # Who only uses weights reads no configuration, and needs no library for it.
    from uncrappify.parameters.files import read_yaml

    found: dict[str, Mapping[str, Any]] = {}
    for file in sorted((_conf_source() / "base" / "parameters").glob("*.yml")):
        for name, section in read_yaml(file).items():
            if not isinstance(section, dict) or "template" not in section:
                continue
            _check_names(file.name, name, section["template"])
            found[name] = section
    return dict(sorted(found.items()))


def import_template(template: str) -> Any:
    """Import a template's package, which has ``create_pipeline`` and ``Parameters``.

    Args:
        template: One of ``TEMPLATES``, or a package of the user's own by its dotted name.

    Raises:
        UserError: If there is no such package, or it is none of a template.
    """
    name = f"uncrappify.pipelines.{template}" if template in TEMPLATES else template
    try:
        package = import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise UserError(
            f"There is no template {template!r}: Python finds no package {error.name}. Known templates: "
            f"{', '.join(TEMPLATES)}."
        ) from error
    if not hasattr(package, "create_pipeline") or not hasattr(package, "Parameters"):
        raise UserError(f"{template} is no template: it has no create_pipeline, or no Parameters.")
    return package


def _check_names(file: str, name: object, template: object) -> None:
    if not isinstance(name, str) or not _PIPELINE_NAME.fullmatch(name) or name in RESERVED:
        raise UserError(
            f'conf/base/parameters/{file}: "{name}" is no name for a pipeline. Take letters, digits, _ and -, with a '
            f"letter first; {', '.join(RESERVED)} are taken."
        )
    if template not in TEMPLATES and not (isinstance(template, str) and "." in template.strip(".")):
        raise UserError(
            f"{file}: {name}.template: there is no template {template!r}. Known templates: {', '.join(TEMPLATES)}."
        )


def _conf_source() -> Path:
    # Here: whoever only loads a model runs no command, and Kedro's settings take a third of a second.
    import click
    from kedro.framework.project import settings

    context = click.get_current_context(silent=True)
    given = context.params.get("conf_source") if context else None
    return Path(given) if given else (find_kedro_project(Path.cwd()) or Path.cwd()) / settings.CONF_SOURCE
