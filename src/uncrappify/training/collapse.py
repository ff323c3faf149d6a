"""Notices when two networks that learn from each other have lost each other, and ends the stage there."""

from __future__ import annotations

import logging
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

log = logging.getLogger(__name__)

SURE = 0.005
"""A critic whose loss is below this is never wrong: its gradient has nothing left to say."""

PATIENCE = 200
"""Turns of the critic in a row for which it has to be sure."""


class CollapseGuard(Callback):
    """Ends a stage whose training has collapsed; what is delivered then is the best of the validations before.

    A training has collapsed when a loss is no number, when the critic has been sure of itself for long, or when the
    learner says so, such as of a generator that diverges: the attribute ``collapse``.
    """

    def __init__(self) -> None:
        self._sure = 0

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any) -> None:
        """Look at the critic's loss."""
        learner: Any = pl_module
        if learner.critic_error is not None:
            self._sure = self._sure + 1 if learner.critic_error < SURE else 0
        if self._sure >= PATIENCE:
            learner.collapse = f"the critic's loss has been 0 for {PATIENCE} of its turns"
        if learner.collapse and not trainer.should_stop:
            log.warning(
                "collapsed at step %d: %s. The stage ends here, and goes back to the best generator so far. Give the "
                "critic less (a lower critic_lr, fewer critic_steps) or the generator more (adversarial).",
                trainer.fit_loop.epoch_loop.batch_progress.current.completed + 1,
                learner.collapse,
            )
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Give the count, for the checkpoint."""
        return {"sure": self._sure}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the count of a checkpoint."""
        self._sure = state_dict["sure"]
