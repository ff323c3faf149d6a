"""What the nodes of several templates share."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL import Image

from uncrappify import sources
from uncrappify.pictures import write_picture
from uncrappify.sources import PictureSource
from uncrappify.tracking.store import log_file
from uncrappify.training.parameters import Training

if TYPE_CHECKING:
    from uncrappify.training.fit import Fitted, Task

log = logging.getLogger(__name__)

FEW_PICTURES = 3


def split(raw: PictureSource, manifest: pd.DataFrame) -> pd.DataFrame:
    """Assign every usable picture to train, valid or test.

    Args:
        raw: Says which pictures its source holds back, if it does.
        manifest: One row a picture.

    Returns:
        The usable rows of the manifest with ``split``.
    """
    assigned = sources.assign_splits(raw, manifest[manifest["usable"]])
    tested = int((assigned["split"] == "test").sum())
    if tested < FEW_PICTURES and not raw.own_split:
        log.warning("the test has %d of %d pictures: a score says little of so few", tested, len(assigned))
    return assigned


def counted(manifest: pd.DataFrame) -> dict[str, float]:
    """Count what a manifest lists: ``pictures_usable`` and ``pictures_unusable``."""
    usable = int(manifest["usable"].sum())
    return {"pictures_usable": usable, "pictures_unusable": len(manifest) - usable}


def trained(
    task: Task[Any], training: Training, *, seed: int, checkpoints: Path, snapshots: Path, fingerprint: str
) -> Fitted:
    """Train, after a look at the learning rate where that is asked for.

    Args:
        task: Network, loss and batches.
        training: Stages and what holds for all of them.
        seed: Of everything random.
        checkpoints: A folder of this training's own.
        snapshots: A folder for pictures of the training.
        fingerprint: Of all that the result depends on.

    Returns:
        Weights, history and metrics.
    """
    from uncrappify.evaluation.curves import learning_rate_curve
    from uncrappify.training.fit import find_learning_rate, fit

    if training.lr_find:
        found = find_learning_rate(task, training, seed, checkpoints)
        show(learning_rate_curve(found.rates, found.losses, found.steepest), snapshots / "lr_find.png")
        log.info("the loss falls most steeply at a learning rate of %.1e (lr_find.png)", found.steepest)
    return fit(task, training, seed=seed, checkpoints=checkpoints, fingerprint=fingerprint)


def show(picture: Image.Image, file: Path) -> None:
    """Write a snapshot of the training, and log it."""
    write_picture(picture, file)
    log_file(file, "reporting/snapshots")


def fingerprint(pictures: pd.DataFrame, parameters: list[Any]) -> str:
    """Hash what a training depends on: the content of the pictures, and parameters."""
    text = pictures.to_csv(index=False) + json.dumps(parameters, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
