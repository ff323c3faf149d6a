"""Sheets of classified pictures: a training batch, and the surest mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from uncrappify.datasets import LabelledPictures
from uncrappify.evaluation import page
from uncrappify.evaluation.page import GAP, INK, MARGIN, MUTED, WIDTH, write

COLUMNS = 8
CELL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
LINE = 26
MOST_SHOWN = 64
WRONG = "#a40e26"

Caption = Sequence[tuple[str, str]]
"""Lines of text and their colours."""


def draw_labelled_batch_sheet(pictures: npt.NDArray[np.uint8], names: Sequence[str]) -> Image.Image:
    """Draw a training batch as the network gets it, each picture over its class.

    Args:
        pictures: uint8 (N, C, H, W).
        names: Class of each.

    Returns:
        RGB, 1600 pixels wide, with the first 64 pictures.
    """
    shown = [(_as_picture(pixels), [(name, INK)]) for pixels, name in zip(pictures, names, strict=True)][:MOST_SHOWN]
    size = page.format_size(pictures.shape[3], pictures.shape[2])
    return _draw_grid(f"training batch: {len(shown)} of {len(pictures)} pictures of {size}", shown)


def draw_mistakes(test: LabelledPictures, probabilities: npt.NDArray[np.float32], most: int = 40) -> Image.Image:
    """Draw the surest mistakes; where there are fewer, the pictures follow that are right with the least certainty.

    Args:
        test: The test pictures.
        probabilities: (N, classes).
        most: How many pictures at most.

    Returns:
        RGB, 1600 pixels wide: under each picture what it was taken for and how surely, and what it is.
    """
    predicted, sure = probabilities.argmax(1), probabilities.max(1)
    wrong = predicted != test.labels
    # Wrong ones first, the surest of them first; then right ones, the least sure first.
    order = np.lexsort((np.where(wrong, -sure, sure), ~wrong))[:most]
    shown = []
    for number in order.tolist():
        taken, true = (test.classes[label[number]] for label in (predicted, test.labels))
        colour = WRONG if wrong[number] else MUTED
        truth = f"is {true}" if wrong[number] else "right"
        caption = [(f"{taken} {sure[number]:.1%}", colour), (truth, INK), (test.names[number], MUTED)]
        shown.append((_as_picture(test.pixels[number]), caption))
    mistakes = int(wrong.sum())
    head = f"{mistakes} of {len(test)} test pictures are wrong, the surest first"
    return _draw_grid(
        head if mistakes >= len(shown) else f"{head}; then those that are right by the least margin", shown
    )


def _as_picture(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """Turn (C, H, W) into a picture, RGB."""
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0).repeat(3 // len(pixels), axis=2)))


def _draw_grid(title: str, pictures: Sequence[tuple[Image.Image, Caption]]) -> Image.Image:
    head, pen = page.create_sheet(WIDTH, 28)
    write(pen, MARGIN, 10, title, size=22, colour=MUTED)
    tall = max(picture.height / picture.width for picture, _ in pictures)
    height = round(CELL * min(tall, 2.0))
    lines = []
    for start in range(0, len(pictures), COLUMNS):
        row = pictures[start : start + COLUMNS]
        line, pen = page.create_sheet(WIDTH, height + LINE * max(len(caption) for _, caption in row) + 8)
        for column, (picture, caption) in enumerate(row):
            x = MARGIN + column * (CELL + GAP)
            page.place(line, picture, (x, 0, x + CELL, height))
            for place, (text, colour) in enumerate(caption):
                write(pen, x, height + 16 + place * LINE, page.shorten(text, CELL, size=18), size=18, colour=colour)
        lines.append(line)
    return page.stack([head, *lines], gap=GAP)
