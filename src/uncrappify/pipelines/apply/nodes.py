"""The node of a pipeline that applies a model; the work is that of ``uncrappify apply``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.pipelines.apply.parameters import ApplyOptions

if TYPE_CHECKING:
    from uncrappify.application.batch import Done

log = logging.getLogger(__name__)


def apply(
    weights: str, pictures: str | None, options: ApplyOptions, output: Path
) -> tuple[pd.DataFrame, Image.Image, dict[str, float]]:
    """Apply a trained model to pictures; what is in the folder already is left as it is.

    Args:
        weights: As :func:`~uncrappify.application.weights.open_weights` takes it.
        pictures: A picture, a folder or a glob.
        options: What is asked for.
        output: Folder of the results.

    Returns:
        One row a picture that was done now, with its ``failure`` and ``notes``; pictures before and after; and
        ``pictures_written``, ``pictures_failed`` and ``pictures_per_second``.

    Raises:
        UserError: If there are no pictures or weights, or the model does not do what is asked for.
    """
    from uncrappify.application.apply import carry_out, prepare
    from uncrappify.application.report import draw_report
    from uncrappify.application.weights import open_weights
    from uncrappify.inference.predictor import load_predictor
    from uncrappify.progress import make_bar

    if not pictures:
        raise UserError(
            "pictures: say which, as in kedro run --pipeline apply --params weights=superres,pictures=~/Pictures"
        )
    with open_weights(weights) as file:
        task = prepare(file, [pictures], output, options.request, overwrite=options.overwrite)
        with make_bar(speed=True) as bar:
            progress = bar.add_task("pictures", total=len(task.jobs))
            predictor = load_predictor(file, options.device)
            outcome = carry_out(task, predictor, lambda _: bar.advance(progress), report=True)
    for line in outcome.summarise(str(output)):
        log.info(line)
    written = len(outcome.done) - len(outcome.failed)
    metrics = {
        "pictures_written": written,
        "pictures_failed": len(outcome.failed),
        "pictures_per_second": written / outcome.seconds if outcome.seconds else 0.0,
    }
    return _tabulate(outcome.done), draw_report(outcome.done, f"{weights}: before and after"), metrics


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
