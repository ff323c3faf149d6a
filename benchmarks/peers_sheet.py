"""The picture of superres_peers.py: one magnified detail a case, each method's version of it in a column of its own."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncrappify.evaluation import page
from uncrappify.evaluation.baselines import enlarge
from uncrappify.evaluation.metrics import psnr
from uncrappify.evaluation.page import GAP, MARGIN, MUTED, WIDTH, write

HEIGHT = 208
TITLE = 44


class Compared(NamedTuple):
    """One line of the sheet.

    Attributes:
        title: What is shown.
        degraded: What every method got, RGB, of any size.
        versions: Method to its picture, RGB, of the target's size.
        target: What it should be, RGB.
    """

    title: str
    degraded: Image.Image
    versions: Mapping[str, Image.Image]
    target: Image.Image


def details(lines: Sequence[Compared], rivals: tuple[str, str]) -> Image.Image:
    """Degraded, each method's version and target beside each other, with the PSNR of the whole picture.

    The detail is where the rivals' errors differ most, whichever is the better there, so that it flatters neither.

    Args:
        lines: What to show, all with the same methods.
        rivals: Two of the methods.

    Returns:
        RGB, 1600 pixels wide.
    """
    heads = ["degraded", *lines[0].versions, "target"]
    width = (WIDTH - 2 * MARGIN - (len(heads) - 1) * GAP) // len(heads)
    head, pen = page.create_sheet(WIDTH, 24)
    for column, text in enumerate(heads):
        write(pen, MARGIN + column * (width + GAP) + width / 2, 10, text, size=24, bold=True, align="middle")
    return page.stack([head, *(_line(line, rivals, width) for line in lines)], gap=16)


def _line(line: Compared, rivals: tuple[str, str], width: int) -> Image.Image:
    mine, theirs = (_squared_error(line.versions[rival], line.target) for rival in rivals)
    region = page.find_strongest_region(np.abs(mine - theirs), page.detail_size(line.target.size, (width, HEIGHT)))
    block, pen = page.create_sheet(WIDTH, TITLE + HEIGHT + 32)
    pen.line((MARGIN, 0, WIDTH - MARGIN, 0), fill=page.RULE, width=2)
    write(pen, MARGIN, 24, line.title, size=22, bold=True)
    # The degraded picture's own pixels are shown; those of the others, all alike, would hide the lines they form.
    pictures = [enlarge(line.degraded, line.target.size, "nearest"), *line.versions.values(), line.target]
    for column, picture in enumerate(pictures):
        x = MARGIN + column * (width + GAP)
        place = (x, TITLE, x + width, TITLE + HEIGHT)
        page.place(block, picture.crop(region), place, magnify="bicubic" if column else "nearest")
    levels = [psnr(np.asarray(picture), np.asarray(line.target)) for picture in line.versions.values()]
    for column, level in enumerate(levels, 1):
        x, best = MARGIN + column * (width + GAP), level == max(levels)
        write(pen, x, TITLE + HEIGHT + 16, f"{level:.2f} dB", colour=page.INK if best else MUTED, bold=best)
    return block


def _squared_error(picture: Image.Image, target: Image.Image) -> NDArray[np.float64]:
    difference = np.asarray(picture, dtype=np.float64) - np.asarray(target, dtype=np.float64)
    summed: NDArray[np.float64] = np.square(difference).sum(axis=2)
    return summed
