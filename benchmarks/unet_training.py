"""How fast the U-Net trains, beside fastai's: the lesson's network, the same batches, both with their own training.

    python -m venv build/unet && build/unet/bin/pip install . -r benchmarks/requirements-unet.txt
    export OMP_WAIT_POLICY=PASSIVE
    build/unet/bin/python benchmarks/unet_training.py [--rounds 3] [--steps 50]

ResNet-34 without weights, 12 classes, 8 crops of 128x128 pixels, cross entropy, one cycle. Ours is trained by this
project's `fit`, fastai's by its `unet_learner` and `fit_one_cycle`; both networks have the same layers and count of
parameters, with and without blur. Ours trains in the number format that it chooses by itself, and in single precision,
which is fastai's. The batches lie in memory before either starts, so neither is timed at making them.
Every training is a process of its own, from scratch, and they take turns, because timings on a shared machine differ by
a factor of three from one minute to the next. Images per second are of the median step. Last, both train two steps on
four whole pictures of CamVid's size.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uncrappify.datasets import SegmentationDescription, TrainingRun
from uncrappify.models.unet import DynamicUNet
from uncrappify.pictures.masks import Labels
from uncrappify.training.fit import fit
from uncrappify.training.hardware import describe, peak_memory_mb
from uncrappify.training.learner import Learner
from uncrappify.training.parameters import Stage, Training

CLASSES = 12
BATCHES = 10
LR = 1e-3
SEED = 0
#: Of a batch: pictures, height, width. Eight whole pictures take more memory than a machine of 24 GB has to spare.
CROPS, PICTURES = (8, 128, 128), (4, 360, 480)
CELL = 8
#: The loss that is told is the mean over the last steps, one batch's alone is mostly luck.
LAST_STEPS = 10

Batch = tuple[Tensor, Tensor]
Size = tuple[int, int, int]


class Trained(NamedTuple):
    """What a training took, and where it came to."""

    images_per_second: float
    peak_memory_mb: float
    loss: float
    parameters: int


def main() -> None:
    """Train in turn, and print each training and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    print(describe())
    rows = []
    works = [("crops", CROPS, arguments.steps, blur) for blur in (False, True)] * arguments.rounds
    for what, size, steps, blur in [*works, ("pictures", PICTURES, 2, False)]:
        for name, train in {"ours": ours, "ours, fp32": ours_fp32, "fastai": fastai}.items():
            # Of its own, for the peak of memory, and so that neither meets what the other leaves behind.
            with multiprocessing.get_context("spawn").Pool(1) as process:
                trained = process.apply(train, (size, steps, blur))
            rows.append({"what": what, "blur": blur, "by": name, **trained._asdict()})
            print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False, header=len(rows) == 1), flush=True)
    table = pd.DataFrame(rows)
    table["round"] = table.groupby(["what", "blur", "by"]).cumcount()
    print(table.groupby(["what", "blur", "by"]).median().drop(columns="round").round(3).to_string())
    rates = table.pivot(index=["what", "blur", "round"], columns="by", values="images_per_second")
    for name in ("ours", "ours, fp32"):
        ratios = (rates[name] / rates["fastai"]).groupby(["what", "blur"])
        print(f"{name}, over fastai, images per second:\n{ratios.agg(['median', 'min', 'max']).round(2).to_string()}")


def batches(size: Size) -> list[Batch]:
    """Draw pictures with blocks of the classes' colours, under noise, and their masks."""
    number, height, width = size
    generator = torch.Generator().manual_seed(SEED)
    colours = torch.rand(CLASSES, 3, generator=generator)
    drawn = []
    for _ in range(BATCHES):
        cells = torch.randint(CLASSES, (number, 1, height // CELL, width // CELL), generator=generator)
        masks = F.interpolate(cells.float(), scale_factor=CELL)[:, 0].long()
        noise = 0.2 * torch.randn(number, 3, height, width, generator=generator)
        drawn.append((colours[masks].movedim(-1, 1).add(noise).clamp(0, 1).contiguous(), masks))
    return drawn


@dataclass(frozen=True)
class _Repeated:
    """The same few batches again and again, as the project's training takes them."""

    drawn: list[Batch]
    workers: int = 0

    def __getitem__(self, step: int) -> Batch:
        return self.drawn[step % len(self.drawn)]


class _Learner(Learner):
    """The project's way of training, with cross entropy."""

    def training_step(self, batch: Batch, _: int) -> Tensor:
        pictures, masks = batch
        loss = F.cross_entropy(self.network(pictures.contiguous(memory_format=torch.channels_last)).float(), masks)
        self.log("train_loss", loss)
        return loss


@dataclass(frozen=True)
class _Data:
    """What the project's ``fit`` wants to know."""

    drawn: list[Batch]
    fingerprint: str = ""

    def __len__(self) -> int:
        return len(self.drawn)

    def batches(self, stage: Stage, seed: int) -> _Repeated:
        return _Repeated(self.drawn)

    def validation(self) -> None:
        return None

    def draw(self, batch: Batch) -> None:
        return None


def ours_fp32(size: Size, steps: int, blur: bool) -> Trained:
    """Train this project's U-Net in single precision."""
    return ours(size, steps, blur, "fp32")


def ours(size: Size, steps: int, blur: bool, precision: Literal["auto", "fp32"] = "auto") -> Trained:
    """Train this project's U-Net."""
    torch.manual_seed(SEED)
    network = DynamicUNet(encoder="resnet34", pretrained=False, out_channels=CLASSES, blur=blur)
    training = Training(stages=[Stage(steps=steps, batch_size=size[0], lr=LR)], ema=0, precision=precision)
    learner, data = _Learner(network, training), _Data(batches(size))
    description = SegmentationDescription(
        model="unet", options={}, labels=Labels(classes=[str(number) for number in range(CLASSES)]), size=size[1]
    )
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(Path(folder), Path(folder))
        fitted = fit(learner, data, training, seed=SEED, run=run, description=description)
    metrics = fitted.metrics
    loss = fitted.history["train_loss"].tail(LAST_STEPS).mean()
    return Trained(metrics["images_per_second"], metrics["peak_memory_mb"], loss, _count(network))


def fastai(size: Size, steps: int, blur: bool) -> Trained:
    """Train fastai's U-Net, as its documentation does."""
    from fastai.vision.all import (
        Callback,
        CancelValidException,
        CrossEntropyLossFlat,
        DataLoader,
        DataLoaders,
        resnet34,
        unet_learner,
    )

    class Watch(Callback):  # type: ignore[misc]
        """Times the steps from end to end, as the project's own clock does, and keeps the losses."""

        def before_fit(self) -> None:
            self.losses: list[float] = []
            self.ticks = [time.perf_counter()]

        def after_batch(self) -> None:
            self.losses.append(self.loss.item())
            self.ticks.append(time.perf_counter())

        def before_validate(self) -> None:
            raise CancelValidException

    torch.manual_seed(SEED)
    drawn = _Repeated(batches(size))
    loader = DataLoader([drawn[step] for step in range(steps)], bs=None, num_workers=0)
    learner: Any = unet_learner(
        DataLoaders(loader, loader),
        resnet34,
        n_out=CLASSES,
        pretrained=False,
        blur=blur,
        loss_func=CrossEntropyLossFlat(axis=1),
    )
    watch = Watch()
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(1, LR, cbs=watch)
    seconds = median(after - before for before, after in zip(watch.ticks, watch.ticks[1:], strict=False))
    loss = sum(watch.losses[-LAST_STEPS:]) / len(watch.losses[-LAST_STEPS:])
    return Trained(size[0] / seconds, peak_memory_mb(), loss, _count(learner.model))


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


if __name__ == "__main__":
    main()
