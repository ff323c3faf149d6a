"""A batch goes on whatever becomes of one picture, and keeps no more of it than is asked for."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from uncrappify.application.batch import THUMBNAIL, run_batch
from uncrappify.application.inputs import Job, find_inputs, plan
from uncrappify.errors import UserError
from uncrappify.inference.predictor import Predictor
from uncrappify.inference.results import Request, Result
from uncrappify.pictures.original import Original
from uncrappify.pictures.saving import Encoded


class Copier(Predictor[Any]):
    """Writes each picture's width, and shows the picture; raises what it is given for those that are 9 wide."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.network = nn.Identity()

    def __call__(self, given: Any, /) -> Any:
        raise NotImplementedError

    def process(self, original: Original, request: Request) -> Result:
        if self.error and original.size[0] == 9:
            raise self.error
        return Result(files=(lambda: Encoded(b"%d" % original.size[0], ()),), show=original.as_rgb)


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    (tmp_path / "in").mkdir()
    for name, width in (("a", 8), ("b", 9), ("c", 2000)):
        Image.fromarray(np.zeros((8, width, 3), np.uint8)).save(tmp_path / "in" / f"{name}.png")
    return plan(find_inputs([str(tmp_path / "in")]), tmp_path / "out", "", lambda _: (".txt",))


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_small_pictures_have_a_core_each_and_a_large_one_has_all(jobs: list[Job], tmp_path: Path) -> None:
    large = tmp_path / "in" / "d.png"
    Image.new("RGB", (400, 400)).save(large)
    jobs = [jobs[0], jobs[1], *plan([*find_inputs([str(large)])], tmp_path / "out", "", lambda _: (".txt",)), jobs[2]]
    both, seen = Barrier(2), dict[int, int]()

    class Watching(Copier):
        def process(self, original: Original, request: Request) -> Result:
            seen[original.size[0]] = torch.get_num_threads()
            if original.size[0] < 10:
                both.wait(timeout=20)
            return super().process(original, request)

    done = list(run_batch(jobs, Watching(), Request(), tmp_path / "out"))
    assert [one.failure for one in done] == [""] * 4
    assert seen == {8: 1, 9: 1, 400: 2, 2000: 1}
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == 2


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), MemoryError()])
def test_a_picture_that_takes_too_much_memory_stops_nothing(error: Exception, jobs: list[Job], tmp_path: Path) -> None:
    done = list(run_batch(jobs, Copier(error), Request(), tmp_path / "out"))
    assert [one.failure for one in done] == ["", "not enough memory for its result", ""]
    assert sorted(path.read_bytes() for path in (tmp_path / "out").iterdir()) == [b"2000", b"8"]


def test_a_fault_of_the_program_is_no_fault_of_a_picture(jobs: list[Job], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="expected scalar type"):
        list(run_batch(jobs, Copier(RuntimeError("expected scalar type")), Request(), tmp_path / "out"))


@pytest.mark.usefixtures("two_threads")
def test_a_full_disk_names_what_is_not_done_and_not_what_a_quicker_thread_has_done(
    jobs: list[Job], tmp_path: Path
) -> None:
    class Full(Copier):
        def process(self, original: Original, request: Request) -> Result:
            def encode() -> Encoded:
                if original.size[0] == 8:
                    third.wait(timeout=20)
                    raise UserError("the disk is full.") from OSError(errno.ENOSPC, "No space left on device")
                third.set() if original.size[0] == 2000 else None
                return Encoded(b"x", ())

            return Result(files=(encode,), show=original.as_rgb)

    third = Event()
    with pytest.raises(UserError, match=r"2 of 3 pictures are done and stay\. Not done: a\.png\.$"):
        list(run_batch(jobs, Full(), Request(), tmp_path / "out"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"b.txt", "c.txt"}


def test_small_pictures_are_kept_of_those_that_are_shown_alone(jobs: list[Job], tmp_path: Path) -> None:
    done = list(run_batch(jobs, Copier(), Request(), tmp_path / "out", shown=jobs[2:]))
    assert [one.before is not None for one in done] == [False, False, True]
    assert done[2].before is not None
    assert done[2].before.size == done[2].after.size == (THUMBNAIL, 2)  # type: ignore[union-attr]
