"""Pictures of a segmentation: what the network gets, what it says, and where it is wrong."""

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


def segmentation_sheet(
    pictures: Iterable[tuple[SegmentedPicture, float, float]], labels: Labels, iou: Sequence[float] = ()
) -> Image.Image:
    """Show picture, truth, prediction and mistakes beside each other, under a legend.

    Args:
        pictures: Name, picture, true and predicted classes of each, with its accuracy and mean IoU.
        labels: Names and colours of the classes.
        iou: Of each class, for the legend.

    Returns:
        RGB, 1600 pixels wide. A mistake is red, on the picture made pale.

    Raises:
        ValueError: If there are no pictures.
    """
    blocks = [_block(picture, labels, accuracy, miou) for picture, accuracy, miou in pictures]
    if not blocks:
        raise ValueError("there are no pictures to show")
    head, pen = page.blank(WIDTH, 30)
    for column, text in enumerate(HEADS):
        write(pen, _column_x(column) + COLUMN / 2, 12, text, size=24, bold=True, align="middle")
    return page.stack([_legend(labels, iou), head, *blocks], gap=24)


def masked_batch_sheet(
    pictures: Sequence[np.ndarray] | np.ndarray, masks: Sequence[Classes] | np.ndarray, labels: Labels
) -> Image.Image:
    """Show a training batch as the network gets it: each picture beside its mask.

    Args:
        pictures: uint8 (N, H, W, 3).
        masks: uint8 (N, H, W).
        labels: Names and colours of the classes.

    Returns:
        RGB, 1600 pixels wide; the first 32.
    """
    width = (WIDTH - 2 * MARGIN - (CROP_COLUMNS - 1) * GAP) // CROP_COLUMNS
    height = max(1, round(width / 2 * pictures[0].shape[0] / pictures[0].shape[1]))
    crops = list(zip(pictures, masks, strict=True))[:MOST_CROPS]
    lines = []
    for start in range(0, len(crops), CROP_COLUMNS):
        line, _ = page.blank(WIDTH, height)
        for number, (picture, mask) in enumerate(crops[start : start + CROP_COLUMNS]):
            x = MARGIN + number * (width + GAP)
            page.place(line, Image.fromarray(picture), (x, 0, x + width // 2, height))
            page.place(line, as_picture(mask, labels).convert("RGB"), (x + width // 2, 0, x + width, height))
        lines.append(line)
    head, pen = page.blank(WIDTH, 28)
    size = page.size_text(pictures[0].shape[1], pictures[0].shape[0])
    write(pen, MARGIN, 10, f"training batch: {len(crops)} of {len(pictures)} pictures of {size}", colour=MUTED)
    return page.stack([_legend(labels, ()), head, *lines], gap=GAP)


def mistakes(picture: Image.Image, truth: Classes, prediction: Classes) -> Image.Image:
    """Make a picture pale, and every pixel red whose class is wrong; void is as it is."""
    pale = 255 - (255 - np.asarray(picture, dtype=np.float32)) * FADED
    wrong = (truth != prediction) & (truth != VOID)
    pale[wrong] = WRONG
    return Image.fromarray(pale.astype(np.uint8))


def _column_x(column: int) -> int:
    return MARGIN + column * (COLUMN + GAP)


def _block(shown: SegmentedPicture, labels: Labels, accuracy: float, miou: float) -> Image.Image:
    name, picture, truth, prediction = shown
    height = min(TALLEST, max(1, round(COLUMN * picture.height / picture.width)))
    block, pen = page.blank(WIDTH, TITLE + height)
    pen.line((MARGIN, 0, WIDTH - MARGIN, 0), fill=page.RULE, width=2)
    figures = f"{accuracy:.1%} of the pixels right, mean IoU {miou:.2f}"
    write(pen, WIDTH - MARGIN, 28, figures, colour=MUTED, align="right")
    room = WIDTH - 2 * MARGIN - round(page.font(20).getlength(figures)) - 2 * GAP
    write(pen, MARGIN, 28, page.shorten(name, room, size=22, bold=True), size=22, bold=True)
    columns = (
        picture,
        as_picture(truth, labels).convert("RGB"),
        as_picture(prediction, labels).convert("RGB"),
        mistakes(picture, truth, prediction),
    )
    for column, content in enumerate(columns):
        x = _column_x(column)
        page.place(block, content, (x, TITLE, x + COLUMN, TITLE + height))
        # Void may be as white as the page.
        pen.rectangle((x, TITLE, x + COLUMN - 1, TITLE + height - 1), outline=page.RULE)
    return block


def _legend(labels: Labels, iou: Sequence[float]) -> Image.Image:
    """A swatch and a name for each class, with its IoU where that is known, in as many lines as it takes."""
    notes = [f" {value:.2f}" if value == value else " -" for value in iou] or [""] * len(labels.classes)
    entries = [
        (colour, name, note) for colour, name, note in zip(labels.palette, labels.classes, notes, strict=True)
    ] + [(labels.void_colour, "void", "")]
    lines: list[list[tuple[int, tuple[int, int, int], str, str]]] = [[]]
    x = MARGIN
    for colour, name, note in entries:
        width = SWATCH + 8 + round(page.font(20).getlength(name + note)) + 28
        if x + width > WIDTH - MARGIN and lines[-1]:
            lines.append([])
            x = MARGIN
        lines[-1].append((x, colour, name, note))
        x += width
    legend, pen = page.blank(WIDTH, LEGEND_LINE * len(lines))
    for number, line in enumerate(lines):
        y = LEGEND_LINE * number + LEGEND_LINE // 2
        for x, colour, name, note in line:
            pen.rounded_rectangle(
                (x, y - SWATCH // 2, x + SWATCH, y + SWATCH // 2), radius=5, fill=colour, outline=MUTED
            )
            written = write(pen, x + SWATCH + 8, y, name)
            write(pen, x + SWATCH + 8 + written, y, note, colour=MUTED)
    return legend
