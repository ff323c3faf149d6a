"""The contact sheet of a batch: each picture beside what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uncrappify.application.batch import Done
from uncrappify.atomic import written_whole
from uncrappify.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL = 376
"""Pixels of a picture's longer side."""

MOST = 40
"""Pictures that are shown, evenly picked of more."""

COLUMNS, GAP, TITLE = 2, 16, 56
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def check_report(path: Path) -> None:
    """Check the name of a report before anything is done.

    Raises:
        UserError: If it is no picture's.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--report {path}: expected a picture's name, such as report.jpg ({', '.join(SUFFIXES)}).")


def draw_report(done: Sequence[Done], title: str) -> Image.Image:
    """Draw pictures before and after, two a line.

    Args:
        done: Those that have small pictures.
        title: Of the sheet.

    Returns:
        RGB, 1600 pixels wide.
    """
    from uncrappify.evaluation import page

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
    sheet = draw_report(pick_evenly(done), title)
    with written_whole(path) as temporary:
        sheet.save(temporary, quality=90)


def pick_evenly(done: Sequence[Done]) -> list[Done]:
    """Pick as many as a sheet shows, from the first to the last."""
    shown = [one for one in done if one.before]
    step = max(1.0, len(shown) / MOST)
    return [shown[int(number * step)] for number in range(min(MOST, len(shown)))]


def _height(one: Done, width: int) -> int:
    assert one.before
    return max(1, round(width * one.before.height / one.before.width))


def _caption(one: Done) -> str:
    label = f"{one.row['class']} {one.row['probability']}" if one.row and "class" in one.row else ""
    return "; ".join(filter(None, [label, *one.notes, one.doubt]))
