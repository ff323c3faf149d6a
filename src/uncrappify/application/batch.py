"""Many pictures one after the other: the next is read and the last one written while the network works on one."""

from __future__ import annotations

import errno
import os
import sys
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uncrappify.application.inputs import Job
from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.memory import is_out_of_memory
from uncrappify.names import shorten_list
from uncrappify.pictures.original import Original, read_original
from uncrappify.pictures.unusable import UnusablePicture

if TYPE_CHECKING:
    from PIL import Image

    from uncrappify.inference.predictor import Predictor
    from uncrappify.inference.results import Request, Result

THUMBNAIL = 376
"""Pixels of the longer side of a small picture."""

NICENESS = 10
"""Of the threads that read and write, above the network's."""

READ_AHEAD = 2

WAITING = 200_000_000
"""Bytes of results that may wait for being written while the network goes on."""


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
    readers, writers = (ThreadPoolExecutor(1, initializer=_step_back) for _ in range(2))
    with readers, writers:
        try:
            done = 0
            for job, original in _read_ahead(jobs, readers):
                future, size = _begin(job, original, predictor, request, output, job in shown, writers)
                waiting.append((size, future))
                while waiting and (waiting[0][1].done() or sum(size for size, _ in waiting) > WAITING):
                    yield _finish(waiting.popleft()[1], jobs, done)
                    done += 1
            for _, future in waiting:
                yield _finish(future, jobs, done)
                done += 1
        except BaseException:
            for _, future in waiting:
                future.cancel()
            readers.shutdown(cancel_futures=True)
            raise


def _step_back() -> None:
    """Let the network go first, all of whose threads wait for the one that another thread has taken the core from."""
    # Of this thread; elsewhere it would be the whole process.
    if sys.platform == "linux":
        os.nice(NICENESS)


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


def _begin(
    job: Job,
    original: Original | str,
    predictor: Predictor[Any],
    request: Request,
    output: Path | None,
    shown: bool,
    writers: ThreadPoolExecutor,
) -> tuple[Future[Done], int]:
    """Run the network, and leave the rest to a thread; also say how many bytes wait for it."""
    if isinstance(original, str):
        return _at_once(Done(job, failure=original)), 0
    try:
        result = predictor.process(original, request)
    except UserError as error:
        return _at_once(Done(job, failure=str(error))), 0
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return _at_once(Done(job, failure="not enough memory for its result")), 0
    doubt = predictor.find_doubt(original)
    future = writers.submit(_write, job, original, result, doubt, output, shown)
    return future, original.samples.nbytes + result.size


def _at_once(done: Done) -> Future[Done]:
    future: Future[Done] = Future()
    future.set_result(done)
    return future


def _write(job: Job, original: Original, result: Result, doubt: str, output: Path | None, shown: bool) -> Done:
    notes = result.notes
    try:
        for target, encode in zip(job.targets, result.files, strict=True):
            encoded = encode()
            notes += encoded.notes
            _check_inside(target, output)
            with written_whole(target, durable=False) as temporary:
                temporary.write_bytes(encoded.content)
    except UnusablePicture as reason:
        return Done(job, failure=str(reason))
    except MemoryError:
        return Done(job, failure="not enough memory to write it")
    except UserError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        return Done(job, failure=str(error))
    except OSError as error:
        return Done(job, failure=f"could not be written ({(error.strerror or str(error)).lower()})")
    before = after = None
    if shown and result.show:
        with suppress(MemoryError):
            before, after = _shrink(original.as_rgb()), _shrink(result.show())
    return Done(job, "", notes, doubt, result.tile, result.row, before, after)


def _check_inside(target: Path, output: Path | None) -> None:
    if output is not None and not target.parent.resolve().is_relative_to(output.resolve()):
        raise UserError(f"{target.parent} leads out of the output folder by a link. Remove the link.")


def _shrink(picture: Image.Image) -> Image.Image:
    # In whole steps first: a large picture need not be filtered over all its pixels.
    picture = picture.reduce(max(1, max(picture.size) // (2 * THUMBNAIL)))
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    return picture


def _finish(future: Future[Done], jobs: Sequence[Job], done: int) -> Done:
    try:
        return future.result()
    except UserError as error:
        rest = shorten_list([job.name for job in jobs[done:]], 10)
        raise UserError(f"{error}\n{done} of {len(jobs)} pictures are done and stay. Not done: {rest}.") from error
