"""How good is a U-Net on CamVid after a quarter of an hour: this project's recipe, and fastai's with the lesson's?

    python -m venv build/unet && build/unet/bin/pip install . -r benchmarks/requirements-unet.txt
    export OMP_WAIT_POLICY=PASSIVE
    build/unet/bin/python benchmarks/unet_quality.py ../shared/data [--by ours fastai] [--smoke]

The folder holds camvid.tar. Both start from the same EfficientNet-Lite0 with its ImageNet weights, learn from the same
362 pictures of train, leave void out of the loss, and segment all of val once, at 360x480, with the weights of the last
step. Ours is `kedro run --env benchmark` with half of its steps, in the number format that it chooses by itself.
fastai's network, optimizer, augmentation and cycles are what `unet_learner`, `aug_transforms` and `fit_one_cycle` give,
with the learning rates of the lesson's CamVid of 11 classes: half the size first, then all of it, each with the encoder
frozen and then not. The lesson's 42 passes over the pictures became four. Steps are such that each trains for 15
minutes on two cores; the seconds it took are told.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tarfile
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image
from pipeline_run import run_pipeline
from torch import nn

from uncrappify.evaluation.confusion import Confusion
from uncrappify.models.encoders import MEAN, STD, build_encoder
from uncrappify.pictures.masks import VOID
from uncrappify.training.hardware import describe

CLASSES = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
#: What CamVid's masks say of a pixel that has no class.
UNLABELLED = 11
#: Of train, as in conf/benchmark: for watching.
WATCHED = ("0006R0_f038*.png", "0006R0_f039*.png")
SEED = 42
BATCH = 8


class Cycle(NamedTuple):
    """One of the lesson's: height and width, steps, learning rates from the input's side on, and the way up."""

    size: tuple[int, int]
    steps: int
    frozen: bool
    lr: tuple[float | None, float]
    pct_start: float


#: The rates and ways up of fast.ai's lesson3-camvid-tiramisu; the sizes are half and whole as in lesson3-camvid.
LESSON = (
    Cycle((180, 240), 42, True, (None, 2e-3), 0.8),
    Cycle((180, 240), 51, False, (2e-5, 2e-3), 0.8),
    Cycle((360, 480), 42, True, (None, 1e-3), 0.8),
    Cycle((360, 480), 42, False, (1e-6, 1e-4), 0.3),
)
#: conf/benchmark's, shorter.
OURS: list[dict[str, Any]] = [
    {"size": [144, 192], "batch_size": 16, "steps": 50, "lr": 3e-3, "freeze_encoder": True},
    {"size": [180, 240], "batch_size": 8, "steps": 450, "lr": [2e-4, 2e-3]},
    {"size": [288, 384], "batch_size": 6, "steps": 480, "lr": [1e-4, 1e-3]},
]


class Score(NamedTuple):
    """What a training took, and what it reached on val."""

    seconds: float
    accuracy: float
    miou: float


def main() -> None:
    """Train both, and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where camvid.tar is")
    parser.add_argument("--by", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--smoke", action="store_true", help="two steps a stage, to see that it runs")
    arguments = parser.parse_args()
    print(describe())
    for name in arguments.by:
        # Of its own, so that neither meets what the other leaves behind; forked, because fastai's loader forks too.
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as process:
            score = process.submit(WAYS[name], arguments.folder.resolve(), arguments.smoke).result()
        print(pd.DataFrame(score._asdict(), index=[name]).round(4).to_string(), flush=True)


def ours(folder: Path, smoke: bool) -> Score:
    """Run the pipeline."""
    changes = {"training": {"stages": [stage | {"steps": 2} if smoke else stage for stage in OURS]}}
    outputs = run_pipeline("segmentation", {"segmentation": changes, "mirror": str(folder)}, env="benchmark")
    seconds = outputs["segmentation.training_metrics"].load()["train_seconds"]
    reached = outputs["segmentation.test_metrics"].load()
    return Score(seconds, reached["accuracy"], reached["miou"])


def fastai(folder: Path, smoke: bool) -> Score:
    """Train fastai's U-Net as the lesson does."""
    from fastai.vision.all import (
        Callback,
        CancelValidException,
        CrossEntropyLossFlat,
        DataBlock,
        ImageBlock,
        IndexSplitter,
        L,
        MaskBlock,
        Normalize,
        aug_transforms,
        params,
        set_seed,
        unet_learner,
    )

    class Unwatched(Callback):  # type: ignore[misc]
        def before_validate(self) -> None:
            raise CancelValidException

    def encoder(pretrained: bool) -> nn.Module:  # noqa: ARG001 - fastai's keyword
        return build_encoder("efficientnet_lite0")

    def body(network: Any) -> nn.Module:
        return nn.Sequential(network.conv_stem, network.bn1, *network.blocks)

    def groups(network: Any) -> Any:
        return L(network[0][:5], network[0][5:], network[1:]).map(params)

    set_seed(SEED)
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(folder / "camvid.tar") as archive:
            archive.extractall(unpacked, filter="data")
        camvid = Path(unpacked) / "camvid"
        pictures = [
            file for file in sorted((camvid / "train").iterdir()) if not any(fnmatch(file.name, w) for w in WATCHED)
        ]
        learner, seconds = None, 0.0
        for cycle in LESSON:
            steps = 2 if smoke else cycle.steps
            passes = pictures * (1 + steps * BATCH // len(pictures))
            block = DataBlock(
                (ImageBlock, MaskBlock(CLASSES)),
                get_y=lambda file: camvid / "trainannot" / file.name,
                splitter=IndexSplitter([]),
                batch_tfms=[*aug_transforms(size=cycle.size), Normalize.from_stats([MEAN] * 3, [STD] * 3)],
            )
            loaders = block.dataloaders(passes[: steps * BATCH], bs=BATCH)
            if learner is None:
                learner = unet_learner(
                    loaders,
                    encoder,
                    n_out=len(CLASSES),
                    cut=body,
                    splitter=groups,
                    blur=True,
                    wd=1e-2,
                    loss_func=CrossEntropyLossFlat(axis=1, ignore_index=UNLABELLED),
                    cbs=Unwatched,
                )
            learner.dls = loaders
            if cycle.frozen:
                learner.freeze()
            else:
                learner.unfreeze()
            begun = time.perf_counter()
            with learner.no_bar(), learner.no_logging():
                learner.fit_one_cycle(1, slice(*cycle.lr), pct_start=cycle.pct_start)
            seconds += time.perf_counter() - begun
        assert learner is not None
        return Score(seconds, *_measured(learner.model, camvid))


@torch.inference_mode()
def _measured(network: nn.Module, camvid: Path) -> tuple[float, float]:
    """Segment val picture by picture, by a network that wants them normalised; accuracy and mean IoU."""
    network.eval()
    confusion = Confusion(len(CLASSES))
    for file in sorted((camvid / "val").iterdir()):
        pixels = torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1)[None] / 255
        mask = torch.from_numpy(np.array(Image.open(camvid / "valannot" / file.name)))
        found = network((pixels - MEAN) / STD).argmax(1)[0]
        confusion.update(found, torch.where(mask == UNLABELLED, VOID, mask))
    counts = confusion.compute_counts()
    return counts.accuracy, counts.miou


WAYS = {"ours": ours, "fastai": fastai}

if __name__ == "__main__":
    main()
