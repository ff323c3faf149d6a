"""Many pictures: the next are read and the last ones written while the network works, on several small ones at once."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from uncrappify.application.inputs import Job
from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.inference.device import device_type_of
from uncrappify.inference.results import Request, Result
from uncrappify.inference.tiled import SMALL
from uncrappify.memory import is_out_of_memory
from uncrappify.names import shorten_list
from uncrappify.pictures.original import Original, read_original
from uncrappify.pictures.unusable import UnusablePicture
from uncrappify.threads import divided_threads

if TYPE_CHECKING:
    from PIL import Image

    from uncrappify.inference.predictor import Predictor

THUMBNAIL = 376
"""Pixels of the longer side of a small picture."""

READ_AHEAD = 2

WAITING = 200_000_000
"""Bytes of results that may wait for being written while the network goes on."""

MOST_AT_ONCE = 8
"""Small pictures; each takes memory of its own."""


@dataclass(frozen=True)
class Done:
    """What became of a picture.

    Attributes:
        job: The picture, and its files.
        failure: Why there is no result; empty where there is one.
        notes: What was converted or lost.
        doubt: Why the model may be the wrong one for it.
        tile: Side of the tiles that were used, where there were any.
        row: Of the table, where the kind writes one.
        before: The picture, small, where it is to be shown.
        after: The result, likewise.
    """

    job: Job
    failure: str = ""
    notes: tuple[str, ...] = ()
    doubt: str = ""
    tile: int | None = None
    row: Any = None
    before: Image.Image | None = None
    after: Image.Image | None = None


def run_batch(
    jobs: Sequence[Job],
    predictor: Predictor[Any],
    request: Request,
    output: Path | None,
    shown: Collection[Job] = (),
) -> Iterator[Done]:
    """Apply a model to pictures.

    Args:
        jobs: The pictures.
        predictor: The model.
        request: What is asked for.
        output: Folder that nothing may leave, whatever links it holds; None where each picture's own folder is meant.
        shown: Those of which small pictures are given back, which take memory.

    Yields:
        What became of each, in order, when its files are on the disk.

    Raises:
        UserError: The disk is full; what is done stays.
    """
    waiting: deque[tuple[int, Future[Done]]] = deque()
    on_cpu = device_type_of(predictor.network) == "cpu"
    small_ones = divided_threads(at_once := min(torch.get_num_threads(), MOST_AT_ONCE))
    with ThreadPoolExecutor(1) as readers, ThreadPoolExecutor(1) as writers, small_ones as workers:
        try:
            done = 0
            small: list[Future[Done]] = []
            for job, original in _read_ahead(jobs, readers):
                if isinstance(original, str):
                    waiting.append((0, _at_once(Done(job, failure=original))))
                else:
                    work = _Work(job, original, predictor, request, output, job in shown)
                    size = original.samples.nbytes
                    if on_cpu and original.size[0] * original.size[1] <= SMALL:
                        small.append(workers.submit(work.do))
                        waiting.append((size, small[-1]))
                    else:
                        # A large one has all cores for itself, and all memory.
                        wait(small)
                        small.clear()
                        result = work.process()
                        size += result.size if isinstance(result, Result) else 0
                        waiting.append((size, writers.submit(work.write, result)))
                while waiting and (
                    waiting[0][1].done() or len(waiting) > 2 * at_once or sum(size for size, _ in waiting) > WAITING
                ):
                    yield _finish(waiting, jobs, done)
                    done += 1
            while waiting:
                yield _finish(waiting, jobs, done)
                done += 1
        except BaseException:
            for _, future in waiting:
                future.cancel()
            readers.shutdown(cancel_futures=True)
            raise


def recall(job: Job, row: Any, shown: bool) -> Done:
    """Give what has become of a picture before, from its files.

    Args:
        job: The picture.
        row: Of the table, where there is one.
        shown: Whether small pictures are given back, where both files can still be read.
    """
    before = after = None
    if shown:
        result = job.targets[-1] if job.targets else job.path
        with suppress(UnusablePicture, MemoryError):
            before, after = (_shrink(read_original(path).as_rgb()) for path in (job.path, result))
    return Done(job, notes=("there already",), row=row, before=before, after=after)


def _read_ahead(jobs: Sequence[Job], readers: ThreadPoolExecutor) -> Iterator[tuple[Job, Original | str]]:
    """Read pictures in a thread, a few ahead, and give each, or the reason why it cannot be used."""
    ahead: deque[tuple[Job, Future[Original | str]]] = deque()
    for job in jobs:
        ahead.append((job, readers.submit(_read, job)))
        if len(ahead) > READ_AHEAD:
            job, future = ahead.popleft()
            yield job, future.result()
    while ahead:
        job, future = ahead.popleft()
        yield job, future.result()


def _read(job: Job) -> Original | str:
    try:
        return read_original(job.path)
    except UnusablePicture as reason:
        return str(reason)


@dataclass(frozen=True)
class _Work:
    """What there is to do with a picture that has been read; the attributes are those of :func:`run_batch`."""

    job: Job
    original: Original
    predictor: Predictor[Any]
    request: Request
    output: Path | None
    shown: bool

    def do(self) -> Done:
        """Run the network, and write the files."""
        return self.write(self.process())

    def process(self) -> Result | Done:
        """Run the network, or say why nothing comes of the picture."""
        try:
            return self.predictor.process(self.original, self.request)
        except UserError as error:
            return Done(self.job, failure=str(error))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return Done(self.job, failure="not enough memory for its result")

    def write(self, result: Result | Done) -> Done:
        """Write the files."""
        if isinstance(result, Done):
            return result
        notes = result.notes
        try:
            for target, encode in zip(self.job.targets, result.files, strict=True):
                encoded = encode()
                notes += encoded.notes
                _check_inside(target, self.output)
                with written_whole(target, durable=False) as temporary:
                    temporary.write_bytes(encoded.content)
        except UnusablePicture as reason:
            return Done(self.job, failure=str(reason))
        except MemoryError:
            return Done(self.job, failure="not enough memory to write it")
        except UserError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            return Done(self.job, failure=str(error))
        except OSError as error:
            return Done(self.job, failure=f"could not be written ({(error.strerror or str(error)).lower()})")
        doubt, before, after = self.predictor.find_doubt(self.original), None, None
        if self.shown and result.show:
            with suppress(MemoryError):
                before, after = _shrink(self.original.as_rgb()), _shrink(result.show())
        return Done(self.job, "", notes, doubt, result.tile, result.row, before, after)


def _at_once(done: Done) -> Future[Done]:
    future: Future[Done] = Future()
    future.set_result(done)
    return future


def _check_inside(target: Path, output: Path | None) -> None:
    if output is not None and not target.parent.resolve().is_relative_to(output.resolve()):
        raise UserError(f"{target.parent} leads out of the output folder by a link. Remove the link.")


def _shrink(picture: Image.Image) -> Image.Image:
    # In whole steps first: a large picture need not be filtered over all its pixels.
    picture = picture.reduce(max(1, max(picture.size) // (2 * THUMBNAIL)))
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    return picture


def _finish(waiting: deque[tuple[int, Future[Done]]], jobs: Sequence[Job], done: int) -> Done:
    try:
        return waiting.popleft()[1].result()
    except UserError as error:
        # Later ones may be done before.
        later = [future for _, future in waiting]
        wait([future for future in later if not future.cancel()])
        there = [not future.cancelled() and not future.exception() for future in later]
        rest = [job.name for job, is_there in zip_longest(jobs[done:], [False, *there]) if not is_there]
        raise UserError(
            f"{error}\n{len(jobs) - len(rest)} of {len(jobs)} pictures are done and stay. Not done: "
            f"{shorten_list(rest, 10)}."
        ) from error
