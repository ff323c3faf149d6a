"""How fast digits are learned, beside fastai: the lesson's ResNet-ish on MNIST, the same batches in size and number.

    python -m venv build/digits && build/digits/bin/pip install . -r benchmarks/requirements-unet.txt
    export OMP_WAIT_POLICY=PASSIVE
    build/digits/bin/python benchmarks/digits_training.py FOLDER [--rounds 3] [--steps 150]

FOLDER has a folder for each class, such as data/01_raw/mnist/mnist/test. Three ways take turns, each a process of its
own: ours, whose pictures lie decoded in memory; fastai from PNG files, as the lesson has it (``ImageDataLoaders``,
random crops of padded pictures, on all cores or on none, whichever is faster here); and fastai fed from memory with
batches that were made before. All have batches of 128, one cycle, and a network of 41,132 parameters built by this
project. Pictures per second are of the median step, from one step's end to the next one's.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from uncrappify.datasets import ClassificationDescription, LabelledPictures, TrainingRun
from uncrappify.learners.classification import ClassificationData, ClassificationLearner
from uncrappify.models import build
from uncrappify.sources import (
    ClassFoldersOptions,
    LabelledSource,
    decode_pictures,
    fetch,
    label_pictures,
    list_pictures,
)
from uncrappify.training.fit import fit
from uncrappify.training.hardware import describe
from uncrappify.training.labelled import LabelledBatches
from uncrappify.training.parameters import ClassificationTraining

BATCH, LR, PADDING, SEED = 128, 0.05, 3, 0
PICTURES = 10_000
"""Of the folder at most, the same for all ways."""


def main() -> None:
    """Train in turn, and print each training and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    arguments = parser.parse_args()
    print(describe())
    ways = {"ours": ours, "fastai from files": from_files, "fastai from memory": from_memory}
    rows = []
    for number in range(arguments.rounds):
        for name, way in ways.items():
            # Not a pool of multiprocessing's, whose processes may start no workers of their own.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                rate = process.submit(way, arguments.folder, arguments.steps).result()
            rows.append({"round": number, "by": name, "pictures_per_second": rate})
            print(f"round {number}  {name}: {rate:.0f} pictures a second", flush=True)
    rates = pd.DataFrame(rows).pivot(index="round", columns="by", values="pictures_per_second")
    for name in ("fastai from files", "fastai from memory"):
        ratios = rates["ours"] / rates[name]
        print(f"ours over {name}: median {ratios.median():.2f}, {ratios.min():.2f} to {ratios.max():.2f}")


def read(folder: Path) -> LabelledPictures:
    """Read the pictures, decoded."""
    options = ClassFoldersOptions(path=str(folder))
    source = fetch(LabelledSource(kind="class_folders", class_folders=options), folder)
    rows = label_pictures(source, list_pictures(source, smallest=4))
    rows = rows[rows["usable"]]
    rows = rows.sample(min(PICTURES, len(rows)), random_state=SEED)
    classes = sorted(rows["label"].unique())
    labels = rows["label"].map(classes.index).to_numpy(np.int64)
    return LabelledPictures(decode_pictures(source, rows, None), labels, rows["name"].tolist(), classes)


def build_network(pictures: LabelledPictures) -> tuple[nn.Module, ClassificationDescription]:
    """Build the lesson's ResNet-ish."""
    description = ClassificationDescription(
        model="resnet",
        options={"zero_init": False},
        classes=list(pictures.classes),
        size=pictures.size,
        mean=pictures.mean,
        std=pictures.std,
    )
    torch.manual_seed(SEED)
    return build("classification", "resnet", description.to_build), description


def plan(steps: int) -> ClassificationTraining:
    """Say how ours is trained: as in the lesson."""
    stage = {"batch_size": BATCH, "steps": steps, "lr": LR}
    said = {"padding": PADDING, "precision": "fp32", "threads": 1, "stages": [stage]}
    return ClassificationTraining.model_validate(said)


def ours(folder: Path, steps: int) -> float:
    """Train by this project's ``fit``."""
    pictures, training = read(folder), plan(steps)
    network, description = build_network(pictures)
    learner = ClassificationLearner(network, training, pictures.shape)
    data = ClassificationData(pictures, pictures.take(slice(0, BATCH)), training)
    with tempfile.TemporaryDirectory() as name:
        run = TrainingRun(Path(name) / "run", Path(name) / "snapshots")
        fitted = fit(learner, data, training, seed=SEED, run=run, description=description)
    return fitted.metrics["images_per_second"]


def from_files(folder: Path, steps: int) -> float:
    """Train by fastai from PNG files, with its worker processes or without, whichever is faster."""
    from fastai.vision.all import CropPad, ImageDataLoaders, Normalize, PILImageBW, RandomCrop, get_image_files

    # As where fastai is used by itself; its loader cannot be sent to a worker that starts from scratch.
    multiprocessing.set_start_method("fork", force=True)
    pictures = read(folder)
    files = get_image_files(folder)
    chosen = [files[number] for number in np.random.default_rng(SEED).permutation(len(files))[:PICTURES]]

    def train(workers: int) -> float:
        loaders = ImageDataLoaders.from_lists(
            folder,
            chosen,
            [file.parent.name for file in chosen],
            valid_pct=BATCH / len(chosen),
            seed=SEED,
            bs=BATCH,
            num_workers=workers,
            img_cls=PILImageBW,
            item_tfms=[CropPad(28 + 2 * PADDING, pad_mode="zeros"), RandomCrop(28)],
            batch_tfms=[Normalize.from_stats(pictures.mean, pictures.std, cuda=False)],
        )
        return _train_by_fastai(loaders, pictures, steps)

    return max(train(0), train(multiprocessing.cpu_count()))


def from_memory(folder: Path, steps: int) -> float:
    """Train by fastai on batches that lie ready in memory."""
    from fastai.vision.all import DataLoader, DataLoaders

    pictures, training = read(folder), plan(steps)
    pixels, labels = (torch.from_numpy(part) for part in (pictures.pixels, pictures.labels))
    made = LabelledBatches(pixels, labels, training.stages[0], training, SEED)
    batches = [(batch / 255, labels) for batch, labels in (made[step] for step in range(steps))]
    loader = DataLoader(batches, bs=None, num_workers=0)
    return _train_by_fastai(DataLoaders(loader, loader), pictures, steps)


def _train_by_fastai(loaders: Any, pictures: LabelledPictures, steps: int) -> float:
    from fastai.vision.all import Callback, CancelFitException, CrossEntropyLossFlat, Learner

    class Watch(Callback):  # type: ignore[misc]
        """Times the steps from end to end, as the project's own clock does, and stops after so many."""

        def before_fit(self) -> None:
            self.ticks = [time.perf_counter()]

        def after_batch(self) -> None:
            self.ticks.append(time.perf_counter())
            if len(self.ticks) > steps:
                raise CancelFitException

    network, _ = build_network(pictures)
    learner: Any = Learner(loaders, network, loss_func=CrossEntropyLossFlat())
    watch = Watch()
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(1, LR, cbs=watch)
    return BATCH / median(after - before for before, after in pairwise(watch.ticks))


if __name__ == "__main__":
    main()
