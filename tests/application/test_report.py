"""The report shows pictures before and after, no more than a sheet holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uncrappify.application.batch import Done
from uncrappify.application.inputs import Job
from uncrappify.application.report import MOST, check_report, draw_report, pick_evenly
from uncrappify.errors import UserError


def done(name: str, shown: bool = True) -> Done:
    before, after = (Image.new("RGB", (90, 60), colour) if shown else None for colour in ("red", "blue"))
    return Done(Job(Path(name), name, ()), before=before, after=after, doubt="trained for another damage")


def test_each_picture_is_there_before_and_after() -> None:
    sheet = np.asarray(draw_report([done("a"), done("failed", shown=False), done("b"), done("c")], "three"))
    width = (1600 - 80 - 3 * 16) // 4
    for colour, amount in (((255, 0, 0), 3), ((0, 0, 255), 3)):
        assert (sheet == colour).all(-1).sum() / (width * width * 2 / 3) == pytest.approx(amount, rel=0.05)


def test_of_many_pictures_some_are_picked_evenly() -> None:
    picked = pick_evenly(range(7 * MOST + 5))
    assert len(picked) == MOST
    assert max(np.diff(picked)) - min(np.diff(picked)) <= 1
    assert pick_evenly([1, 2]) == [1, 2]
    assert pick_evenly([]) == []


def test_the_name_of_a_report_is_that_of_a_picture() -> None:
    check_report(Path("a.JPG"), [])
    with pytest.raises(UserError, match="expected a picture's name"):
        check_report(Path("report.pdf"), [])


@pytest.mark.parametrize("name", ["in/a.jpg", "out/a.jpg", "in/../in/a.jpg"])
def test_a_report_takes_the_place_of_no_picture_and_no_result(name: str) -> None:
    with pytest.raises(UserError, match="it would take the place of a picture"):
        check_report(Path(name), [Job(Path("in/a.jpg"), "a.jpg", (Path("out/a.jpg"),))])
