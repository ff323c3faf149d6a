"""The node of a pipeline that applies a model; the work is that of ``uncrappify apply``."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.names import expand
from uncrappify.pipelines.apply.parameters import ApplyOptions

if TYPE_CHECKING:
    from uncrappify.application.batch import Done

log = logging.getLogger(__name__)


def apply(
    weights: str, pictures: str | None, options: ApplyOptions, output: Path
) -> tuple[pd.DataFrame, Image.Image, dict[str, float]]:
    """Apply a trained model to pictures; what the same task has left in its folder already stays as it is.

    Args:
        weights: As :func:`~uncrappify.application.weights.open_weights` takes it.
        pictures: A picture, a folder or a glob.
        options: What is asked for.
        output: Folder of the folders of results: other weights, pictures or options have another.

    Returns:
        One row a picture, with its ``failure`` and ``notes``; pictures before and after; and
        ``pictures_written``, ``pictures_failed`` and ``pictures_per_second``.

    Raises:
        UserError: If there are no pictures or weights, or the model does not do what is asked for.
    """
    from uncrappify.application.apply import carry_out, gather, prepare
    from uncrappify.application.report import draw_report
    from uncrappify.application.weights import open_weights
    from uncrappify.inference.predictor import load_predictor
    from uncrappify.progress import make_bar

    if not pictures:
        raise UserError(
            "pictures: say which, as in kedro run --pipeline apply --params weights=superres,pictures=~/Pictures"
        )
    with open_weights(weights) as file:
        folder = output / _name_task(file, pictures, options)
        task = prepare(file, [pictures], folder, options.request, overwrite=options.overwrite)
        with make_bar(speed=True) as bar:
            progress = bar.add_task("pictures", total=len(task.jobs))
            load = partial(load_predictor, file, options.device)
            outcome = carry_out(task, load, lambda _: bar.advance(progress), report=True)
    every = [*outcome.earlier, *outcome.done]
    doubts = gather("Doubt", [(one.job.name, one.doubt) for one in every if one.doubt])
    for line in [
        *outcome.summarise(str(task.table.path if task.table else folder), "apply.options.overwrite=true"),
        *doubts,
    ]:
        log.info(line)
    written = len(outcome.done) - len(outcome.failed)
    metrics = {
        "pictures_written": written,
        "pictures_failed": len(outcome.failed),
        "pictures_per_second": written / outcome.seconds if outcome.seconds else 0.0,
    }
    return _tabulate(every), draw_report(every, f"{weights}: before and after"), metrics


def _name_task(weights: Path, pictures: str, options: ApplyOptions) -> str:
    """Name the folder of a task by its pictures, and by a hash of all that the results depend on."""
    place = expand(pictures).absolute()
    with weights.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    told = options.model_dump_json(exclude={"device", "overwrite"})
    digest = hashlib.sha256(f"{content}\n{place}\n{told}".encode(errors="surrogateescape")).hexdigest()
    kept = re.sub(r"[^\w.-]+", "_", place.stem).strip("._")
    return f"{kept[:40] or 'pictures'}-{digest[:8]}"


def _tabulate(done: Sequence[Done]) -> pd.DataFrame:
    rows = [
        {
            "name": one.job.name,
            "files": " ".join(map(str, one.job.targets)),
            "failure": one.failure,
            "notes": "; ".join(filter(None, [*one.notes, one.doubt])),
            **(one.row or {}),
        }
        for one in done
    ]
    return pd.DataFrame(rows, columns=None if rows else ["name", "files", "failure", "notes"])
