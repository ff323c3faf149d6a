"""What happens around a run: parameters are checked, MLflow is told, the terminal is kept short."""

from uncrappify.hooks.parameters import ParameterHook
from uncrappify.hooks.terminal import TerminalHook
from uncrappify.hooks.tracking import TrackingHook

__all__ = ["ParameterHook", "TerminalHook", "TrackingHook"]
