"""``uncrappify apply``: a trained model on a user's own pictures."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from uncrappify.errors import UserError
from uncrappify.names import expand

if TYPE_CHECKING:
    from uncrappify.application.apply import Outcome, Task
    from uncrappify.application.batch import Done
    from uncrappify.inference.predictor import Predictor

SOME_FAILED = 3
"""Exit code of a batch of which some pictures have failed."""

DOUBTS_SHOWN = 3


def _expand(_: click.Context, __: click.Parameter, given: str | None) -> Path | None:
    # The shell leaves the ~ of --output=~/repaired as it is.
    return None if given is None else expand(given)


@click.command()
@click.argument("weights")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", "-o", callback=_expand, help="Folder of the results; made if it is not there.")
@click.option("--suffix", default="", help="Added to each name. Without --output, results lie beside the pictures.")
@click.option(
    "--format", type=click.Choice(["jpg", "png", "webp", "tiff", "avif"]), help="Default: that of each picture."
)
@click.option("--quality", type=click.IntRange(1, 100), help="Of JPEG and WebP (default 95), and AVIF (90).")
@click.option("--scale-to", metavar="SIZE", help="2x, 3000x (wide), x1200 (high), 1600x1200 (fits into both).")
@click.option("--tile", type=click.IntRange(min=64), help="Side of the tiles in pixels; smaller ones take less memory.")
@click.option("--tta", is_flag=True, help="Average over mirrored and turned copies: better, and slower by as many.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps.")
@click.option(
    "--memory", type=click.FloatRange(min=0.01), default=2.0, show_default=True, help="GB to decode a picture."
)
@click.option("--overwrite", is_flag=True, help="Do again what is there.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--report", callback=_expand, help="Picture with before and after side by side.")
def apply(weights: str, inputs: tuple[str, ...], **options: Any) -> None:
    """Apply WEIGHTS to pictures, folders (whose structure is kept) or globs.

    WEIGHTS is a model.safetensors, a pipeline's name for what it delivers (superres), one of its models (digits.cnn), a
    run's id, or models:/NAME@ALIAS. A model that restores writes pictures, one that segments masks with an overlay, one
    that classifies a table.

    What is there already is left as it is, so that the same command goes on where it was stopped. The exit code is 3
    where some pictures have failed.
    """
    from uncrappify.application.weights import open_weights
    from uncrappify.pictures.budget import GIGABYTE, limit_decoding

    # What Pillow thinks of a file's metadata is no news for the user.
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    # A machine that shuts down is the same clean stop as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    limit_decoding(int(options["memory"] * GIGABYTE))
    with open_weights(weights) as file:
        task = _prepare(file, inputs, options)
        if options["dry_run"]:
            _tell_plan(task)
            return
        outcome = _run(task, file, weights, options)
    if outcome.failed:
        sys.exit(SOME_FAILED)


def _prepare(file: Path, inputs: tuple[str, ...], options: dict[str, Any]) -> Task:
    from uncrappify.application.apply import prepare
    from uncrappify.inference.results import Request

    request = Request.parse(**{name: options[name] for name in ("format", "quality", "tile", "scale_to", "tta")})
    return prepare(file, inputs, options["output"], request, options["suffix"], options["overwrite"], options["report"])


def _run(task: Task, file: Path, name: str, options: dict[str, Any]) -> Outcome:
    from uncrappify.application.apply import carry_out
    from uncrappify.application.report import write_report
    from uncrappify.inference import load_predictor
    from uncrappify.progress import make_bar

    where = f"{options['output']}/" if options["output"] else "the pictures' own folders"

    def load() -> Predictor[Any]:
        predictor = load_predictor(file, options["device"])
        click.echo(_introduce(predictor, name, len(task.jobs)))
        return predictor

    doubts: Counter[str] = Counter()
    with make_bar(speed=True) as bar:
        progress = bar.add_task("pictures", total=len(task.jobs))

        def on_done(done: Done) -> None:
            bar.advance(progress)
            _tell_doubt(done, doubts)

        try:
            outcome = carry_out(task, load, on_done, report=bool(options["report"]))
        except KeyboardInterrupt as error:
            raise UserError("stopped; the same command goes on from here.") from error
    if doubts.total() > DOUBTS_SHOWN:
        click.echo(f"... and {doubts.total() - DOUBTS_SHOWN} more like that.")
    for line in outcome.summarise(str(task.table.path) if task.table else where):
        click.echo(line)
    every = [*outcome.earlier, *outcome.done]
    if options["report"] and any(done.before for done in every):
        write_report(options["report"], every, f"{name}: before and after")
        click.echo(f"Before and after: {options['report']}")
    return outcome


def _introduce(predictor: Predictor[Any], name: str, pictures: int) -> str:
    device = next((weights.device for weights in predictor.network.parameters()), "cpu")
    return f"{name}: {predictor!r} on {device}, {pictures} picture{'s' * (pictures != 1)}."


def _tell_doubt(done: Done, doubts: Counter[str]) -> None:
    if done.doubt:
        doubts[done.doubt] += 1
        if doubts.total() <= DOUBTS_SHOWN:
            click.echo(f"{done.job.name}: {done.doubt}.")


def _tell_plan(task: Task) -> None:
    for job in task.jobs:
        targets = ", ".join(map(str, job.targets)) or f"a row of {task.table.path if task.table else ''}"
        click.echo(f"{job.path} -> {targets}")
    there = f", {len(task.there)} there already" if task.there else ""
    click.echo(f"{len(task.jobs)} would be written{there}; nothing was (--dry-run).")
