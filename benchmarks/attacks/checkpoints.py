"""Damage to what an interrupted training has left: it goes on to the same weights, or starts anew with a word."""

from __future__ import annotations

import logging
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
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

KEPT, LAST, NOTE = "checkpoints", "checkpoints/stage1.ckpt", "training.json"
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
    logger, disabled = logging.getLogger("uncrappify"), logging.root.manager.disable
    others, logger.handlers = logger.handlers, [handler]
    logging.disable(logging.NOTSET)
    try:
        state, steps = _train(folder, Noise())
    except UserError as error:
        return None if "Move it away" in str(error) else f"said: {error}"
    finally:
        logging.disable(disabled)
        logger.handlers = others
    if any("\n" in line for line in said):
        return f"more than a line: {said}"
    # What a tensor is loaded from lies elsewhere in memory, which changes the order of some sums.
    furthest = max(float((state[name] - tensor).abs().max()) for name, tensor in wanted[0].items())
    if furthest > 1e-6:
        return f"other weights, by {furthest}"
    if steps != wanted[1] and not said:
        return f"steps {steps} in silence"
    return "files left" if any((folder / "checkpoints").glob(".*")) else None


def _damages(folder: Path, seed: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    for number, file in enumerate((f"{KEPT}/stage0.ckpt", LAST, f"{KEPT}/history.jsonl", NOTE)):
        for way, damaged in mutate((folder / file).read_bytes(), seed + number, EACH):
            yield f"{file} {way}", partial(_write, file, damaged)
        yield f"{file} missing", partial(_replace, file, None)
        yield f"{file} a folder", partial(_replace, file, Path.mkdir)
    for name, value in _strange(torch.load(folder / LAST, weights_only=True)):
        yield f"{LAST} {name}", partial(_save, value)
    yield f"{LAST} a pickle", partial(_write, LAST, pickle.dumps(np.ones))
    for text in (b"[]", b"{}", b"null", b'{"fingerprint": 1}', b'{"finished": "perhaps"}', b'{"provenance": [1]}'):
        yield f"{NOTE} {text!r}", partial(_write, NOTE, text)
    for text in (b'{"step": "x"}\n', b'{"step": -1, "stage": 0, "time": 0}\n', b"[1]\n", b"\xff\n", b'{"step": 1e9}\n'):
        yield f"history.jsonl {text!r}", partial(_write, f"{KEPT}/history.jsonl", text)
    yield "an odd file", partial(_write, f"{KEPT}/stagex.ckpt", b"x")
    yield "a half checkpoint of a kill", partial(_write, f"{KEPT}/.0.partial.ckpt", b"x")
    yield "checkpoints a file", partial(_replace, KEPT, Path.touch)


def _write(file: str, content: bytes, folder: Path) -> None:
    (folder / file).write_bytes(content)


def _save(value: Any, folder: Path) -> None:
    torch.save(value, folder / LAST)


def _replace(file: str, make: Callable[[Path], None] | None, folder: Path) -> None:
    path = folder / file
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if make:
        make(path)


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
    yield "no schedule", sound | {"lr_schedulers": []}
    yield "no average", sound | {"callbacks": callbacks | {"Delivery": {}}}
