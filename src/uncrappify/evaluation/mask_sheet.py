"""Sheets of segmented pictures: input, truth, prediction, and the mistakes."""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from uncrappify.evaluation import page
from uncrappify.evaluation.page import GAP, MARGIN, MUTED, WIDTH, write
from uncrappify.pictures.masks import VOID, Classes, Labels, as_picture

COLUMN = (WIDTH - 2 * MARGIN - 3 * GAP) // 4
HEADS = ("picture", "truth", "prediction", "mistakes")
TITLE = 52
TALLEST = 420
LEGEND_LINE, SWATCH = 34, 22
FADED = 0.25
WRONG = (214, 40, 48)
MOST_CROPS = 32
CROP_COLUMNS = 4

#: Name, picture, true classes, predicted classes.
SegmentedPicture = tuple[str, Image.Image, Classes, Classes]


def draw_segmentation_sheet(
    pictures: Iterable[tuple[SegmentedPicture, float, float]], labels: Labels, iou: Sequence[float] = ()
) -> Image.Image:
    """Draw picture, truth, prediction and mistakes side by side, under a legend.

    Args:
        pictures: Name, picture, true and predicted classes of each, with its accuracy and mean IoU.
        labels: Names and colours of the classes.
        iou: IoU of each class, for the legend; empty to leave it out.

    Returns:
        RGB, 1600 pixels wide. Mistakes are red on a faded picture.

    Raises:
        ValueError: If there are no pictures.
    """
    blocks = [_draw_block(picture, labels, accuracy, miou) for picture, accuracy, miou in pictures]
    if not blocks:
        raise ValueError("there are no pictures to show")
    head, pen = page.create_sheet(WIDTH, 30)
    for column, text in enumerate(HEADS):
        write(pen, _column_x(column) + COLUMN / 2, 12, text, size=24, bold=True, align="middle")
    return page.stack([_draw_legend(labels, iou), head, *blocks], gap=24)


def draw_masked_batch_sheet(
    pictures: Sequence[np.ndarray] | np.ndarray, masks: Sequence[Classes] | np.ndarray, labels: Labels
) -> Image.Image:
    """Draw a training batch as the network gets it: each picture beside its mask.

    Args:
        pictures: uint8 (N, H, W, 3).
        masks: uint8 (N, H, W).
        labels: Names and colours of the classes.

    Returns:
        RGB, 1600 pixels wide, with the first 32 pictures.
    """
    width = (WIDTH - 2 * MARGIN - (CROP_COLUMNS - 1) * GAP) // CROP_COLUMNS
    height = max(1, round(width / 2 * pictures[0].shape[0] / pictures[0].shape[1]))
    crops = list(zip(pictures, masks, strict=True))[:MOST_CROPS]
    lines = []
    for start in range(0, len(crops), CROP_COLUMNS):
        line, _ = page.create_sheet(WIDTH, height)
        for number, (picture, mask) in enumerate(crops[start : start + CROP_COLUMNS]):
            x = MARGIN + number * (width + GAP)
            page.place(line, Image.fromarray(picture), (x, 0, x + width // 2, height))
            page.place(line, as_picture(mask, labels).convert("RGB"), (x + width // 2, 0, x + width, height))
        lines.append(line)
    head, pen = page.create_sheet(WIDTH, 28)
    size = page.format_size(pictures[0].shape[1], pictures[0].shape[0])
    write(pen, MARGIN, 10, f"training batch: {len(crops)} of {len(pictures)} pictures of {size}", colour=MUTED)
    return page.stack([_draw_legend(labels, ()), head, *lines], gap=GAP)


def mark_mistakes(picture: Image.Image, truth: Classes, prediction: Classes) -> Image.Image:
    """Fade a picture, and colour the pixels with a wrong class red; void pixels are never wrong."""
    pale = 255 - (255 - np.asarray(picture, dtype=np.float32)) * FADED
    wrong = (truth != prediction) & (truth != VOID)
    pale[wrong] = WRONG
    return Image.fromarray(pale.astype(np.uint8))


def _column_x(column: int) -> int:
    return MARGIN + column * (COLUMN + GAP)


def _draw_block(shown: SegmentedPicture, labels: Labels, accuracy: float, miou: float) -> Image.Image:
    name, picture, truth, prediction = shown
    height = min(TALLEST, max(1, round(COLUMN * picture.height / picture.width)))
    block, pen = page.create_sheet(WIDTH, TITLE + height)
    pen.line((MARGIN, 0, WIDTH - MARGIN, 0), fill=page.RULE, width=2)
    figures = f"{accuracy:.1%} of the pixels right, mean IoU {miou:.2f}"
    write(pen, WIDTH - MARGIN, 28, figures, colour=MUTED, align="right")
    room = WIDTH - 2 * MARGIN - round(page.load_font(20).getlength(figures)) - 2 * GAP
    write(pen, MARGIN, 28, page.shorten(name, room, size=22, bold=True), size=22, bold=True)
    columns = (
        picture,
        as_picture(truth, labels).convert("RGB"),
        as_picture(prediction, labels).convert("RGB"),
        mark_mistakes(picture, truth, prediction),
    )
    for column, content in enumerate(columns):
        x = _column_x(column)
        page.place(block, content, (x, TITLE, x + COLUMN, TITLE + height))
        # The void colour may be white, as the page.
        pen.rectangle((x, TITLE, x + COLUMN - 1, TITLE + height - 1), outline=page.RULE)
    return block


def _draw_legend(labels: Labels, iou: Sequence[float]) -> Image.Image:
    """Draw a colour swatch and name for each class, with its IoU if known, wrapped into lines."""
    notes = [f" {value:.2f}" if value == value else " -" for value in iou] or [""] * len(labels.classes)
    entries = [
        (colour, name, note) for colour, name, note in zip(labels.palette, labels.classes, notes, strict=True)
    ] + [(labels.void_colour, "void", "")]
    lines: list[list[tuple[int, tuple[int, int, int], str, str]]] = [[]]
    x = MARGIN
    for colour, name, note in entries:
        width = SWATCH + 8 + round(page.load_font(20).getlength(name + note)) + 28
        if x + width > WIDTH - MARGIN and lines[-1]:
            lines.append([])
            x = MARGIN
        lines[-1].append((x, colour, name, note))
        x += width
    legend, pen = page.create_sheet(WIDTH, LEGEND_LINE * len(lines))
    for number, line in enumerate(lines):
        y = LEGEND_LINE * number + LEGEND_LINE // 2
        for x, colour, name, note in line:
            pen.rounded_rectangle(
                (x, y - SWATCH // 2, x + SWATCH, y + SWATCH // 2), radius=5, fill=colour, outline=MUTED
            )
            written = write(pen, x + SWATCH + 8, y, name)
            write(pen, x + SWATCH + 8 + written, y, note, colour=MUTED)
    return legend
