"""Layout of the sheets: colours, typeface, pictures in boxes, magnified details."""

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
#: Text and background colour of a gain, by its sign.
GAIN_COLOURS = {1: ("#116329", "#dafbe1"), 0: (MUTED, PANEL), -1: ("#a40e26", "#ffebe9")}
DETAIL_ZOOM = 4

Box = tuple[int, int, int, int]
Align = Literal["left", "middle", "right"]
_ANCHORS = {"left": "lm", "middle": "mm", "right": "rm"}


@lru_cache(maxsize=16)
def load_font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, because file names have characters beyond ASCII, which Pillow's own font lacks."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def create_sheet(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Create a white sheet, and the pen that draws on it."""
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
    """Write one line, centred vertically at ``y``, and return its width in pixels."""
    pen.text((x, y), text, font=load_font(size, bold), fill=colour, anchor=_ANCHORS[align])
    return pen.textlength(text, font=load_font(size, bold))


def shorten(text: str, width: int, size: int = 20, bold: bool = False) -> str:
    """Shorten a text to ``width`` pixels by an ellipsis in its middle; a text that fits is unchanged."""
    if load_font(size, bold).getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if load_font(size, bold).getlength(short) <= width:
            return short
    return "…"


def format_size(width: int, height: int) -> str:
    """Write width and height with a multiplication sign between them."""
    return f"{width} \N{MULTIPLICATION SIGN} {height}"


def stack(blocks: Sequence[Image.Image], gap: int) -> Image.Image:
    """Stack blocks of equal width vertically, with a margin above and below."""
    sheet, _ = create_sheet(blocks[0].width, sum(block.height + gap for block in blocks) - gap + 2 * MARGIN)
    y = MARGIN
    for block in blocks:
        sheet.paste(block, (0, y))
        y += block.height + gap
    return sheet


def place(
    sheet: Image.Image, picture: Image.Image, box: Box, marks: Sequence[Box] = (), magnify: str = "nearest"
) -> None:
    """Draw a picture centred in a pale box, as large as its aspect ratio allows.

    Args:
        sheet: The sheet to draw on.
        picture: Picture of any size; reduced by Lanczos interpolation.
        box: Left, top, right and bottom on the sheet, in pixels.
        marks: Regions to draw frames around, in pixels of the picture.
        magnify: Interpolation for a picture that is smaller than the box, one of ``BASELINES``.
    """
    left, top, right, bottom = box
    zoom = min((right - left) / picture.width, (bottom - top) / picture.height)
    size = max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom))
    x, y = left + (right - left - size[0]) // 2, top + (bottom - top - size[1]) // 2
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((left, top, right - 1, bottom - 1), fill=PANEL)
    sheet.paste(enlarge(picture, size, "lanczos" if zoom < 1 else magnify), (x, y))
    for mark in marks:
        _draw_frame(pen, (x, y, x + size[0] - 1, y + size[1] - 1), (x, y), [side * zoom for side in mark])


def _draw_frame(pen: ImageDraw.ImageDraw, limits: Box, origin: tuple[int, int], mark: Sequence[float]) -> None:
    """Draw a bright frame on a dark one, visible on any picture, inside the picture and never too small to see."""
    left, top, right, bottom = limits
    x0, y0 = max(left, round(origin[0] + mark[0])), max(top, round(origin[1] + mark[1]))
    x1 = min(right, max(x0 + 6, round(origin[0] + mark[2]) - 1))
    y1 = min(bottom, max(y0 + 6, round(origin[1] + mark[3]) - 1))
    pen.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=INK, width=5)
    pen.rectangle((x0, y0, x1, y1), outline=FRAME, width=3)


def detail_size(picture: tuple[int, int], panel: tuple[int, int]) -> tuple[int, int]:
    """Size of the region that fills a panel at zoom ``DETAIL_ZOOM``, or at a higher zoom for a tiny picture."""
    zoom = max(DETAIL_ZOOM, 2 * panel[0] / picture[0], 2 * panel[1] / picture[1])
    return max(1, round(panel[0] / zoom)), max(1, round(panel[1] / zoom))


def find_strongest_region(energy: NDArray[np.float64], size: tuple[int, int]) -> Box:
    """Find the region of a given width and height with the largest sum of ``energy`` (H, W)."""
    width, height = size
    sums = np.pad(energy.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    regions = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(int(regions.argmax()), regions.shape)
    return int(left), int(top), int(left) + width, int(top) + height
