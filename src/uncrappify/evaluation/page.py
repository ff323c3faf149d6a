"""The look of every sheet: one palette, one typeface, pictures in equal boxes, details magnified."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from uncrappify.evaluation.baselines import enlarge

WIDTH = 1600
MARGIN = 40
GAP = 16
INK, MUTED, RULE, PANEL, PAPER = "#1f2328", "#656d76", "#d8dee4", "#f3f4f6", "#ffffff"
FRAME = "#ff9500"
#: Ink and paper of a gain, by its sign.
GAIN_COLOURS = {1: ("#116329", "#dafbe1"), 0: (MUTED, PANEL), -1: ("#a40e26", "#ffebe9")}
DETAIL_ZOOM = 4

Box = tuple[int, int, int, int]
Align = Literal["left", "middle", "right"]
_ANCHORS = {"left": "lm", "middle": "mm", "right": "rm"}


@lru_cache(maxsize=16)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, because Pillow's own font has no letters beyond ASCII and file names do."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def blank(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A white sheet and the pen that draws on it."""
    sheet = Image.new("RGB", (width, height), PAPER)
    return sheet, ImageDraw.Draw(sheet)


def write(
    pen: ImageDraw.ImageDraw,
    x: float,
    y: float,
    text: str,
    size: int = 20,
    colour: str = INK,
    bold: bool = False,
    align: Align = "left",
) -> float:
    """Write one line whose middle is at height ``y``; returns its width in pixels."""
    pen.text((x, y), text, font=font(size, bold), fill=colour, anchor=_ANCHORS[align])
    return pen.textlength(text, font=font(size, bold))


def shorten(text: str, width: int, size: int = 20, bold: bool = False) -> str:
    """The text, or as much of it as fits into ``width`` pixels with an ellipsis in the place of its middle."""
    if font(size, bold).getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if font(size, bold).getlength(short) <= width:
            return short
    return "…"


def size_text(width: int, height: int) -> str:
    """A picture's size as people write it."""
    return f"{width} \N{MULTIPLICATION SIGN} {height}"


def stack(blocks: Sequence[Image.Image], gap: int) -> Image.Image:
    """Blocks of one width, one below the other, with a margin above and below all."""
    sheet, _ = blank(blocks[0].width, sum(block.height + gap for block in blocks) - gap + 2 * MARGIN)
    y = MARGIN
    for block in blocks:
        sheet.paste(block, (0, y))
        y += block.height + gap
    return sheet


def place(
    sheet: Image.Image, picture: Image.Image, box: Box, mark: Box | None = None, magnify: str = "nearest"
) -> None:
    """Show a whole picture as large as it fits into a box, in the middle of a pale panel.

    Args:
        sheet: Where to.
        picture: Any size; made smaller with Lanczos.
        box: left, top, right, bottom on the sheet.
        mark: A region of the picture to draw a frame around, in the picture's pixels.
        magnify: The baseline's kernel that makes a small picture larger.
    """
    left, top, right, bottom = box
    zoom = min((right - left) / picture.width, (bottom - top) / picture.height)
    size = max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom))
    x, y = left + (right - left - size[0]) // 2, top + (bottom - top - size[1]) // 2
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((left, top, right - 1, bottom - 1), fill=PANEL)
    sheet.paste(enlarge(picture, size, "lanczos" if zoom < 1 else magnify), (x, y))
    if mark is not None:
        _draw_frame(pen, (x, y, x + size[0] - 1, y + size[1] - 1), (x, y), [side * zoom for side in mark])


def _draw_frame(pen: ImageDraw.ImageDraw, limits: Box, origin: tuple[int, int], mark: Sequence[float]) -> None:
    """A bright frame on a dark one, seen on any picture; never thinner than a few pixels, never outside the picture."""
    left, top, right, bottom = limits
    x0, y0 = max(left, round(origin[0] + mark[0])), max(top, round(origin[1] + mark[1]))
    x1 = min(right, max(x0 + 6, round(origin[0] + mark[2]) - 1))
    y1 = min(bottom, max(y0 + 6, round(origin[1] + mark[3]) - 1))
    pen.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=INK, width=5)
    pen.rectangle((x0, y0, x1, y1), outline=FRAME, width=3)


def detail_size(picture: tuple[int, int], panel: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the region that fills a panel at ``DETAIL_ZOOM``, or more where the picture is tiny."""
    zoom = max(DETAIL_ZOOM, 2 * panel[0] / picture[0], 2 * panel[1] / picture[1])
    return max(1, round(panel[0] / zoom)), max(1, round(panel[1] / zoom))


def strongest_region(energy: NDArray[np.float64], size: tuple[int, int]) -> Box:
    """The region of a given width and height whose sum of energy is the largest; energy is (H, W)."""
    width, height = size
    sums = np.pad(energy.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    regions = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(int(regions.argmax()), regions.shape)
    return int(left), int(top), int(left) + width, int(top) + height
