"""Damage to what an interrupted training has left: it goes on to the same weights, or starts anew with a word."""

from __future__ import annotations

import logging
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attacks.mutation import Tally, mutate
from uncrappify.datasets import RestorationDescription, TrainingRun
from uncrappify.errors import UserError
from uncrappify.learners.restoration import RestorationLearner
from uncrappify.models import build
from uncrappify.training.fit import fit
from uncrappify.training.parameters import RestorationStage, RestorationTraining

EACH = 27
"""Mutations of each file."""

OPTIONS = {"scale": 1, "channels": 4, "blocks": 1}
PLAN = RestorationTraining(
    stages=[RestorationStage(size=8, batch_size=2, steps=steps, lr=1e-3) for steps in (2, 4)], ema=0.9, precision="fp32"
)
DESCRIPTION = RestorationDescription(model="upscaler", options=OPTIONS, scale=1, recipe=[])


@dataclass
class Noise:
    """Random pictures, interrupted at a step of the second stage."""

    stop: int = -1
    workers: int = 0
    fingerprint: str = "noise"
    second: bool = False

    def __len__(self) -> int:
        return 4

    def __getitem__(self, step: int) -> Any:
        if self.second and step == self.stop:
            raise KeyboardInterrupt
        picture = torch.randint(0, 256, (2, 3, 8, 8), generator=torch.Generator().manual_seed(step), dtype=torch.uint8)
        return picture, 255 - picture

    def batches(self, stage: Any, seed: int) -> Noise:
        """Give the same pictures in each stage."""
        return Noise(self.stop, second=seed == 1)

    def validation(self) -> None:
        """Give none."""

    def draw(self, batch: Any) -> None:
        """Draw nothing."""


def attack(folder: Path, seed: int, share: float) -> Tally:
    """Interrupt a training in its second stage, damage one of its files at a time, and train to the end.

    Args:
        folder: For the trainings.
        seed: Of the mutations.
        share: How many of the attacks.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    tally = Tally("checkpoints and notes of a training")
    try:
        wanted = _train(folder / "whole", Noise())
        with suppress(KeyboardInterrupt):
            _train(folder / "cut", Noise(stop=2))
        attacks = list(_damages(folder / "cut", seed))
        for name, damage in attacks[:: max(1, round(1 / share))]:
            shutil.copytree(folder / "cut", folder / "tried")
            damage(folder / "tried")
            tally.count(name, lambda: _compare(folder / "tried", wanted))
            shutil.rmtree(folder / "tried")
    finally:
        torch.set_num_threads(threads)
    return tally


def _train(folder: Path, data: Noise) -> tuple[dict[str, torch.Tensor], list[int]]:
    torch.manual_seed(0)
    learner = RestorationLearner(build("restoration", "upscaler", OPTIONS), PLAN)
    fitted = fit(learner, data, PLAN, seed=0, run=TrainingRun(folder, folder / "snapshots"), description=DESCRIPTION)
    return fitted.model.state, fitted.history["step"].tolist()


def _compare(folder: Path, wanted: tuple[dict[str, torch.Tensor], list[int]]) -> str | None:
    """Train to the end; a history may lack what no step measures again, and a folder in a file's place is told."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("uncrappify").addHandler(handler)
    try:
        state, steps = _train(folder, Noise())
    except UserError as error:
        return None if "Move it away" in str(error) else f"said: {error}"
    finally:
        logging.getLogger("uncrappify").removeHandler(handler)
    if any("\n" in line for line in said):
        return f"more than a line: {said}"
    # What a tensor is loaded from lies elsewhere in memory, which changes the order of some sums.
    furthest = max(float((state[name] - tensor).abs().max()) for name, tensor in wanted[0].items())
    if furthest > 1e-6:
        return f"other weights, by {furthest}"
    if steps != wanted[1] and not said:
        return f"steps {steps} in silence"
    return "files left" if any((folder / "checkpoints").glob(".*")) else None


def _damages(folder: Path, seed: int) -> Iterator[tuple[str, Callable[[Path], Any]]]:
    for number, file in enumerate(("stage0.ckpt", "stage1.ckpt", "history.jsonl", "../training.json")):
        content = (folder / "checkpoints" / file).read_bytes()
        for way, damaged in mutate(content, seed + number, EACH):
            yield f"{file} {way}", lambda tried, f=file, d=damaged: (tried / "checkpoints" / f).write_bytes(d)
        yield f"{file} missing", lambda tried, f=file: (tried / "checkpoints" / f).unlink()
        yield f"{file} a folder", lambda tried, f=file: _replace_by_folder(tried / "checkpoints" / f)
    for name, value in _strange(torch.load(folder / "checkpoints/stage1.ckpt", weights_only=True)):
        yield f"stage1.ckpt {name}", lambda tried, v=value: torch.save(v, tried / "checkpoints/stage1.ckpt")
    yield "stage1.ckpt a pickle", lambda tried: (tried / "checkpoints/stage1.ckpt").write_bytes(pickle.dumps(np.ones))
    for text in (b"[]", b"{}", b"null", b'{"fingerprint": 1}', b'{"finished": "perhaps"}', b'{"provenance": [1]}'):
        yield f"training.json {text!r}", lambda tried, t=text: (tried / "training.json").write_bytes(t)
    for text in (
        b'{"step": "x"}\n',
        b'{"step": -1, "stage": 0, "time": 0}\n',
        b"[1]\n",
        b"\xff\n",
        b'{"step": 1e400}\n',
    ):
        yield f"history.jsonl {text!r}", lambda tried, t=text: (tried / "checkpoints/history.jsonl").write_bytes(t)
    yield "an odd file", lambda tried: (tried / "checkpoints/stagex.ckpt").write_bytes(b"x")
    yield "a half checkpoint of a kill", lambda tried: (tried / "checkpoints/.0.partial.ckpt").write_bytes(b"x")
    yield "checkpoints a file", lambda tried: (shutil.rmtree(tried / "checkpoints"), (tried / "checkpoints").touch())


def _strange(sound: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Checkpoints that are whole, and not what they should be."""
    yield from (("a list", [1]), ("a number", 1), ("empty", {}), ("weights alone", sound["state_dict"]))
    yield from ((f"without {key}", {name: value for name, value in sound.items() if name != key}) for key in sound)
    yield from ((f"{key} of another type", sound | {key: "x"}) for key in sound)
    callbacks = sound["callbacks"]
    for key in callbacks:
        fewer = {name: value for name, value in callbacks.items() if name != key}
        yield f"without the callback {key}", sound | {"callbacks": fewer}
    yield "of another training", sound | {"callbacks": callbacks | {"Saver": {"ended": True, "fingerprint": "other"}}}
    yield "other weights", sound | {"state_dict": {name: torch.zeros(1) for name in sound["state_dict"]}}
    yield "empty loops", sound | {"loops": {}}
    yield "an empty optimizer", sound | {"optimizer_states": [{}]}
    yield "no optimizer", sound | {"optimizer_states": []}


def _replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
