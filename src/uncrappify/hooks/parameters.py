"""The whole tree of parameters is checked, and its defaults filled in, before anything else happens."""

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from uncrappify.errors import UserError
from uncrappify.parameters.sections import read_sections
from uncrappify.parameters.tree import complete, keep_below_smoke, parse_section
from uncrappify.pictures.budget import GIGABYTE, limit_decoding
from uncrappify.pipeline_registry import DEFAULT_PIPELINE


class ParameterHook:
    """Replaces the parameters by their complete form."""

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: Any) -> None:
        """Check and complete the parameters, and give a smoke run a place of its own.

        Raises:
            UserError: If a name is unknown or a value does not fit, or the project lies where Kedro finds no file.
        """
        if {"{", "}"} & set(str(context.project_path)):
            # It puts the project's folder before the paths of the catalog, whose {pipeline} stands for a name.
            raise UserError(
                f"{context.project_path}: Kedro takes what is in braces in a folder's name for a part of its own. Give "
                "the folder a name without { and }, or move the project."
            )
        loader = context.config_loader
        # Kedro notes what is to run before it makes the context.
        requested = pipelines._requested_pipelines or ["__default__"]
        running = [DEFAULT_PIPELINE if name == "__default__" else name for name in requested]
        self._tree = complete(loader["parameters"], read_sections(), running, loader.written)
        loader["parameters"] = self._tree
        limit_decoding(int(self._tree["memory"] * GIGABYTE))
        if self._tree["smoke"]:
            loader["catalog"] = keep_below_smoke(loader["catalog"])

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Look for what the trainings need that are about to run.

        Raises:
            UserError: If weights or devices are missing.
        """
        trained = [node.namespace for node in pipeline.nodes if node.namespace and node.name.endswith(".train")]
        sections = read_sections()
        for name in dict.fromkeys(namespace.partition(".")[0] for namespace in trained):
            models = [model for pipeline, _, model in (one.partition(".") for one in trained) if pipeline == name]
            parse_section(name, self._tree[name], sections[name]).check(name, models)
