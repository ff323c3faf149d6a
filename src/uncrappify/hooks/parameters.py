"""The whole tree of parameters is checked, and its defaults filled in, before anything else happens."""

from typing import Any

from kedro.framework.hooks import hook_impl

from uncrappify.parameters.tree import complete
from uncrappify.pipeline_registry import templates


class ParameterHook:
    """Replaces the parameters by their complete form."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: Any) -> None:
        """Check and complete the parameters.

        Raises:
            UserError: If a name is unknown or a value does not fit.
        """
        loader = context.config_loader
        loader["parameters"] = complete(loader["parameters"], templates())
