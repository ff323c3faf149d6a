"""The way of a training through the space of its weights: what they were at some steps of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from uncrappify.atomic import written_whole
from uncrappify.datasets.training_run import TrainingRun
from uncrappify.errors import UserError
from uncrappify.training.history import History

FOLDER = "trajectory"


class Trajectory(Callback):
    """Keeps the weights of the delivered network at evenly spaced steps of a stage, its beginning and end among them.

    They lie below the checkpoints, and are removed with them. They are those that the steps leave, not their average.
    A learner adds this by ``configure_callbacks``.

    Args:
        snapshots: How many, two or more; fewer where the stage has fewer steps.
    """

    def __init__(self, snapshots: int) -> None:
        self._snapshots = snapshots

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove what a stage that starts from its beginning has left the last time, and keep what it starts from."""
        if trainer.ckpt_path is None and isinstance(trainer.logger, History) and trainer.is_global_zero:
            for step, file in _list(_folder(trainer)):
                if step >= trainer.logger.offset:
                    file.unlink()
            self._keep(trainer, pl_module, 0)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the weights if it is time. A resumed training keeps the same ones again."""
        if trainer.is_global_zero:
            self._keep(trainer, pl_module, batch_idx + 1)

    def _keep(self, trainer: Trainer, learner: Any, step: int) -> None:
        from safetensors.torch import save

        # The finder of a learning rate has a trainer of its own, without a history.
        if not isinstance(trainer.logger, History):
            return
        if step not in np.linspace(0, trainer.num_training_batches, self._snapshots).round():
            return
        weights = {name: value.detach().cpu().contiguous() for name, value in learner.delivered.named_parameters()}
        with written_whole(_folder(trainer) / f"step{trainer.logger.offset + step}.safetensors") as path:
            path.write_bytes(save(weights))


def read_trajectory(run: TrainingRun) -> dict[int, dict[str, Tensor]]:
    """Read the weights that :class:`Trajectory` has kept of a training.

    Args:
        run: Folder of the training.

    Returns:
        Step, counted from the training's beginning and rising, to name and value of each parameter, on the CPU.

    Raises:
        UserError: If there are fewer than two steps, or one cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    again = f"Remove {run.checkpoints} and run again; {run.name} is then trained anew."
    files = _list(run.checkpoints / FOLDER)
    if len(files) < 2:
        raise UserError(f"{run.checkpoints / FOLDER}: the weights that were kept while training are not there. {again}")
    kept = {}
    for step, file in files:
        try:
            kept[step] = load(file.read_bytes())
        except (OSError, SafetensorError) as error:
            raise UserError(f"{file}: not a whole safetensors file ({error}). {again}") from error
    return kept


def _folder(trainer: Trainer) -> Path:
    return Path(trainer.default_root_dir) / FOLDER


def _list(folder: Path) -> list[tuple[int, Path]]:
    """List step and file of what is kept, in the order of the steps."""
    return sorted((int(file.stem.removeprefix("step")), file) for file in folder.glob("step*.safetensors"))
