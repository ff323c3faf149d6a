"""Every parameter file that names a template becomes a pipeline."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from uncrappify.parameters.sections import import_template, read_sections

DEFAULT_PIPELINE = "superres"


def register_pipelines() -> dict[str, Pipeline]:
    """Instantiate each section of ``conf/base/parameters/*.yml`` that has a ``template``.

    Structure is decided in these files alone: environments and ``--params`` change values, never nodes.

    Returns:
        Pipeline name to pipeline; ``__default__`` is ``superres``.

    Raises:
        UserError: If a file names a template that does not exist.
    """
    made = {
        name: import_template(section["template"]).create_pipeline(name, section)
        for name, section in read_sections().items()
    }
    return made | {"__default__": made.get(DEFAULT_PIPELINE, Pipeline([]))}
