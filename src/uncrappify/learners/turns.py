"""Whose turn it is: a generator and a critic learn one after the other."""

from __future__ import annotations

from typing import Any

from torch import nn

from uncrappify.training.parameters import GanTraining


class Turns(nn.Module):
    """Counts turns; a module, so that the checkpoint knows whose turn comes next.

    Args:
        rules: ``strategy`` and its options count.
    """

    def __init__(self, rules: GanTraining) -> None:
        super().__init__()
        self._rules = rules
        self._in_row = 0
        self._error = float("inf")

    @property
    def is_critics(self) -> bool:
        """Whether the next turn is the critic's."""
        if self._rules.strategy == "fixed":
            return self._in_row < self._rules.fixed.critic_steps
        adaptive = self._rules.adaptive
        return self._error >= adaptive.threshold and self._in_row < adaptive.most_critic_steps

    def end_critics(self, error: float) -> None:
        """Note a turn of the critic.

        Args:
            error: Its loss, without penalties.
        """
        self._in_row, self._error = self._in_row + 1, error

    def end_generators(self) -> None:
        """Note a turn of the generator, after which the critic has at least one."""
        self._in_row, self._error = 0, float("inf")

    def get_extra_state(self) -> dict[str, Any]:
        """Give the counts, for the checkpoint."""
        return {"in_row": self._in_row, "error": self._error}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the counts of a checkpoint."""
        self._in_row, self._error = state["in_row"], state["error"]
