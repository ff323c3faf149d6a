"""How fast a GAN trains: beside its two steps alone, and beside fastai's `GANLearner` on the same networks.

    python -m venv build/gan && build/gan/bin/pip install . -r benchmarks/requirements-unet.txt
    export OMP_WAIT_POLICY=PASSIVE
    build/gan/bin/python benchmarks/gan_training.py [--rounds 3] [--steps 60]

The default's upscaler (three times, 32 channels, 8 blocks) and critic (24 channels, 2 blocks), 8 crops of 96 pixels, L1
and binary cross entropy, a turn of the critic and one of the generator. Ours is trained by this project's `fit`, in the
number format that it chooses by itself and in single precision, which is fastai's; `alone` are the same two steps in a
loop of their own, without Lightning, average, log or checkpoint. The batches lie in memory before. Every training is a
process of its own, and they take turns. Seconds are those of both turns together, the median.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor, nn

from uncrappify.datasets import RestorationDescription, TrainingRun
from uncrappify.learners.restoration import scale_to_unit
from uncrappify.learners.restoration_gan import RestorationGan
from uncrappify.losses.adversarial import BCE
from uncrappify.models import build
from uncrappify.training.fit import fit
from uncrappify.training.hardware import describe, precision
from uncrappify.training.parameters import GanTraining

OPTIONS = {"scale": 3, "channels": 32, "blocks": 8}
CRITIC = {"channels": 24, "blocks": 2, "norm": "spectral", "dropout": 0.0, "self_attention": False}
NUMBER, SIDE, BATCHES, SEED = 8, 96, 10, 0
LR, CRITIC_LR, WEIGHT = 2e-4, 1.5e-3, 0.04

Batch = tuple[Tensor, Tensor]


def main() -> None:
    """Train in turn, and print each training and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="turns of both")
    arguments = parser.parse_args()
    print(describe())
    ways = {"ours": ours, "alone": alone, "ours, fp32": ours_fp32, "alone, fp32": alone_fp32, "fastai": fastai}
    rows = []
    for _ in range(arguments.rounds):
        for name, train in ways.items():
            # Of its own, so that neither meets what the other leaves behind.
            with multiprocessing.get_context("spawn").Pool(1) as process:
                rows.append({"by": name, "seconds": process.apply(train, (arguments.steps,))})
            print(f"{name:12} {rows[-1]['seconds']:.3f} s", flush=True)
    table = pd.DataFrame(rows)
    table["round"] = table.groupby("by").cumcount()
    times = table.pivot(index="round", columns="by", values="seconds")
    for one, other in (("ours", "alone"), ("ours, fp32", "alone, fp32"), ("fastai", "ours"), ("fastai", "ours, fp32")):
        ratio = times[one] / times[other]
        print(f"{one} over {other}: {ratio.median():.2f} ({ratio.min():.2f} to {ratio.max():.2f})")


def batches() -> list[Batch]:
    """Draw noise as inputs and targets, uint8."""
    generator = torch.Generator().manual_seed(SEED)

    def noise(side: int) -> Tensor:
        return torch.randint(256, (NUMBER, 3, side, side), dtype=torch.uint8, generator=generator)

    return [(noise(SIDE // OPTIONS["scale"]), noise(SIDE)) for _ in range(BATCHES)]


@dataclass(frozen=True)
class _Repeated:
    """The same few batches again and again, as the project's training takes them."""

    drawn: list[Batch]
    workers: int = 0

    def __getitem__(self, step: int) -> Batch:
        return self.drawn[step % len(self.drawn)]


@dataclass(frozen=True)
class _Data:
    """What the project's ``fit`` wants to know."""

    drawn: list[Batch]
    fingerprint: str = ""

    def __len__(self) -> int:
        return len(self.drawn)

    def batches(self, stage: Any, seed: int) -> _Repeated:
        return _Repeated(self.drawn)

    def validation(self) -> None:
        return None

    def draw(self, batch: Batch) -> None:
        return None


def _make(steps: int, precise: Literal["auto", "fp32"]) -> tuple[RestorationGan, GanTraining]:
    torch.manual_seed(SEED)
    stage = {"size": SIDE, "batch_size": NUMBER, "steps": 2 * steps, "lr": LR, "critic_lr": CRITIC_LR}
    given = {"stages": [stage | {"adversarial": WEIGHT, "loss": [{"l1": 1.0}]}], "precision": precise, "ema": 0.99}
    training = GanTraining.model_validate(given)
    generator, critic = build("restoration", "upscaler", OPTIONS), build("critic", "patches", CRITIC)
    return RestorationGan(generator, critic, BCE(), training, []), training


def ours(steps: int, precise: Literal["auto", "fp32"] = "auto") -> float:
    """Train with this project's ``fit``."""
    learner, training = _make(steps, precise)
    description = RestorationDescription(model="upscaler", options=OPTIONS, scale=3, recipe=[])
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(Path(folder), Path(folder))
        fitted = fit(learner, _Data(batches()), training, seed=SEED, run=run, description=description)
    # A step is a turn of one of both.
    return 2 * NUMBER / fitted.metrics["images_per_second"]


def ours_fp32(steps: int) -> float:
    """Train with this project's ``fit`` in single precision."""
    return ours(steps, "fp32")


def alone(steps: int, precise: Literal["auto", "fp32"] = "auto") -> float:
    """Take the same steps in a loop of their own."""
    learner, training = _make(steps, precise)
    learner.begin(training.stages[0])
    generators, critics = learner.configure_optimizers()
    half = precision(training.precision) != "32-true"
    seconds, drawn = [], batches()

    def step(optimizer: torch.optim.Optimizer, compute: Callable[[], Tensor]) -> float:
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = compute()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return time.perf_counter() - started

    for number in range(steps):
        batch = drawn[number % BATCHES]

        def judge(batch: Batch = batch) -> Tensor:
            with torch.no_grad():
                real, fake = learner.make(batch)
            return learner.objective.judge(learner.critic, real, fake).loss

        def fool(batch: Batch = batch) -> Tensor:
            inputs, real = (scale_to_unit(side) for side in batch)
            fake = learner.network(inputs)
            loss: Tensor = (fake - real).abs().mean() + WEIGHT * learner.objective.fool(learner.critic, real, fake)
            return loss

        learner.network.eval(), learner.critic.train().requires_grad_(True)
        critic = step(critics, judge)
        learner.network.train(), learner.critic.eval().requires_grad_(False)
        seconds.append(critic + step(generators, fool))
    return median(seconds)


def alone_fp32(steps: int) -> float:
    """Take the same steps in a loop of their own, in single precision."""
    return alone(steps, "fp32")


def fastai(steps: int) -> float:
    """Train with fastai's ``GANLearner``, which switches after each batch."""
    from fastai.vision.all import Adam, Callback, CancelValidException, DataLoader, DataLoaders, Learner
    from fastai.vision.gan import AdaptiveLoss, FixedGANSwitcher, GANLearner

    class Watch(Callback):  # type: ignore[misc]
        """Times the steps from end to end."""

        def before_fit(self) -> None:
            self.ticks = [time.perf_counter()]

        def after_batch(self) -> None:
            self.ticks.append(time.perf_counter())

        def before_validate(self) -> None:
            raise CancelValidException

    class Flat(nn.Module):
        """The critic with its logits side by side, as fastai expects them."""

        def __init__(self, critic: nn.Module) -> None:
            super().__init__()
            self.critic = critic

        def forward(self, pictures: Tensor) -> Tensor:
            logits: Tensor = self.critic(pictures)
            return logits.flatten(1)

    torch.manual_seed(SEED)
    drawn = [(inputs.float() / 255, targets.float() / 255) for inputs, targets in batches()]
    loader = DataLoader([drawn[step % BATCHES] for step in range(2 * steps)], bs=None, num_workers=0)
    loaders = DataLoaders(loader, loader)
    generator, critic = build("restoration", "upscaler", OPTIONS), Flat(build("critic", "patches", CRITIC))
    learner: Any = GANLearner.from_learners(
        Learner(loaders, generator, loss_func=nn.L1Loss()),
        Learner(loaders, critic, loss_func=AdaptiveLoss(nn.BCEWithLogitsLoss())),
        weights_gen=(WEIGHT, 1.0),
        switcher=FixedGANSwitcher(n_crit=1, n_gen=1),
        switch_eval=True,
        opt_func=lambda parameters, **given: Adam(parameters, mom=0.0, sqr_mom=0.99, **given),
    )
    watch = Watch()
    with learner.no_bar(), learner.no_logging():
        learner.fit(1, LR, cbs=watch)
    turns = [after - before for before, after in pairwise(watch.ticks)]
    return median(first + second for first, second in zip(turns[::2], turns[1::2], strict=True))


if __name__ == "__main__":
    main()
