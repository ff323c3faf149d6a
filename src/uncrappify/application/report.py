"""The contact sheet of a batch: each picture beside what came of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from uncrappify.application.batch import THUMBNAIL, Done
from uncrappify.application.inputs import Job
from uncrappify.atomic import written_whole
from uncrappify.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")

MOST = 40
"""Pictures that are shown, evenly picked of more."""

COLUMNS, GAP, TITLE = 2, 16, 56
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def check_report(path: Path, jobs: Sequence[Job]) -> None:
    """Check the name of a report before anything is done.

    Raises:
        UserError: If it is no picture's, or that of one of the pictures or results.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--report {path}: expected a picture's name, such as report.jpg ({', '.join(SUFFIXES)}).")
    taken = {os.path.realpath(file) for job in jobs for file in (job.path, *job.targets)}
    if os.path.realpath(path) in taken:
        raise UserError(f"--report {path}: it would take the place of a picture. Give another name.")


def draw_report(done: Sequence[Done], title: str) -> Image.Image:
    """Draw pictures before and after, two a line.

    Args:
        done: Of which those that have small pictures are shown.
        title: Of the sheet.

    Returns:
        RGB, 1600 pixels wide.
    """
    from uncrappify.evaluation import page

    done = [one for one in done if one.before]
    head, pen = page.create_sheet(page.WIDTH, 40)
    page.write(pen, page.MARGIN, 18, page.shorten(title, page.WIDTH - 2 * page.MARGIN, 26, bold=True), 26, bold=True)
    width = (page.WIDTH - 2 * page.MARGIN - (2 * COLUMNS - 1) * GAP) // (2 * COLUMNS)
    lines = [head]
    for start in range(0, len(done), COLUMNS):
        few = done[start : start + COLUMNS]
        height = max(min(THUMBNAIL, _height(one, width)) for one in few)
        line, pen = page.create_sheet(page.WIDTH, TITLE + height)
        for column, one in enumerate(few):
            x = page.MARGIN + 2 * column * (width + GAP)
            page.write(pen, x, 16, page.shorten(one.job.name, 2 * width + GAP, 20, bold=True), bold=True)
            page.write(pen, x, 40, page.shorten(_caption(one), 2 * width + GAP, 16), 16, page.MUTED)
            for place, picture in enumerate((one.before, one.after)):
                left = x + place * (width + GAP)
                if picture:
                    page.place(line, picture, (left, TITLE, left + width, TITLE + height), magnify="bicubic")
        lines.append(line)
    return page.stack(lines, gap=GAP)


def write_report(path: Path, done: Sequence[Done], title: str) -> None:
    """Draw the report, and write it whole.

    Raises:
        UserError: The disk is full, or there is no permission.
    """
    sheet = draw_report(done, title)
    with written_whole(path) as temporary:
        sheet.save(temporary, quality=90)


def pick_evenly(jobs: Sequence[T]) -> list[T]:
    """Pick as many as a sheet shows, from the first to the last."""
    step = max(1.0, len(jobs) / MOST)
    return [jobs[int(number * step)] for number in range(min(MOST, len(jobs)))]


def _height(one: Done, width: int) -> int:
    assert one.before
    return max(1, round(width * one.before.height / one.before.width))


def _caption(one: Done) -> str:
    label = f"{one.row['class']} {one.row['probability']}" if one.row and "class" in one.row else ""
    return "; ".join(filter(None, [label, *one.notes, one.doubt]))
