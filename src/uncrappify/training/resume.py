"""Whether a stage can be gone on with: whether its checkpoint has the form of one that the stage would write now.

Lightning and torch take over much that does not fit without a word, and stumble over the rest in the first step, or in
another process. So all of it is compared before a training starts.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from uncrappify.datasets.checkpoint import Checkpoint
from uncrappify.training.batches import Batches
from uncrappify.training.learner import Learner
from uncrappify.training.trainer import tidied


def find_misfit(found: Checkpoint, learner: Learner, callbacks: list[Callback], batches: Batches) -> str:
    """Find what a stage could not go on with.

    Args:
        found: The stage's checkpoint.
        learner: Ready for the stage; stays as it is.
        callbacks: As the stage is trained with, but not those of the training.
        batches: Likewise.

    Returns:
        The place of the first part that is missing, or of another type or shape than the stage's own, such as
        ``optimizer_states.0.state.3.exp_avg``; nothing where all fits.
    """
    learner = deepcopy(learner)
    expected = _first_checkpoint(learner, callbacks, batches)
    # Lightning leaves out what has nothing to keep.
    expected["callbacks"].setdefault("Delivery", {})
    if found.callbacks.delivery.get("best") is not None:
        # There is none before the first validation.
        best = {"value": 0.0, "state": learner.delivered.state_dict()}
        expected["callbacks"]["Delivery"] |= {"best": best}
    return ".".join(_find_difference(found.model_dump(by_alias=True), expected) or [])


def _first_checkpoint(learner: Learner, callbacks: list[Callback], batches: Batches) -> dict[str, Any]:
    """Make the checkpoint of a stage after a step in which no gradient has come from anywhere."""
    memory = _Memory()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=0,
        # None is begun: what it measured would be a part of the checkpoint.
        num_sanity_val_steps=0,
        callbacks=callbacks,
        plugins=[memory],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with tidied(trainer):
        # A validation that is never begun, for which Lightning would ask otherwise.
        trainer.fit(learner, batches, batches)
        for optimizer in trainer.optimizers:
            for parameter in (parameter for group in optimizer.param_groups for parameter in group["params"]):
                parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
        trainer.save_checkpoint("")
    return memory.checkpoint


class _Memory(TorchCheckpointIO):
    """Keeps a checkpoint instead of writing it."""

    checkpoint: dict[str, Any]

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self.checkpoint = checkpoint


def _find_difference(found: Any, expected: Any) -> list[str] | None:
    """Find the first part of another form, as the way to it; what is empty or None at first may become anything."""
    parts: dict[Any, tuple[Any, Any]] = {}
    if isinstance(expected, Tensor):
        fits = isinstance(found, Tensor) and (found.shape, found.dtype) == (expected.shape, expected.dtype)
    elif isinstance(expected, dict):
        fits = isinstance(found, dict)
        if fits and expected:
            # Parameters have numbers; one that got no gradient has no state.
            missing = [key for key in expected.keys() - found.keys() if isinstance(key, str)]
            for key in [*missing, *(found.keys() - expected.keys())]:
                return [str(key)]
            parts = {key: (found[key], expected[key]) for key in found}
    elif isinstance(expected, list | tuple):
        fits = type(found) is type(expected) and (not expected or len(found) == len(expected))
        parts = dict(enumerate(zip(found, expected, strict=True))) if fits and expected else {}
    else:
        fits = expected is None or type(found) is type(expected)
    if not fits:
        return []
    for key, pair in parts.items():
        if (way := _find_difference(*pair)) is not None:
            return [str(key), *way]
    return None
