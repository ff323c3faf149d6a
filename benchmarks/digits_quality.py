"""How good the four networks for digits are: over all of scikit-learn's, and on little of MNIST.

    python benchmarks/digits_quality.py folds
    python benchmarks/digits_quality.py few data/01_raw/mnist/mnist [--seeds 3] [--steps 600]

`folds` trains on four fifths of the 1,797 digits and tests on the fifth, five times, with the settings of
conf/base/parameters/digits.yml. `few` trains the lesson's networks on 10, 30 and 100 pictures of each class of MNIST,
each for as many steps, and tests on the 10,000 test pictures; it draws docs/images/digits-few.png. A network is tested
as it is after its last step: nothing is chosen by the pictures that it is tested on.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from uncrappify.datasets import ClassificationDescription, LabelledPictures, TrainingRun
from uncrappify.learners.classification import ClassificationData, ClassificationLearner
from uncrappify.models import build
from uncrappify.models.parameters import ClassificationModel
from uncrappify.parameters.sections import read_sections
from uncrappify.parameters.tree import parse_section
from uncrappify.sources import (
    ClassFoldersOptions,
    LabelledSource,
    PictureSource,
    decode_pictures,
    fetch,
    label_pictures,
    list_pictures,
)
from uncrappify.training.fit import fit
from uncrappify.training.hardware import describe
from uncrappify.training.parameters import ClassificationTraining

ROOT = Path(__file__).parents[1]
FOLDS = 5
NUMBERS = (10, 30, 100)
MODELS = ("cnn", "conv_layer", "resnet", "densenet")


def main() -> None:
    """Train, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["folds", "few"])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    arguments = parser.parse_args()
    print(describe())
    if arguments.what == "folds":
        rows = pd.DataFrame(list(measure_folds()))
        print(rows.groupby("model", sort=False)["accuracy"].agg(["mean", "min", "max"]).round(4).to_string())
        return
    rows = pd.DataFrame(list(measure_few(arguments.folder.absolute(), arguments.seeds, arguments.steps)))
    means = rows.groupby(["model", "pictures"], sort=False)["accuracy"].agg(["mean", "min", "max"])
    print(means.round(4).to_string())
    draw(means["mean"].unstack(), ROOT / "docs/images/digits-few.png")


def measure_folds() -> Iterator[dict[str, object]]:
    """Train each model of conf/base five times, and give the accuracy on what it has not seen."""
    os.chdir(ROOT)
    section = read_sections()["digits"]
    parameters = parse_section("digits", section, section)
    with tempfile.TemporaryDirectory() as raw:
        pictures = read(fetch(LabelledSource(), Path(raw)))
    order = np.random.default_rng(parameters.seed).permutation(len(pictures))
    for name, network in parameters.networks.items():
        for fold in range(FOLDS):
            held = np.zeros(len(pictures), dtype=bool)
            held[order[fold::FOLDS]] = True
            learned, tested = (pictures.take(np.flatnonzero(part)) for part in (~held, held))
            found = train(network.model, network.training, learned, tested, parameters.seed + fold)
            yield {"model": name, "fold": fold, "accuracy": tell(name, f"fold {fold}", found)}


def measure_few(folder: Path, seeds: int, steps: int) -> Iterator[dict[str, object]]:
    """Train the lesson's networks on few pictures of each class, and give the accuracy on all test pictures."""
    everything, tested = (
        read(fetch(LabelledSource(kind="class_folders", class_folders=ClassFoldersOptions(path=str(part))), part))
        for part in (folder / "train", folder / "test")
    )
    training = ClassificationTraining.model_validate(
        {"padding": 3, "precision": "fp32", "threads": 1, "stages": [{"batch_size": 64, "steps": steps, "lr": 0.02}]}
    )
    for number in NUMBERS:
        for seed in range(seeds):
            random = np.random.default_rng([seed, number])
            of_each = [np.flatnonzero(everything.labels == label) for label in range(len(everything.classes))]
            learned = everything.take(np.concatenate([random.permutation(places)[:number] for places in of_each]))
            for name in MODELS:
                found = train(ClassificationModel.model_validate({"name": name}), training, learned, tested, seed)
                accuracy = tell(name, f"{number} a class, seed {seed}", found)
                yield {"model": name, "pictures": number, "seed": seed, "accuracy": accuracy}


def read(source: PictureSource) -> LabelledPictures:
    """Read all pictures of a source, decoded."""
    rows = label_pictures(source, list_pictures(source, smallest=4))
    rows = rows[rows["usable"]]
    classes = sorted(rows["label"].unique())
    labels = rows["label"].map(classes.index).to_numpy(np.int64)
    return LabelledPictures(decode_pictures(source, rows, None), labels, rows["name"].tolist(), classes)


def train(
    model: ClassificationModel,
    training: ClassificationTraining,
    learned: LabelledPictures,
    tested: LabelledPictures,
    seed: int,
) -> dict[str, float]:
    """Train a network by the project's own ``fit``, and give the metrics of its last step."""
    description = ClassificationDescription(
        model=model.name,
        options=model.options.architecture,
        classes=list(learned.classes),
        size=learned.size,
        mean=learned.mean,
        std=learned.std,
    )
    torch.manual_seed(seed)
    learner = ClassificationLearner(
        build(model.kind, model.name, description.to_build | model.to_build), training, learned.shape
    )
    with tempfile.TemporaryDirectory() as name:
        run = TrainingRun(Path(name) / model.name, Path(name) / "snapshots")
        data = ClassificationData(learned, tested, training)
        return fit(learner, data, training, seed=seed, run=run, description=description).metrics


def tell(model: str, what: str, metrics: dict[str, float]) -> float:
    """Print a training, and give its accuracy."""
    print(f"{model}, {what}: {metrics['valid_accuracy']:.4f} in {metrics['train_seconds']:.0f} s", flush=True)
    return metrics["valid_accuracy"]


def draw(means: pd.DataFrame, file: Path) -> None:
    """Draw the accuracy of each model against the number of pictures."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name in MODELS:
        axes.plot(means.columns, 100 * means.loc[name], marker="o", label=name)
    axes.set_xscale("log")
    axes.set_xticks(means.columns, [str(number) for number in means.columns])
    axes.set(xlabel="pictures of each class", ylabel="accuracy on the test pictures, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=130)


if __name__ == "__main__":
    main()
