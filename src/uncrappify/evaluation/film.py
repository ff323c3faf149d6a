"""A film of a training: the same details of pictures, again and again."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from uncrappify.evaluation import page
from uncrappify.evaluation.baselines import enlarge
from uncrappify.evaluation.metrics import Pixels

CELL, GAP, HEAD = 192, 8, 36
COLUMNS = ("input", "generated", "target")


def draw_frame(rows: Sequence[Sequence[Pixels]]) -> Image.Image:
    """Draw details of pictures beside each other.

    Args:
        rows: Of each picture the input, what is made of it and its target, uint8 (H, W, 3), of any sizes.

    Returns:
        RGB, each detail with its longer side enlarged or reduced to 192 pixels.
    """
    width = GAP + len(COLUMNS) * (CELL + GAP)
    sheet, pen = page.create_sheet(width, HEAD + len(rows) * (CELL + GAP))
    for column, title in enumerate(COLUMNS):
        page.write(pen, GAP + column * (CELL + GAP), HEAD // 2, title, size=18)
    for number, row in enumerate(rows):
        for column, pixels in enumerate(row):
            picture = Image.fromarray(pixels)
            factor = CELL / max(picture.size)
            size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
            corner = (GAP + column * (CELL + GAP), HEAD + number * (CELL + GAP))
            # The pixels themselves: smoothing would hide what the training changes.
            sheet.paste(enlarge(picture, size, "nearest"), corner)
    return sheet
