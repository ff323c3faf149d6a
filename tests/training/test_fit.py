"""Training learns, is the same every time, and goes on where it stopped."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from uncrappify.datasets import PicturePairs
from uncrappify.degradations import Recipe
from uncrappify.errors import UserError
from uncrappify.models import build
from uncrappify.training import hardware
from uncrappify.training.fit import Fitted, find_learning_rate, fit
from uncrappify.training.parameters import RestorationStage, RestorationTraining
from uncrappify.training.restoration import RestorationTask

pytestmark = pytest.mark.usefixtures("one_thread")
STEPS = 12
RECIPE = Recipe.model_validate([{"resize": {"factor": 3}}, {"jpeg": {"quality": 60}}])


def training(*steps: int, **changes: Any) -> RestorationTraining:
    stages = [RestorationStage(size=24, batch_size=4, steps=number, lr=5e-3) for number in steps or (STEPS,)]
    return RestorationTraining.model_validate(
        {"stages": stages, "ema": 0.9, "precision": "fp32", "variants": 6} | changes
    )


@dataclass
class Stumbling:
    """Batches that raise at one step."""

    batches: Any
    at: int
    workers: int = 0

    def __getitem__(self, step: int) -> Any:
        if step == self.at:
            raise KeyboardInterrupt
        return self.batches[step]


@dataclass
class Copying:
    """Batches that copy the checkpoints at one step: what a process that is killed there leaves behind."""

    batches: Any
    at: int
    folder: Path
    workers: int = 0

    def __getitem__(self, step: int) -> Any:
        if step == self.at:
            shutil.copytree(self.folder, self.folder.with_name("killed"))
        return self.batches[step]


class StumblingInValidation:
    """A validation set that raises in the middle of the second time that it is gone through."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches, self.passes = batches, 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        yield self.batches[0]
        if self.passes == 2:
            raise KeyboardInterrupt
        yield from self.batches[1:]


class Restoration(RestorationTask):
    """A tiny network; may stumble on its way."""

    def __init__(self, pairs: PicturePairs, plan: RestorationTraining, stumble: tuple[int, int] | None = None) -> None:
        torch.manual_seed(0)
        network = build("upscaler", {"scale": 3, "channels": 8, "blocks": 1})
        train, valid = (
            PicturePairs(pairs.degraded, pairs.targets, names, 3, pairs.pixels) for names in (["a", "b", "c"], ["d"])
        )
        super().__init__("superres", network, train, valid, RECIPE, plan, 0)
        self.stumble = stumble
        self.made = 0

    def batches(self, stage: RestorationStage, seed: int) -> Any:
        number, self.made = self.made, self.made + 1
        batches = super().batches(stage, seed)
        if self.stumble and self.stumble[0] == number:
            return Stumbling(batches, self.stumble[1])
        return batches


class StumblingStep(Restoration):
    """Is interrupted in the middle of a training step."""

    def module(self, stage: RestorationStage) -> Any:
        module = super().module(stage)
        loss, calls = module.loss, iter(range(10_000))

        def stumbling(prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
            if module.training and next(calls) == 5:
                raise KeyboardInterrupt
            return loss(prediction, target)

        module.loss = stumbling
        return module


class StumblingValidation(Restoration):
    """Is interrupted in the middle of a validation."""

    def validation(self) -> Any:
        return StumblingInValidation(2 * list(super().validation()))


Train = Callable[..., Fitted]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Train in a folder of the test."""

    def run(
        task: RestorationTask, plan: RestorationTraining, folder: str = "a", fingerprint: str = "1", seed: int = 3
    ) -> Fitted:
        return fit(task, plan, seed=seed, checkpoints=tmp_path / folder, fingerprint=fingerprint)

    return run


def difference(first: Fitted, second: Fitted) -> float:
    assert first.state.keys() == second.state.keys()
    return max(float((first.state[name] - second.state[name]).abs().max()) for name in first.state)


def test_the_loss_falls_and_pictures_get_better(train: Train, pairs: PicturePairs, tmp_path: Path) -> None:
    plan = training(100, ema=0, augment=[], variants=0)
    task = Restoration(pairs, plan)
    task.valid = task.train
    fitted = train(task, plan)
    losses = fitted.history["train_loss"].dropna()
    assert losses.tail(20).mean() < 0.9 * losses.head(20).mean()
    psnr = fitted.history["valid_psnr"].dropna()
    assert len(psnr) == 10
    assert psnr.iloc[-1] > psnr.iloc[0] + 0.2
    assert fitted.metrics["valid_psnr"] == psnr.iloc[-1]
    assert [file.name for file in tmp_path.rglob("*.ckpt")] == ["stage0.ckpt"]


@pytest.mark.parametrize("limit", [0, 0.1])
def test_half_precision_learns_what_single_precision_does(train: Train, pairs: PicturePairs, limit: float) -> None:
    single, half = (
        train(Restoration(pairs, plan), plan, plan.precision)
        for plan in (training(40, precision=precision, gradient_clip=limit) for precision in ("fp32", "bf16"))
    )
    assert difference(single, half) > 0
    assert half.history["train_loss"].tolist() == pytest.approx(single.history["train_loss"].tolist(), rel=0.02)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(train: Train, pairs: PicturePairs) -> None:
    plan = training()
    first, second = (train(Restoration(pairs, plan), plan, folder) for folder in ("a", "b"))
    assert difference(first, second) == 0
    assert first.history["train_loss"].tolist() == second.history["train_loss"].tolist()
    assert difference(first, train(Restoration(pairs, plan), plan, "c", seed=4)) > 0


def test_stages_follow_one_another(train: Train, pairs: PicturePairs, tmp_path: Path) -> None:
    plan = training(6, 4)
    fitted = train(Restoration(pairs, plan), plan)
    assert sorted(file.name for file in tmp_path.rglob("*.ckpt")) == ["stage0.ckpt", "stage1.ckpt"]
    assert fitted.history["train_loss"].dropna().index.size == 10
    assert fitted.history["step"].tolist() == list(range(10))
    second = torch.load(tmp_path / "a" / "stage1.ckpt", weights_only=False)
    assert second["global_step"] == 4
    alone = training(6)
    assert difference(fitted, train(Restoration(pairs, alone), alone, "b")) > 0


def test_each_term_of_each_stages_loss_is_in_the_history(train: Train, pairs: PicturePairs) -> None:
    losses: list[list[dict[str, Any]]] = [[{"l1": 1.0}], [{"l1": 1.0}, {"feature": 1.0}]]
    stages = [RestorationStage(size=24, batch_size=2, steps=2, lr=1e-3, loss=loss) for loss in losses]
    plan = training(stages=stages)
    history = train(Restoration(pairs, plan), plan).history
    terms = ["train_l1", *(f"train_{kind}_{number}" for kind in ("feature", "gram") for number in range(3))]
    first, second = history[history["step"] < 2], history[(history["step"] >= 2) & history["train_loss"].notna()]
    assert first[terms].isna().all(axis=None)
    assert (second[terms] > 0).all(axis=None)
    assert second[terms].sum(axis=1).tolist() == pytest.approx(second["train_loss"].tolist(), rel=1e-4)


def test_two_processes_train_as_one_does(train: Train, pairs: PicturePairs) -> None:
    plan = training(8, 4)
    alone = train(Restoration(pairs, plan), plan, "alone")
    shared = training(8, 4, devices=2)
    together = train(Restoration(pairs, shared), shared, "together")
    # The same crops in the same steps; the gradients of the halves are averaged, which rounds otherwise.
    assert together.history["step"].tolist() == alone.history["step"].tolist()
    assert together.history["train_loss"].tolist() == pytest.approx(alone.history["train_loss"].tolist(), rel=1e-3)
    assert together.history["valid_psnr"].dropna().tolist() == pytest.approx(
        alone.history["valid_psnr"].dropna().tolist(), abs=0.01
    )
    assert difference(alone, together) < 1e-3
    assert together.metrics["images_per_second"] > 0


def test_more_devices_than_there_are_is_a_mistake(
    train: Train, pairs: PicturePairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "devices", lambda: 2)
    plan = RestorationTraining.model_validate(
        {"stages": [RestorationStage(size=24, batch_size=64, steps=1)], "devices": 64}
    )
    with pytest.raises(UserError, match=r"training\.devices: 64 are asked for, and this machine has 2"):
        train(Restoration(pairs, plan), plan)


def test_a_mistake_in_another_process_is_told_as_in_this_one(train: Train, pairs: PicturePairs) -> None:
    plan = training(4, devices=2, stages=[RestorationStage(size=24, batch_size=4, steps=20, lr=1e30)])
    with pytest.raises(UserError, match=r"^training\.stages\.0: the training diverged"):
        train(Restoration(pairs, plan), plan)


def test_what_is_delivered_is_the_moving_average(train: Train, pairs: PicturePairs) -> None:
    raw = train(Restoration(pairs, training(ema=0)), training(ema=0), "raw")
    averaged = train(Restoration(pairs, training()), training(), "averaged")
    slow = train(Restoration(pairs, training(ema=0.999)), training(ema=0.999), "slow")
    assert difference(raw, averaged) > 1e-4
    tail = [float(fitted.state["tail.weight"].norm()) for fitted in (raw, averaged, slow)]
    # The tail starts at zero, and the slower the average, the nearer it still is.
    assert tail[0] > tail[1] > tail[2] > 0


@pytest.mark.parametrize(("at", "precision"), [(1, "fp32"), (5, "fp32"), (5, "bf16"), (STEPS - 1, "fp32")])
def test_an_interrupted_training_ends_where_the_uninterrupted_one_does(
    train: Train, pairs: PicturePairs, tmp_path: Path, at: int, precision: str
) -> None:
    plan = training(precision=precision)
    whole = train(Restoration(pairs, plan), plan, "whole")
    with pytest.raises(KeyboardInterrupt):
        train(Restoration(pairs, plan, stumble=(0, at)), plan, "cut")
    stopped = torch.load(tmp_path / "cut" / "stage0.ckpt", weights_only=False)
    assert stopped["global_step"] == at
    resumed = train(Restoration(pairs, plan), plan, "cut")
    assert difference(whole, resumed) == 0
    # A mean over a picture may differ in its last bit: its sums run over memory that lies elsewhere.
    pd.testing.assert_frame_equal(resumed.history, whole.history, rtol=1e-6)


def test_an_interrupted_training_leaves_no_settings_behind(train: Train, pairs: PicturePairs) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Restoration(pairs, training(), stumble=(0, 1)), training())
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_a_training_that_is_interrupted_in_its_second_stage_goes_on_there(train: Train, pairs: PicturePairs) -> None:
    plan = training(6, 6)
    whole = train(Restoration(pairs, plan), plan, "whole")
    with pytest.raises(KeyboardInterrupt):
        train(Restoration(pairs, plan, stumble=(1, 3)), plan, "cut")
    resumed = train(Restoration(pairs, plan), plan, "cut")
    # What a network is loaded from lies elsewhere in memory, which changes the order of some sums.
    assert difference(whole, resumed) < 1e-6
    assert resumed.history["step"].tolist() == whole.history["step"].tolist()
    assert resumed.history["train_loss"].tolist() == pytest.approx(whole.history["train_loss"].tolist(), abs=1e-6)


def test_a_killed_training_ends_where_the_uninterrupted_one_does(
    train: Train, pairs: PicturePairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uncrappify.training.fit.CHECKPOINT_EVERY", timedelta(0))
    plan = training()
    task = Restoration(pairs, plan)
    monkeypatch.setattr(
        task, "batches", lambda stage, seed: Copying(RestorationTask.batches(task, stage, seed), 7, tmp_path / "whole")
    )
    whole = train(task, plan, "whole")
    left = torch.load(tmp_path / "killed" / "stage0.ckpt", weights_only=False)
    assert left["global_step"] == 7
    resumed = train(Restoration(pairs, plan), plan, "killed")
    assert difference(whole, resumed) == 0
    # A mean over a picture may differ in its last bit: its sums run over memory that lies elsewhere.
    pd.testing.assert_frame_equal(resumed.history, whole.history, rtol=1e-6)


def test_a_training_that_is_interrupted_before_its_first_step_starts_again(train: Train, pairs: PicturePairs) -> None:
    plan = training(4)
    with pytest.raises(KeyboardInterrupt):
        train(Restoration(pairs, plan, stumble=(0, 0)), plan, "cut")
    assert len(train(Restoration(pairs, plan), plan, "cut").history) == 4


@pytest.mark.parametrize("kind", [StumblingStep, StumblingValidation])
def test_an_interrupt_in_the_middle_of_a_step_or_a_validation_loses_nothing(
    train: Train, pairs: PicturePairs, tmp_path: Path, kind: type[Restoration]
) -> None:
    plan = training()
    whole = train(Restoration(pairs, plan), plan, "whole")
    with pytest.raises(KeyboardInterrupt):
        train(kind(pairs, plan), plan, "cut")
    resumed = train(Restoration(pairs, plan), plan, "cut")
    finished = torch.load(tmp_path / "cut" / "stage0.ckpt", weights_only=False)
    assert finished["global_step"] == STEPS
    assert difference(whole, resumed) == 0
    assert resumed.history["train_loss"].tolist() == whole.history["train_loss"].tolist()


def test_a_finished_training_is_taken_from_its_checkpoints(train: Train, pairs: PicturePairs) -> None:
    plan = training(6, 4)
    first = train(Restoration(pairs, plan), plan)
    again = Restoration(pairs, plan, stumble=(1, 0))
    second = train(again, plan)
    assert difference(first, second) == 0
    assert first.history.equals(second.history)
    assert second.metrics["train_seconds"] == first.metrics["train_seconds"]


def test_another_fingerprint_starts_afresh(train: Train, pairs: PicturePairs, tmp_path: Path) -> None:
    plan = training(6)
    first = train(Restoration(pairs, plan), plan)
    (tmp_path / "a" / "stranger.txt").touch()
    second = train(Restoration(pairs, plan), plan, fingerprint="2", seed=4)
    assert not (tmp_path / "a" / "stranger.txt").exists()
    assert difference(first, second) > 0
    assert len(second.history) == 6


def test_the_clock_adds_up(train: Train, pairs: PicturePairs, tmp_path: Path) -> None:
    plan = training(5, 5)
    with pytest.raises(KeyboardInterrupt):
        train(Restoration(pairs, plan, stumble=(1, 3)), plan)
    metrics = train(Restoration(pairs, plan), plan).metrics
    clocks = [
        torch.load(tmp_path / "a" / f"stage{number}.ckpt", weights_only=False)["callbacks"]["Clock"]
        for number in (0, 1)
    ]
    assert [len(clock["step_seconds"]) for clock in clocks] == [5, 5]
    assert metrics["train_seconds"] == pytest.approx(sum(clock["seconds"] for clock in clocks))
    in_steps = sum(sum(clock["step_seconds"]) for clock in clocks)
    assert 0 < in_steps <= metrics["train_seconds"]
    waited = sum(clock["seconds_waited"] for clock in clocks)
    assert metrics["data_wait_share"] == pytest.approx(waited / in_steps)
    assert 0 < metrics["data_wait_share"] < 1
    rates = sorted(4 / seconds for clock in clocks for seconds in clock["step_seconds"])
    assert metrics["images_per_second"] == pytest.approx((rates[4] + rates[5]) / 2)
    assert metrics["peak_memory_mb"] > 50


def test_training_needs_no_validation(train: Train, pairs: PicturePairs) -> None:
    plan = training(4)
    task = Restoration(pairs, plan)
    task.valid = PicturePairs({}, {}, [], 3, 0)
    fitted = train(task, plan)
    assert not [name for name in fitted.metrics if name.startswith("valid")]
    assert len(fitted.history) == 4


def test_finding_a_learning_rate_leaves_the_weights_as_they_were(pairs: PicturePairs, tmp_path: Path) -> None:
    plan = training()
    task = Restoration(pairs, plan)
    before = {name: tensor.clone() for name, tensor in task.network.state_dict().items()}
    found = find_learning_rate(task, plan, 3, tmp_path)
    after = task.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert len(found.rates) == len(found.losses)
    assert found.rates == sorted(found.rates)
    assert found.rates[0] < found.steepest < found.rates[-1]
    assert min(found.losses) < found.losses[0]
    assert list(tmp_path.iterdir()) == []
