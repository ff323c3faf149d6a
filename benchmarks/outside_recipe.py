"""Draws docs/images/outside-recipe.jpg: the default model on pictures like those of its training, and on others.

    kedro run --pipeline superres
    python benchmarks/outside_recipe.py [--weights superres] [--output docs/images/outside-recipe.jpg]

Each row shows the same part of what goes in (enlarged by repetition), of Pillow's bicubic, of the model, and of the
picture that it should be, with PSNR where there is one.
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from uncrappify.evaluation import page
from uncrappify.evaluation.metrics import psnr
from uncrappify.inference import load_predictor
from uncrappify.parameters.delivery import find_trained_weights

SCALE = 3
PART = (130, 60, 310, 180)
"""Of chelsea's pixels: an eye, and fur."""

COLUMN, ROW, TITLE = 368, 246, 44
HEADS = ("input", "bicubic", "model", "good picture")


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="superres")
    parser.add_argument("--output", type=Path, default=Path("docs/images/outside-recipe.jpg"))
    arguments = parser.parse_args()
    restore = load_predictor(find_trained_weights(arguments.weights))
    photograph = Image.fromarray(data.chelsea())  # type: ignore[no-untyped-call]
    photograph = photograph.crop((0, 0, photograph.width // SCALE * SCALE, photograph.height // SCALE * SCALE))
    small = photograph.resize((photograph.width // SCALE, photograph.height // SCALE), Image.Resampling.BICUBIC)
    head, pen = page.create_sheet(page.WIDTH, 30)
    for column, text in enumerate(HEADS):
        page.write(pen, place(column) + COLUMN / 2, 12, text, size=24, bold=True, align="middle")
    rows = [
        draw("as trained: made 3 times smaller, JPEG 60", compress(small, 60), photograph, restore),
        draw("without JPEG", small, photograph, restore),
        draw("JPEG 15", compress(small, 15), photograph, restore),
        draw("in full size, never made smaller", photograph, None, restore),
    ]
    page.stack([head, *rows], gap=page.GAP).save(arguments.output, quality=88)


def compress(picture: Image.Image, quality: int) -> Image.Image:
    """Save as JPEG, and read it again."""
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def place(column: int) -> int:
    """Give the left side of a column."""
    return page.MARGIN + column * (COLUMN + page.GAP)


def draw(name: str, given: Image.Image, target: Image.Image | None, restore: object) -> Image.Image:
    """Draw a row."""
    assert callable(restore)
    size = (given.width * SCALE, given.height * SCALE)
    shown = {
        "input": given.resize(size, Image.Resampling.NEAREST),
        "bicubic": given.resize(size, Image.Resampling.BICUBIC),
        "model": restore(given),
        "good picture": target,
    }
    row, pen = page.create_sheet(page.WIDTH, TITLE + ROW)
    page.write(pen, page.MARGIN, 20, name, size=22, bold=True)
    for column, head in enumerate(HEADS):
        picture = shown[head]
        if picture is None:
            continue
        # The same number of pixels of what comes out, whatever its size.
        left, top = (SCALE * PART[0], SCALE * PART[1]) if target is None else PART[:2]
        part = (left, top, left + PART[2] - PART[0], top + PART[3] - PART[1])
        box = (place(column), TITLE, place(column) + COLUMN, TITLE + ROW)
        page.place(row, picture.crop(part), box, magnify="bicubic")
        if target and head in ("bicubic", "model"):
            score = psnr(np.asarray(picture), np.asarray(target))
            page.write(pen, place(column) + COLUMN, 20, f"{score:.2f} dB", colour=page.MUTED, align="right")
    return row


if __name__ == "__main__":
    main()
