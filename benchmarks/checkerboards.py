"""How much of a checkerboard each upsampling draws, at its start and after a hundred steps.

    python benchmarks/checkerboards.py [--sheet]

A layer that doubles the size gets smooth pictures, in which no pixel of a 2x2 cell should differ from the others on
average. At the start, it is measured alone; then as the middle of three layers that have learned to give a picture back
that was made smaller. All figures are means over seeds. `--sheet` draws docs/images/checkerboards.png.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from pipeline_run import PROJECT
from torch import Tensor, nn

from uncrappify.evaluation import page
from uncrappify.evaluation.page import GAP, MARGIN, WIDTH, write
from uncrappify.models.unet import PixelShuffleUp, build_upsampling

SHEET = PROJECT / "docs" / "images" / "checkerboards.png"
CHANNELS, SIDE = 32, 24
SEEDS, STEPS, RATE = 5, 100, 3e-3


def without_icnr(blur: bool) -> nn.Module:
    """Give pixel shuffle whose four kernels of a cell start as any others."""
    up = PixelShuffleUp(CHANNELS, CHANNELS, blur=blur)
    assert isinstance(up.convolution, nn.Conv2d)
    nn.init.kaiming_normal_(up.convolution.weight, nonlinearity="relu")
    return up


UPSAMPLINGS: dict[str, Callable[[], nn.Module]] = {
    "transposed": lambda: build_upsampling("transposed", CHANNELS, CHANNELS, False, "none"),
    "shuffle": lambda: without_icnr(blur=False),
    "shuffle, blur": lambda: without_icnr(blur=True),
    "shuffle, ICNR": lambda: build_upsampling("pixel_shuffle", CHANNELS, CHANNELS, False, "none"),
    "shuffle, both": lambda: build_upsampling("pixel_shuffle", CHANNELS, CHANNELS, True, "none"),
    "nearest": lambda: build_upsampling("nearest", CHANNELS, CHANNELS, False, "none"),
    "bilinear": lambda: build_upsampling("bilinear", CHANNELS, CHANNELS, False, "none"),
}


def main() -> None:
    """Measure every upsampling, and draw what they make."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", action="store_true", help=f"draw {SHEET.relative_to(PROJECT)}")
    draws = parser.parse_args().sheet
    rows, shown = {}, {}
    for name, make in UPSAMPLINGS.items():
        tries = [tried(make, seed) for seed in range(SEEDS)]
        starts, ends, errors = zip(*(figures for figures, _ in tries), strict=True)
        rows[name] = {"start": np.mean(starts), f"{STEPS} steps": np.mean(ends), "rmse": np.mean(errors)}
        shown[name] = tries[0][1]
    print(pd.DataFrame(rows).T.round(3).to_string())
    if draws:
        draw(shown).quantize(64).save(SHEET, optimize=True)


def tried(make: Callable[[], nn.Module], seed: int) -> tuple[tuple[float, float, float], tuple[Tensor, Tensor]]:
    """Measure one upsampling before and after training.

    Returns:
        Checkerboard at the start and in the end, and the error in the end (root of the mean square, of values in 0..1);
        a picture (H, W) of the start and one of the end.
    """
    torch.manual_seed(seed)
    up = make()
    network = nn.Sequential(nn.Conv2d(3, CHANNELS, 3, padding=1), nn.ReLU(), up, nn.Conv2d(CHANNELS, 3, 1))
    features, targets = smooth(CHANNELS, SIDE, 0), smooth(3, 2 * SIDE, 0)
    with torch.inference_mode():
        fresh = up(features)
    train(network)
    with torch.inference_mode():
        restored = network(F.avg_pool2d(targets, 2))
    error = float((restored - targets).square().mean().sqrt())
    return (checkerboard(fresh), checkerboard(restored), error), (fresh[0, liveliest(fresh)], restored[0, 0])


def train(network: nn.Module) -> None:
    """Let a network learn to enlarge smooth pictures to what they were made from."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    for step in range(1, STEPS + 1):
        targets = smooth(3, 2 * SIDE, step)
        loss = F.mse_loss(network(F.avg_pool2d(targets, 2)), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def smooth(channels: int, side: int, seed: int) -> Tensor:
    """Draw smooth pictures (4, ``channels``, ``side``, ``side``), around 0..1."""
    coarse = torch.rand(4, channels, side // 4, side // 4, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=(side, side), mode="bicubic")


def checkerboard(large: Tensor) -> float:
    """Give how much the four pixels of a cell differ from each other on average, over how much places differ.

    Args:
        large: (N, C, H, W), H and W even.

    Returns:
        0 where there is no checkerboard; at 1 it is all that there is. The smooth pictures themselves have 0.003,
        because places are few.
    """
    inner = large[..., 4:-4, 4:-4]
    means = torch.stack([inner[..., y::2, x::2].mean(dim=(0, 2, 3)) for y in (0, 1) for x in (0, 1)])
    return float(means.std(dim=0).mean() / inner.std(dim=(0, 2, 3)).mean())


def liveliest(large: Tensor) -> int:
    """Give the channel whose first picture varies most."""
    return int(large[0, :, 4:-4, 4:-4].std(dim=(1, 2)).argmax())


def draw(shown: dict[str, tuple[Tensor, Tensor]]) -> Image.Image:
    """Show every upsampling in a column: what it makes at the start, and what it has learned."""
    side = (WIDTH - 2 * MARGIN - (len(shown) - 1) * GAP) // len(shown)
    sheet, pen = page.create_sheet(WIDTH, 2 * side + 180)
    for column, (name, pictures) in enumerate(shown.items()):
        x = MARGIN + column * (side + GAP)
        write(pen, x + side / 2, 30, name, size=24, bold=True, align="middle")
        for row, (picture, title) in enumerate(zip(pictures, ("at the start", f"after {STEPS} steps"), strict=True)):
            y = 90 + row * (side + 50)
            if column == 0:
                write(pen, x, y - 20, title, size=22)
            page.place(sheet, magnified(picture), (x, y, x + side, y + side))
    return sheet


def magnified(picture: Tensor) -> Image.Image:
    """Give the middle of a picture, its darkest value black and its lightest white."""
    inner = picture[8:-8, 8:-8]
    grey = (inner - inner.min()) / (inner.max() - inner.min()) * 255
    return Image.fromarray(grey.round().byte().numpy()).convert("RGB")


if __name__ == "__main__":
    main()
