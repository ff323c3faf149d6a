"""Weights that are kept while training: at the same steps, and the same ones, however often a training stops."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from uncrappify.datasets import TrainingRun
from uncrappify.errors import UserError
from uncrappify.learners.restoration import RestorationData, RestorationLearner
from uncrappify.training import fit as fitting
from uncrappify.training.fit import Fitted
from uncrappify.training.parameters import RestorationStage, RestorationTraining
from uncrappify.training.trajectory import Trajectory, read_trajectory

pytestmark = pytest.mark.usefixtures("one_thread")
Train = Callable[..., Fitted]


class Leaving(RestorationLearner):
    """Keeps its weights five times a stage."""

    calls, until = 0, 0

    def configure_callbacks(self) -> list[Any]:
        return [Trajectory(5)]

    def training_step(self, batch: Any, number: int) -> torch.Tensor:
        self.calls += 1
        if self.calls == self.until:
            signal.raise_signal(signal.SIGINT)
        return super().training_step(batch, number)


class Stumbling(RestorationData):
    """Is interrupted, or copied as a killed process leaves it, when the first stage asks for a step."""

    at, copied = 0, None

    def batches(self, stage: RestorationStage, seed: int) -> Any:
        batches = super().batches(stage, seed)
        return _Watched(batches, self) if seed == 3 else batches


class _Watched:
    workers = 0

    def __init__(self, batches: Any, data: Stumbling) -> None:
        self.batches, self.data = batches, data

    def __getitem__(self, step: int) -> Any:
        if step == self.data.at:
            if self.data.copied is None:
                raise KeyboardInterrupt
            shutil.copytree(self.data.copied, self.data.copied.with_name("killed"))
        return self.batches[step]


def training(*steps: int, **changes: Any) -> RestorationTraining:
    stages = [RestorationStage(size=24, batch_size=2, steps=number, lr=5e-3) for number in steps]
    return RestorationTraining.model_validate(
        {"stages": stages, "ema": 0.9, "precision": "fp32", "augment": [], "variants": 0} | changes
    )


@pytest.fixture
def walk(train: Train, make_learner: Callable[..., Any], tmp_path: Path) -> Train:
    """Train a learner that keeps its weights."""

    def run(plan: RestorationTraining, folder: str, **options: Any) -> Fitted:
        return train(plan, folder, learner=make_learner(plan, Leaving), **options)

    return run


@pytest.fixture
def make_stumbling(make_data: Callable[..., Any]) -> Callable[..., Any]:
    """Make data that something happens to at a step."""

    def make(plan: RestorationTraining, at: int, copied: Path | None = None) -> Any:
        return make_data(plan, type("Data", (Stumbling,), {"at": at, "copied": copied}))

    return make


def kept(tmp_path: Path, folder: str) -> dict[int, dict[str, torch.Tensor]]:
    return read_trajectory(TrainingRun(tmp_path / folder, tmp_path))


def same(first: dict[int, dict[str, torch.Tensor]], second: dict[int, dict[str, torch.Tensor]]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(value, second[step][name]) for step, weights in first.items() for name, value in weights.items()
    )


def test_weights_are_kept_evenly_from_the_beginning_to_the_end(
    walk: Train, make_learner: Callable[..., Any], tmp_path: Path
) -> None:
    plan = training(12, ema=0)
    fitted = walk(plan, "a")
    path = kept(tmp_path, "a")
    assert list(path) == [0, 3, 6, 9, 12]
    start = dict(make_learner(plan).network.named_parameters())
    assert all(torch.equal(path[0][name], value) for name, value in start.items())
    # The network has no buffers, so that its state is its parameters; without an average the last ones are delivered.
    assert same({12: path[12]}, {12: fitted.model.state})
    ways = [float((path[step]["head.weight"] - path[0]["head.weight"]).norm()) for step in path]
    assert 0 == ways[0] < ways[1] < ways[4]


def test_keeping_weights_changes_no_training(walk: Train, train: Train) -> None:
    plan = training(6)
    kept, plain = walk(plan, "a").model.state, train(plan, "b").model.state
    assert all(torch.equal(value, plain[name]) for name, value in kept.items())


def test_steps_are_counted_over_all_stages(walk: Train, tmp_path: Path) -> None:
    walk(training(8, 3), "a")
    assert list(kept(tmp_path, "a")) == [0, 2, 4, 6, 8, 9, 10, 11]


@pytest.mark.parametrize("at", [1, 6])
def test_an_interrupted_training_keeps_the_same_weights(
    walk: Train, make_stumbling: Callable[..., Any], tmp_path: Path, at: int
) -> None:
    plan = training(12)
    walk(plan, "whole")
    with pytest.raises(KeyboardInterrupt):
        walk(plan, "cut", data=make_stumbling(plan, at))
    assert list(kept(tmp_path, "cut") if at > 3 else [0]) == [step for step in (0, 3, 6) if step <= at]
    walk(plan, "cut")
    assert same(kept(tmp_path, "cut"), kept(tmp_path, "whole"))


def test_an_interrupt_in_the_middle_of_a_step_shifts_no_snapshot(
    walk: Train, train: Train, make_learner: Callable[..., Any], tmp_path: Path
) -> None:
    plan = training(12)
    walk(plan, "whole")
    learner = make_learner(plan, Leaving)
    learner.until = 6
    with pytest.raises(KeyboardInterrupt):
        train(plan, "cut", learner=learner)
    assert list(kept(tmp_path, "cut")) == [0, 3, 6]
    walk(plan, "cut")
    assert same(kept(tmp_path, "cut"), kept(tmp_path, "whole"))


@pytest.mark.parametrize("checkpoints", ["at every step", "at none"])
def test_a_killed_training_keeps_the_same_weights(
    walk: Train,
    make_stumbling: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpoints: str,
) -> None:
    monkeypatch.setattr(fitting, "CHECKPOINT_EVERY", 0 if checkpoints == "at every step" else 1000)
    plan = training(12)
    walk(plan, "whole", data=make_stumbling(plan, 7, tmp_path / "whole"))
    assert (tmp_path / "killed/checkpoints/stage0.ckpt").exists() == (checkpoints == "at every step")
    assert list(kept(tmp_path, "killed")) == [0, 3, 6]
    walk(plan, "killed")
    assert same(kept(tmp_path, "killed"), kept(tmp_path, "whole"))


def test_what_another_training_or_a_search_for_a_rate_has_left_is_no_part_of_the_way(
    walk: Train, tmp_path: Path
) -> None:
    walk(training(7), "a")
    assert list(kept(tmp_path, "a")) == [0, 2, 4, 5, 7]
    walk(training(4, lr_find=True), "a")
    assert list(kept(tmp_path, "a")) == [0, 1, 2, 3, 4]


def test_weights_that_are_gone_or_cut_are_told(walk: Train, tmp_path: Path) -> None:
    walk(training(4), "a")
    file = tmp_path / "a/checkpoints/trajectory/step3.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(
        UserError, match=r"step3\.safetensors: not a whole safetensors file .* Remove .*checkpoints and"
    ):
        kept(tmp_path, "a")
    shutil.rmtree(file.parent)
    with pytest.raises(
        UserError, match=r"trajectory: the weights that were kept while training are not there\. Remove"
    ):
        kept(tmp_path, "a")
