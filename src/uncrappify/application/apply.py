"""A trained model applied to pictures: what the command ``uncrappify apply`` and the pipeline ``apply`` both do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uncrappify.application.inputs import Job, check_output, find_inputs, plan
from uncrappify.errors import UserError
from uncrappify.foreign import in_one_line
from uncrappify.names import shorten_list
from uncrappify.progress import format_duration

if TYPE_CHECKING:
    from uncrappify.application.batch import Done
    from uncrappify.application.table import ResultTable
    from uncrappify.inference.predictor import Predictor
    from uncrappify.inference.results import Request

FAILURES_SHOWN = 20


@dataclass(frozen=True)
class Task:
    """What is to be done, checked, before any weight or picture is read.

    Attributes:
        jobs: The pictures that are missing in the output.
        there: Those whose results are there already.
        kind: The class that uses the model.
        request: What is asked for.
        output: Folder of the results; None for that of each picture.
        table: Where the kind's rows go; None where it writes none.
    """

    jobs: list[Job]
    there: list[Job]
    kind: type[Predictor[Any]]
    request: Request
    output: Path | None
    table: ResultTable | None


@dataclass
class Outcome:
    """What became of a batch.

    Attributes:
        done: The pictures in order.
        earlier: Those that were there already.
        seconds: It took.
    """

    done: list[Done] = field(default_factory=list)
    earlier: list[Done] = field(default_factory=list)
    seconds: float = 0

    @property
    def failed(self) -> list[Done]:
        """Those of which nothing came."""
        return [one for one in self.done if one.failure]

    def summarise(self, where: str, overwrite: str = "--overwrite") -> list[str]:
        """Say in lines what was written, and what not and why.

        Args:
            where: The results are.
            overwrite: What makes results again that are there.
        """
        if not self.done:
            return [f"Nothing to do: {_count(len(self.earlier))} in {where} already ({overwrite} makes them again)."]
        written = len(self.done) - len(self.failed)
        speed = f" ({written / self.seconds:.3g} pictures/s)" if self.seconds > 0 and written else ""
        parts = [f"{_count(written)} written to {where} in {format_duration(self.seconds)}{speed}"]
        if self.earlier:
            parts.append(f"{len(self.earlier)} there already ({overwrite} makes them again)")
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        lines = [f"{', '.join(parts)}."]
        tiles = {one.tile for one in self.done if one.tile}
        if tiles:
            lines.append(f"Tiles of {' and '.join(map(str, sorted(tiles)))} pixels.")
        lines += gather("Note", [(one.job.name, note) for one in self.done for note in one.notes])
        shown = [f"  {one.job.name}: {in_one_line(one.failure)}" for one in self.failed[:FAILURES_SHOWN]]
        more = len(self.failed) - FAILURES_SHOWN
        return [*lines, *shown, *([f"  ... and {more} more"] if more > 0 else [])]


def prepare(
    weights: Path,
    inputs: Sequence[str],
    output: Path | None,
    request: Request,
    mark: str = "",
    overwrite: bool = False,
    report: Path | None = None,
) -> Task:
    """Find out what is to be done; nothing is written.

    Args:
        weights: The model's file, of which the description alone is read.
        inputs: Files, folders and globs.
        output: Folder of the results; None for that of each picture, which takes a ``mark``.
        request: What is asked for.
        mark: What is added to each name.
        overwrite: Whether results that are there are made again.
        report: Where a report goes.

    Raises:
        UserError: If the kind of model takes no pictures, or does not do what is asked for, or something is wrong with
            inputs, output or report.
    """
    from uncrappify.application.report import check_report
    from uncrappify.application.table import ResultTable
    from uncrappify.datasets.weights import read_description
    from uncrappify.inference.predictor import predictor_of

    kind = predictor_of(read_description(weights))
    if kind.instead:
        raise UserError(f"These weights {kind.purpose}, and apply takes picture files. {kind.instead}")
    kind.check_request(request)
    _check_place(kind, output, mark)
    found = find_inputs(inputs)
    if output is not None:
        check_output(output, inputs)
    jobs = plan(found, output, mark, lambda suffix: kind.name_endings(suffix, request))
    if report is not None:
        check_report(report, jobs)
    table = ResultTable(output / f"{kind.table}.csv", fresh=overwrite) if kind.table and output else None
    there = dict.fromkeys(job for job in jobs if not overwrite and _is_there(job, table))
    missing = [job for job in jobs if job not in there]
    return Task(missing, list(there), kind, request, output, table)


def carry_out(
    task: Task,
    load: Callable[[], Predictor[Any]],
    on_done: Callable[[Done], None],
    *,
    report: bool,
) -> Outcome:
    """Apply a model to the pictures of a task.

    Args:
        task: What is to be done.
        load: Gives the model, where there is something for it to do.
        on_done: Is told of each picture.
        report: Whether small pictures are kept of as many as a report shows.

    Raises:
        UserError: The disk is full; what is done stays.
    """
    from uncrappify.application.batch import recall, run_batch
    from uncrappify.application.report import pick_evenly

    shown = frozenset(pick_evenly([*task.there, *task.jobs]) if report else ())
    rows = task.table.rows if task.table else {}
    outcome = Outcome(earlier=[recall(job, rows.get(job.name), job in shown) for job in task.there])
    if not task.jobs:
        return outcome
    predictor, start = load(), time.monotonic()
    try:
        for done in run_batch(task.jobs, predictor, task.request, task.output, shown):
            if task.table is not None and done.row is not None:
                task.table.add(done.job.name, done.row)
            outcome.done.append(done)
            on_done(done)
    finally:
        if task.table is not None:
            task.table.write()
    outcome.seconds = time.monotonic() - start
    return outcome


def _check_place(kind: type[Predictor[Any]], output: Path | None, mark: str) -> None:
    if "/" in mark or "\\" in mark or "\0" in mark:
        raise UserError(f"--suffix {mark!r}: it is added to a name, and a name has no slash.")
    if output is None and (not mark or kind.table):
        raise UserError("Give --output, a folder for the results." if kind.table else "Give --output, or a --suffix.")


def _is_there(job: Job, table: ResultTable | None) -> bool:
    return all(target.exists() for target in job.targets) and (table is None or job.name in table)


def _count(number: int) -> str:
    return "1 picture" if number == 1 else f"{number} pictures"


def gather(head: str, told: Sequence[tuple[str, str]]) -> list[str]:
    """Say each thing once, with the pictures that it was said of."""
    by_text: dict[str, list[str]] = {}
    for name, text in told:
        by_text.setdefault(text, []).append(name)
    return [f"{head}: {text} ({shorten_list(names)})." for text, names in by_text.items()]
