"""A checkpoint that does not fit the stage is found before anything goes on with it, whatever part it is."""

import random
import signal
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from uncrappify.datasets.checkpoint import Checkpoint, read_checkpoint
from uncrappify.learners.restoration import RestorationData, RestorationLearner
from uncrappify.state import BrokenStateError
from uncrappify.training import hardware
from uncrappify.training.batches import Batches
from uncrappify.training.callbacks import Clock, Delivery, Saver
from uncrappify.training.fit import Fitted
from uncrappify.training.learner import Best
from uncrappify.training.parameters import RestorationStage, RestorationTraining
from uncrappify.training.resume import find_misfit

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS, SAMPLE = 8, 30
STAGE = RestorationStage(size=24, batch_size=4, steps=STEPS, lr=5e-3)
FILE = "checkpoints/stage0.ckpt"

Way = tuple[Any, ...]


class Watched(RestorationLearner):
    """Keeps the best, may stop early, and may be interrupted in a step."""

    best = Best("valid_psnr", largest=True)
    calls, until = 0, -1

    def configure_callbacks(self) -> list[Any]:
        return [EarlyStopping("valid_loss", patience=STEPS, check_on_train_epoch_end=False)]

    def training_step(self, batch: Any, number: int) -> Tensor:
        self.calls += 1
        if self.calls == self.until:
            signal.raise_signal(signal.SIGINT)
        return super().training_step(batch, number)


Train = Callable[..., Fitted]
MakeLearner = Callable[..., RestorationLearner]


def plan(**changes: Any) -> RestorationTraining:
    return RestorationTraining.model_validate(
        {"stages": [STAGE], "ema": 0.9, "precision": "fp32", "variants": 0} | changes
    )


@pytest.fixture
def interrupted(train: Train, make_learner: MakeLearner, tmp_path: Path) -> Path:
    """The checkpoint of an interrupted training."""
    learner = make_learner(plan(), Watched)
    learner.until = 5
    with pytest.raises(KeyboardInterrupt):
        train(plan(), "cut", learner=learner)
    return tmp_path / "cut" / FILE


def walk(value: Any, way: Way = ()) -> Iterator[Way]:
    """Give the ways to all parts below; of the measures of the clock, as a whole."""
    if isinstance(value, dict | list) and way[-1:] != ("step_seconds",):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*way, key)
            yield from walk(part, (*way, key))


def find(content: Any, way: Way) -> Any:
    for key in way:
        content = content[key]
    return content


def change(content: Any, way: Way, how: str) -> Any:
    changed = deepcopy(content)
    holder, value = find(changed, way[:-1]), find(changed, way)
    if how == "missing":
        del holder[way[-1]]
    elif how == "other shape":
        holder[way[-1]] = torch.zeros(2, *value.shape)
    else:
        holder[way[-1]] = 1 if isinstance(value, str) else "x"
    return changed


def breakages(content: Any) -> list[tuple[Way, str]]:
    """All that can be broken, but for what may be missing, and what was None at first."""
    free = {
        ("callbacks", "Clock", "watched"),
        ("callbacks", "Saver", "rows"),
        ("callbacks", "Saver", "fingerprint"),
        ("callbacks", "Delivery", "best"),
    }
    ways = list(walk(content))
    missing = [way for way in ways if way not in free and way[2:3] + way[4:] != ("state",)]
    tensors = [way for way in ways if isinstance(find(content, way), Tensor)]
    typed = [way for way in ways if find(content, way) is not None]
    return [
        *((way, "missing") for way in missing),
        *((way, "other shape") for way in tensors),
        *((way, "other type") for way in typed),
    ]


def test_a_sound_checkpoint_fits_and_each_broken_part_is_found(
    interrupted: Path, make_data: Callable[..., RestorationData], make_learner: MakeLearner
) -> None:
    learner = make_learner(plan(), Watched)
    learner.begin(STAGE)
    before = deepcopy(learner.state_dict())

    def misfit(found: Checkpoint) -> str:
        batches = Batches(make_data(plan()), STAGE, 0)
        callbacks = [Clock(batches), Delivery(0.9, Watched.best), Saver(interrupted, 20, batches, "")]
        return find_misfit(found, learner, callbacks, batches)

    assert misfit(read_checkpoint(interrupted)) == ""
    content = torch.load(interrupted, weights_only=True)
    # As before the first validation.
    early = deepcopy(content)
    early["callbacks"]["Delivery"].pop("best", None)
    torch.save(early, interrupted)
    assert misfit(read_checkpoint(interrupted)) == ""
    everything = breakages(content)
    assert len(everything) > 400
    for way, how in random.Random(0).sample(everything, SAMPLE):
        torch.save(change(content, way, how), interrupted)
        try:
            assert misfit(read_checkpoint(interrupted)), (way, how)
        except BrokenStateError:
            continue
    assert all(torch.equal(before[name], tensor) for name, tensor in learner.state_dict().items())


BROKEN: list[tuple[Way, str]] = [
    (("optimizer_states", 0, "state", 3, "exp_avg"), "other shape"),
    (("optimizer_states", 0, "state", 3, "exp_avg"), "missing"),
    (("lr_schedulers", 0, "last_epoch"), "missing"),
    (("lr_schedulers", 0, "base_lrs"), "other type"),
    (("loops", "fit_loop", "epoch_progress"), "missing"),
    (("callbacks", "Delivery", "average"), "missing"),
    (("pytorch-lightning_version",), "other type"),
]


def test_what_cannot_be_gone_on_with_is_trained_from_the_beginning_to_the_same_weights(
    train: Train, make_learner: MakeLearner, interrupted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = train(plan(), "whole", learner=make_learner(plan(), Watched))
    content = torch.load(interrupted, weights_only=True)
    for way, how in BROKEN:
        torch.save(change(content, way, how), interrupted)
        caplog.clear()
        again = train(plan(), "cut", learner=make_learner(plan(), Watched))
        assert sum(line.endswith("stage 0 starts from its beginning") for line in caplog.messages) == 1
        assert difference(whole, again) < 1e-6


@pytest.mark.slow
def test_several_devices_start_from_the_beginning_too(
    train: Train, interrupted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = train(plan(), "alone")
    with monkeypatch.context() as context:
        # Whose folder it is has been noted by then.
        context.setattr(hardware, "describe", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(plan(devices=2), "together")
    content = change(torch.load(interrupted, weights_only=True), *BROKEN[0])
    content["callbacks"] = {name: content["callbacks"][name] for name in ("Clock", "Delivery", "Saver")}
    content["callbacks"]["Saver"]["fingerprint"] = ""
    file = tmp_path / "together" / FILE
    torch.save(content, file)
    together = train(plan(devices=2), "together")
    told = f"{file} cannot be gone on with (optimizer_states.0.state.3.exp_avg is not as expected)"
    assert [line for line in caplog.messages if "cannot" in line] == [f"{told}: stage 0 starts from its beginning"]
    # The gradients of the halves are averaged, which rounds otherwise.
    assert difference(alone, together) < 1e-3


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def difference(first: Fitted, second: Fitted) -> float:
    mine, theirs = first.model.state, second.model.state
    return max(float((mine[name] - theirs[name]).abs().max()) for name in mine)
