"""Every parameter file that names a template becomes a pipeline."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click
import yaml
from kedro.framework.project import settings
from kedro.pipeline import Pipeline
from kedro.utils import find_kedro_project

from uncrappify.errors import UserError

TEMPLATES = ("restoration", "segmentation")
DEFAULT_PIPELINE = "superres"


def register_pipelines() -> dict[str, Pipeline]:
    """Instantiate each section of ``conf/base/parameters/*.yml`` that has a ``template``.

    Structure is decided in these files alone: environments and ``--params`` change values, never nodes.

    Returns:
        Pipeline name to pipeline; ``__default__`` is ``superres``.

    Raises:
        UserError: If a file names a template that does not exist.
    """
    pipelines = {
        name: import_module(f"uncrappify.pipelines.{template}").create_pipeline(name)
        for name, template in templates().items()
    }
    return pipelines | {"__default__": pipelines.get(DEFAULT_PIPELINE, Pipeline([]))}


def templates() -> dict[str, str]:
    """Read which pipeline is made from which template.

    Returns:
        Pipeline name to template name, sorted by name.

    Raises:
        UserError: If a file names a template that does not exist.
    """
    found: dict[str, str] = {}
    for file in sorted((_conf_source() / "base" / "parameters").glob("*.yml")):
        # Opened as a file, so that a mistake in the YAML is reported with the file's name.
        with file.open(encoding="utf-8") as stream:
            sections = yaml.safe_load(stream) or {}
        for name, section in sections.items():
            if not isinstance(section, dict) or "template" not in section:
                continue
            if section["template"] not in TEMPLATES:
                raise UserError(
                    f"{file.name}: {name}.template: there is no template {section['template']!r}. "
                    f"Known templates: {', '.join(TEMPLATES)}."
                )
            found[name] = section["template"]
    return dict(sorted(found.items()))


def _conf_source() -> Path:
    context = click.get_current_context(silent=True)
    given = context.params.get("conf_source") if context else None
    return Path(given) if given else (find_kedro_project(Path.cwd()) or Path.cwd()) / settings.CONF_SOURCE
