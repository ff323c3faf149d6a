"""Sheets of pictures: the comparison with bicubic, the damage, and a training batch."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, islice, starmap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from uncrappify.evaluation import page
from uncrappify.evaluation.baselines import BASELINES, enlarge
from uncrappify.evaluation.metrics import Pixels, gradient_energy, psnr, ssim
from uncrappify.evaluation.page import GAP, MARGIN, MUTED, WIDTH, Box, write
from uncrappify.evaluation.scores import MODEL, ScoredPicture

COLUMN = (WIDTH - 2 * MARGIN - 3 * GAP) // 4
"""Width of one of four columns, and of a picture on the other sheets."""

DETAIL = (COLUMN, 232)
TALLEST = 300
COLUMNS = {"bicubic": "bicubic", "prediction": MODEL}
"""What a comparison shows between degraded picture and target: each column's head, and a baseline or model."""

ONE_LINE = 4
"""Columns in which the figures of a picture fit into one line."""

MOST_DAMAGED = 6
MOST_CROPS = 32
MOST_COLUMNS = 8
CELL = 176
LARGEST_SEARCHED = 3000
NARROW_GAP = 4
DETAIL_GAP = 12
TITLE = 52

#: Name, good picture, degraded picture, what each step drew (``jpeg.quality``: 43).
DamagedPicture = tuple[str, Image.Image, Image.Image, Mapping[str, object]]


def draw_comparison_sheet(
    pictures: Iterable[ScoredPicture], rows: int = 6, columns: Mapping[str, str] = COLUMNS
) -> Image.Image:
    """Draw degraded picture, restored ones and target side by side, with the same details magnified, and their scores.

    A detail is where the errors of models and bicubic differ most, for better or worse, so that the choice is not
    biased towards a model. If they are equal, it is where the target has most detail (:func:`gradient_energy`). Of
    several models there is a second one, where their pictures differ most from one another.

    Args:
        pictures: Of any size and shape; read one at a time, no further than ``rows``.
        rows: Largest number of pictures.
        columns: What is between degraded picture and target, as in :data:`COLUMNS`.

    Returns:
        RGB, 1600 pixels wide, with PSNR (dB) and SSIM under all but the first and last column, and each model's gain
        over bicubic (dB).

    Raises:
        ValueError: If there are no pictures, or a prediction differs in size from its target.
    """
    shown = islice(pictures, rows)
    return stack_comparisons([draw_comparison(picture, columns) for picture in shown], columns)


def stack_comparisons(blocks: Sequence[Image.Image], columns: Mapping[str, str] = COLUMNS) -> Image.Image:
    """Put the rows of a comparison sheet below one another.

    Args:
        blocks: Of :func:`draw_comparison`.
        columns: The same as there.

    Returns:
        As :func:`draw_comparison_sheet`.

    Raises:
        ValueError: If there are none.
    """
    if not blocks:
        raise ValueError("there are no pictures to compare")
    head, pen = page.create_sheet(WIDTH, 30)
    heads = ("degraded", *columns, "target")
    for column, text in enumerate(heads):
        left, width = _locate_column(column, len(heads))
        write(pen, left + width / 2, 12, page.shorten(text, width, size=24, bold=True), 24, bold=True, align="middle")
    return page.stack([head, *blocks], gap=28)


def draw_comparison(picture: ScoredPicture, columns: Mapping[str, str] = COLUMNS) -> Image.Image:
    """Draw one row of :func:`draw_comparison_sheet`; so the pictures themselves need not be kept."""
    target, number = picture.target, len(columns) + 2
    restored = [_find_shown(picture, method) for method in columns.values()]
    bicubic = enlarge(picture.degraded, target.size, "bicubic")
    regions = _choose_details(bicubic, list(picture.predictions.values()), target)
    lines = 1 if number <= ONE_LINE else 2
    box = _locate_column(0, number)[1]
    height = _overview_height(target, box) + len(regions) * (DETAIL_GAP + _detail_height(box))
    block, pen = page.create_sheet(WIDTH, TITLE + height + 8 + 32 * lines)
    _write_title(pen, MARGIN, WIDTH - MARGIN, picture.name)
    # Nearest-neighbour shows the degraded picture's own pixels; for the others it would add blocks of its own.
    nearest = enlarge(picture.degraded, target.size, "nearest")
    for column, shown in enumerate((nearest, *restored, target)):
        left, width = _locate_column(column, number)
        _show(block, shown, regions, (left, TITLE), "bicubic" if column else "nearest", width)
    y = block.height + 16 - 32 * lines
    for column, size in ((0, picture.degraded.size), (number - 1, target.size)):
        write(pen, _locate_column(column, number)[0], y, page.format_size(*size), colour=MUTED)
    level = psnr(np.asarray(bicubic), np.asarray(target))
    for column, (method, shown) in enumerate(zip(columns.values(), restored, strict=True), start=1):
        baseline = None if method in BASELINES else level
        _write_figures(pen, y, _locate_column(column, number), shown, target, baseline, lines)
    return block


def draw_damage_sheet(pictures: Iterable[DamagedPicture]) -> Image.Image:
    """Draw good and degraded picture side by side, with a magnified detail and the random draws, for up to six.

    Args:
        pictures: Name, good picture, degraded picture (of any size, shown enlarged) and the draws, such as
            ``{"jpeg.quality": 43}``; read one at a time, no further than six.

    Returns:
        RGB, 1600 pixels wide.

    Raises:
        ValueError: If there are no pictures.
    """
    # A comprehension would keep a picture while the next is read.
    cards = list(starmap(_draw_damage_card, islice(pictures, MOST_DAMAGED)))
    if not cards:
        raise ValueError("there are no pictures to show the damage of")
    lines = []
    for pair in (cards[start : start + 2] for start in range(0, len(cards), 2)):
        line, _ = page.create_sheet(WIDTH, max(card.height for card in pair))
        for card, x in zip(pair, (MARGIN, WIDTH - MARGIN - pair[0].width), strict=False):
            line.paste(card, (x, 0))
        lines.append(line)
    return page.stack(lines, gap=36)


def draw_batch_sheet(inputs: Sequence[Pixels] | Pixels, targets: Sequence[Pixels] | Pixels) -> Image.Image:
    """Draw a training batch as the network gets it: each input above its target, enlarged by whole factors.

    Args:
        inputs: uint8 (N, h, w, 3), or N arrays of (h, w, 3).
        targets: uint8 (N, H, W, 3), or as many arrays of (H, W, 3).

    Returns:
        RGB, at most 1600 pixels wide unless a crop is wider; up to eight columns, with the first 32 crops.

    Raises:
        ValueError: If there are no crops, or not as many targets as inputs.
    """
    crops = list(islice(zip(inputs, targets, strict=True), MOST_CROPS))
    if not crops:
        raise ValueError("there are no crops to show")
    sizes = [page.format_size(crop.shape[1], crop.shape[0]) for crop in crops[0]]
    text = f"training batch: input {sizes[0]} above target {sizes[1]}, {len(crops)} of {len(inputs)} crops"
    pairs = [_magnify(*pair) for pair in crops]
    cell = max(side for pair in pairs for picture in pair for side in picture.size)
    columns = max(1, min(MOST_COLUMNS, len(pairs), (WIDTH - 2 * MARGIN + GAP) // (cell + GAP)))
    width = 2 * MARGIN + max(columns * (cell + GAP) - GAP, round(page.load_font(20).getlength(text)))
    head, pen = page.create_sheet(width, 28)
    write(pen, MARGIN, 10, text, colour=MUTED)
    lines = [_draw_batch_line(pairs[start : start + columns], cell, width) for start in range(0, len(pairs), columns)]
    return page.stack([head, *lines], gap=20)


def _locate_column(column: int, number: int) -> tuple[int, int]:
    """Give left edge and width of one of so many columns."""
    width = (WIDTH - 2 * MARGIN - (number - 1) * GAP) // number
    return MARGIN + column * (width + GAP), width


def _find_shown(picture: ScoredPicture, method: str) -> Image.Image:
    if method in picture.predictions:
        return picture.predictions[method]
    return enlarge(picture.degraded, picture.target.size, method)


def _draw_damage_card(name: str, good: Image.Image, degraded: Image.Image, draws: Mapping[str, object]) -> Image.Image:
    enlarged = enlarge(degraded, good.size, "nearest")
    region = _find_detail(good)
    width = 2 * COLUMN + NARROW_GAP
    caption = ", ".join(f"{step} {_format(value)}" for step, value in draws.items()) or "nothing drawn"
    lines = _wrap(caption, width, 19)
    above = TITLE + _overview_height(good, COLUMN) + DETAIL_GAP + DETAIL[1]
    card, pen = page.create_sheet(width, above + 42 + 26 * len(lines))
    _write_title(pen, 0, width, name)
    for x, picture, original, kind in ((0, good, good, "good"), (width - COLUMN, enlarged, degraded, "degraded")):
        _show(card, picture, [region], (x, TITLE), "nearest", COLUMN)
        written = write(pen, x, above + 22, kind, bold=True)
        write(pen, x + written + 12, above + 22, page.format_size(*original.size), colour=MUTED)
    for number, line in enumerate(lines):
        write(pen, 0, above + 52 + 26 * number, line, size=19, colour=MUTED)
    return card


def _find_detail(picture: Image.Image) -> Box:
    """Find the strongest detail."""
    box = _find_middle(picture)
    return _find_strongest(gradient_energy(np.asarray(picture.crop(box))), box)


def _find_middle(picture: Image.Image) -> Box:
    """Find the part to search: of a very large picture its middle, as the search takes fifty bytes a pixel."""
    left, top = (max(0, side - LARGEST_SEARCHED) // 2 for side in picture.size)
    width, height = (min(side, LARGEST_SEARCHED) for side in picture.size)
    return left, top, left + width, top + height


def _find_strongest(energy: NDArray[np.float64], box: Box) -> Box:
    """Find the detail of a part with the largest sum of ``energy`` (H, W), in pixels of the whole."""
    size = page.detail_size((energy.shape[1], energy.shape[0]), DETAIL)
    left, top, right, bottom = page.find_strongest_region(energy, size)
    return left + box[0], top + box[1], right + box[0], bottom + box[1]


def _draw_batch_line(pairs: Sequence[tuple[Image.Image, Image.Image]], cell: int, width: int) -> Image.Image:
    line, _ = page.create_sheet(width, 2 * cell + NARROW_GAP)
    for column, pair in enumerate(pairs):
        x = MARGIN + column * (cell + GAP)
        for picture, y in zip(pair, (0, cell + NARROW_GAP), strict=True):
            line.paste(picture, (x + (cell - picture.width) // 2, y + (cell - picture.height) // 2))
    return line


def _magnify(crop: Pixels, target: Pixels) -> tuple[Image.Image, Image.Image]:
    """Enlarge both by whole factors, to the same size if possible."""
    side = max(1, CELL // max(target.shape[:2])) * max(target.shape[:2])
    return _enlarge_crop(crop, side // max(crop.shape[:2])), _enlarge_crop(target, side // max(target.shape[:2]))


def _enlarge_crop(crop: Pixels, factor: int) -> Image.Image:
    picture = Image.fromarray(crop)
    return enlarge(picture, (picture.width * max(1, factor), picture.height * max(1, factor)), "nearest")


def _show(
    sheet: Image.Image, picture: Image.Image, regions: Sequence[Box], corner: tuple[int, int], magnify: str, width: int
) -> None:
    """Draw the whole picture with the regions framed, and the magnified regions below it."""
    x, y = corner
    below = y + _overview_height(picture, width)
    page.place(sheet, picture, (x, y, x + width, below), marks=regions)
    for region in regions:
        top, below = below + DETAIL_GAP, below + DETAIL_GAP + _detail_height(width)
        page.place(sheet, picture.crop(region), (x, top, x + width, below), magnify=magnify)


def _overview_height(picture: Image.Image, width: int) -> int:
    return min(TALLEST, max(1, round(width * picture.height / picture.width)))


def _detail_height(width: int) -> int:
    return round(DETAIL[1] * width / DETAIL[0])


def _choose_details(bicubic: Image.Image, predictions: Sequence[Image.Image], target: Image.Image) -> list[Box]:
    """Choose where models and bicubic differ most in error, and where several models differ most from one another."""
    for prediction in predictions:
        if prediction.size != target.size:
            raise ValueError(f"the prediction is {prediction.size}, its target {target.size}")
    box = _find_middle(target)
    enlarged, wanted, *predicted = (picture.crop(box) for picture in (bicubic, target, *predictions))
    error = _squared_error(enlarged, wanted)
    difference = np.sum([np.abs(error - _squared_error(picture, wanted)) for picture in predicted], axis=0)
    detail = gradient_energy(np.asarray(wanted))
    found = [_find_strongest(difference if difference.any() else detail, box)]
    if len(predicted) > 1:
        apart = np.sum([_squared_error(*pair) for pair in combinations(predicted, 2)], axis=0)
        # Not the same place again.
        apart[found[0][1] - box[1] : found[0][3] - box[1], found[0][0] - box[0] : found[0][2] - box[0]] = 0
        found.append(_find_strongest(apart if apart.any() else detail, box))
    return found


def _squared_error(picture: Image.Image, target: Image.Image) -> NDArray[np.float64]:
    difference = np.asarray(picture, dtype=np.float32) - np.asarray(target, dtype=np.float32)
    summed: NDArray[np.float64] = np.square(difference).sum(axis=2, dtype=np.float64)
    return summed


def _write_title(pen: ImageDraw.ImageDraw, left: int, right: int, name: str) -> None:
    pen.line((left, 0, right, 0), fill=page.RULE, width=2)
    write(pen, left, 28, page.shorten(name, right - left, size=22, bold=True), size=22, bold=True)


def _write_figures(
    pen: ImageDraw.ImageDraw,
    y: float,
    column: tuple[int, int],
    picture: Image.Image,
    target: Image.Image,
    baseline: float | None,
    lines: int,
) -> None:
    """Write PSNR and SSIM, and the gain over a baseline's PSNR, if any, at the right; SSIM on a line of its own."""
    left, width = column
    shown, truth = np.asarray(picture), np.asarray(target)
    level = psnr(shown, truth)
    written = write(pen, left, y, f"{level:.2f} dB", bold=baseline is not None)
    x, below = (left + written + 12, y) if lines == 1 else (left, y + 32)
    write(pen, x, below, f"SSIM {ssim(shown, truth):.3f}", size=18, colour=MUTED)
    if baseline is None:
        return
    gain = round(level - baseline, 2)
    ink, pale = page.GAIN_COLOURS[int(np.sign(gain))]
    right = left + width
    pen.rounded_rectangle((right - 112, y - 16, right, y + 15), radius=8, fill=pale)
    text = f"{gain:+.2f} dB".replace("-", "\N{MINUS SIGN}")
    write(pen, right - 56, y, text, size=18, colour=ink, bold=True, align="middle")


def _format(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _wrap(text: str, width: int, size: int) -> list[str]:
    """Wrap a text into at most two lines, shortened to fit."""
    words, first = text.split(", "), ""
    while words and page.load_font(size).getlength(first + words[0] + ", ") <= width:
        first += words.pop(0) + ", "
    lines = [first, ", ".join(words)]
    return [page.shorten(line.removesuffix(", "), width, size) for line in lines if line]
