"""Training learns, is the same every time, and goes on where it stopped."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from uncrappify.datasets import PicturePairs, TrainedModel, TrainingRun
from uncrappify.errors import UserError
from uncrappify.learners.restoration import RestorationData, RestorationLearner
from uncrappify.training import fit as fitting
from uncrappify.training import hardware
from uncrappify.training.fit import Fitted, find_learning_rate
from uncrappify.training.history import History
from uncrappify.training.learner import Best
from uncrappify.training.parameters import RestorationStage, RestorationTraining

pytestmark = pytest.mark.usefixtures("one_thread")
STEPS, SEED = 12, 3


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
    """Two different pictures to watch, of which the second may raise when they are gone through."""

    def __init__(self, batches: list[Any], at: int) -> None:
        (batch,) = batches
        self.batches, self.at, self.passes = [batch, [part // 2 for part in batch]], at, 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        yield self.batches[0]
        if self.passes == self.at:
            raise KeyboardInterrupt
        yield self.batches[1]


class StumblingData(RestorationData):
    """Is interrupted at a step of a stage."""

    stage, step = 0, 0

    def batches(self, stage: RestorationStage, seed: int) -> Any:
        batches = super().batches(stage, seed)
        # The seed counts the stages.
        return Stumbling(batches, self.step) if seed == SEED + self.stage else batches


class StumblingLearner(RestorationLearner):
    """Is told to stop, as by Ctrl-C, at a place of its sixth step or of the validation after it; keeps the best."""

    best = Best("valid_psnr")
    place, passes = "", 0

    def training_step(self, *given: Any) -> Tensor:
        self._pass("training_step")
        return super().training_step(*given)

    def optimizer_step(self, *given: Any, **named: Any) -> None:
        super().optimizer_step(*given, **named)
        self._pass("optimizer_step")

    def lr_scheduler_step(self, *given: Any) -> None:
        super().lr_scheduler_step(*given)
        self._pass("lr_scheduler_step")

    def on_train_batch_end(self, *_: Any) -> None:
        self._pass("on_train_batch_end")

    def on_validation_start(self) -> None:
        self._pass("on_validation_start")

    def validation_step(self, *given: Any) -> None:
        super().validation_step(*given)
        self._pass("validation_step")

    def on_validation_epoch_end(self) -> None:
        self._pass("on_validation_epoch_end")

    def on_validation_end(self) -> None:
        self._pass("on_validation_end")

    def _pass(self, place: str) -> None:
        self.passes += place == self.place
        if place == self.place and self.passes == 6:
            signal.raise_signal(signal.SIGINT)


PLACES = [
    "training_step",
    "optimizer_step",
    "lr_scheduler_step",
    "on_train_batch_end",
    "on_validation_start",
    "validation_step",
    "on_validation_epoch_end",
    "on_validation_end",
]


class StumblingValidation(RestorationData):
    """Is interrupted in the middle of a validation."""

    at = 2

    def validation(self) -> Any:
        return StumblingInValidation(list(super().validation() or []), self.at)


Train = Callable[..., Fitted]
Stumble = Callable[[RestorationTraining, int, int], RestorationData]


@pytest.fixture
def stumble(make_data: Callable[..., RestorationData]) -> Stumble:
    """Make data that are interrupted at a step of a stage."""

    def make(plan: RestorationTraining, stage: int, step: int) -> RestorationData:
        return make_data(plan, type("Data", (StumblingData,), {"stage": stage, "step": step}))

    return make


@pytest.fixture
def make_stumbling(make_learner: Callable[..., Any]) -> Callable[[str], StumblingLearner]:
    """Make a learner that is told to stop at a place, or at none of that name."""

    def make(place: str) -> StumblingLearner:
        learner: StumblingLearner = make_learner(training(), StumblingLearner)
        learner.place = place
        return learner

    return make


def checkpoint(folder: Path, stage: int = 0) -> dict[str, Any]:
    read: dict[str, Any] = torch.load(folder / "checkpoints" / f"stage{stage}.ckpt", weights_only=True)
    return read


def position(folder: Path, stage: int = 0) -> int:
    """How many batches a checkpoint has seen."""
    return int(checkpoint(folder, stage)["callbacks"]["Clock"]["position"])


def difference(first: Fitted, second: Fitted) -> float:
    mine, theirs = first.model.state, second.model.state
    assert mine.keys() == theirs.keys()
    return max(float((mine[name] - theirs[name]).abs().max()) for name in mine)


def test_the_loss_falls_and_pictures_get_better(
    train: Train, make_data: Callable[..., RestorationData], tmp_path: Path
) -> None:
    plan = training(100, ema=0, augment=[], variants=0)
    data = make_data(plan)
    data.valid = data.train
    fitted = train(plan, data=data)
    losses = fitted.history["train_loss"].dropna()
    assert losses.tail(20).mean() < 0.9 * losses.head(20).mean()
    psnr = fitted.history["valid_psnr"].dropna()
    assert len(psnr) == 10
    assert psnr.iloc[-1] > psnr.iloc[0] + 0.2
    assert fitted.metrics["valid_psnr"] == psnr.iloc[-1]
    assert [file.name for file in tmp_path.rglob("*.ckpt")] == ["stage0.ckpt"]


@pytest.mark.parametrize("limit", [0, 0.1])
def test_half_precision_learns_what_single_precision_does(train: Train, limit: float) -> None:
    single, half = (
        train(training(40, precision=precision, gradient_clip=limit), precision) for precision in ("fp32", "bf16")
    )
    assert difference(single, half) > 0
    assert half.history["train_loss"].tolist() == pytest.approx(single.history["train_loss"].tolist(), rel=0.02)


def test_a_limit_of_the_gradient_slows_the_weights_down(train: Train) -> None:
    # AdamW divides by the size of the gradient, so that only what it remembers of smaller ones tells the two apart.
    free, limited = (train(training(gradient_clip=limit, ema=0), str(limit)) for limit in (0, 1e-6))
    assert difference(free, limited) > 1e-4
    assert float(limited.model.state["tail.weight"].abs().max()) < float(free.model.state["tail.weight"].abs().max())


def test_the_same_seed_gives_the_same_weights_bit_for_bit(train: Train) -> None:
    plan = training()
    first, second = (train(plan, folder) for folder in ("a", "b"))
    assert difference(first, second) == 0
    assert first.history["train_loss"].tolist() == second.history["train_loss"].tolist()
    assert difference(first, train(plan, "c", seed=4)) > 0


def test_stages_follow_one_another(train: Train, tmp_path: Path) -> None:
    plan = training(6, 4)
    fitted = train(plan)
    assert sorted(file.name for file in tmp_path.rglob("*.ckpt")) == ["stage0.ckpt", "stage1.ckpt"]
    assert fitted.history["train_loss"].dropna().index.size == 10
    assert fitted.history["step"].tolist() == list(range(10))
    assert position(tmp_path / "a", 1) == 4
    alone = training(6)
    assert difference(fitted, train(alone, "b")) > 0


def test_each_term_of_each_stages_loss_is_in_the_history(train: Train) -> None:
    losses: list[list[dict[str, Any]]] = [[{"l1": 1.0}], [{"l1": 1.0}, {"feature": 1.0}]]
    stages = [RestorationStage(size=24, batch_size=2, steps=2, lr=1e-3, loss=loss) for loss in losses]
    plan = training(stages=stages)
    history = train(plan).history
    terms = ["train_l1", *(f"train_{kind}_{number}" for kind in ("feature", "gram") for number in range(3))]
    first, second = history[history["step"] < 2], history[(history["step"] >= 2) & history["train_loss"].notna()]
    assert first[terms].isna().all(axis=None)
    assert (second[terms] > 0).all(axis=None)
    assert second[terms].sum(axis=1).tolist() == pytest.approx(second["train_loss"].tolist(), rel=1e-4)


def test_more_devices_than_there_are_is_a_mistake(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "devices", lambda: 2)
    plan = RestorationTraining.model_validate(
        {"stages": [RestorationStage(size=24, batch_size=64, steps=1)], "devices": 64}
    )
    with pytest.raises(UserError, match=r"training\.devices: 64 are asked for, and this machine has 2"):
        train(plan)


def test_a_mistake_in_another_process_is_told_as_in_this_one(train: Train) -> None:
    plan = training(4, devices=2, stages=[RestorationStage(size=24, batch_size=4, steps=20, lr=1e30)])
    with pytest.raises(
        UserError, match=r"^training\.stages\.0: the training of a diverged, its loss at step \d+, with a"
    ):
        train(plan)


def test_what_is_delivered_is_the_moving_average(train: Train) -> None:
    raw = train(training(ema=0), "raw")
    averaged = train(training(), "averaged")
    slow = train(training(ema=0.999), "slow")
    assert difference(raw, averaged) > 1e-4
    tail = [float(fitted.model.state["tail.weight"].norm()) for fitted in (raw, averaged, slow)]
    # The tail starts at zero, and the slower the average, the nearer it still is.
    assert tail[0] > tail[1] > tail[2] > 0


@pytest.mark.parametrize(("at", "precision"), [(1, "fp32"), (5, "bf16"), (STEPS - 1, "fp32")])
def test_an_interrupted_training_ends_where_the_uninterrupted_one_does(
    train: Train, stumble: Stumble, tmp_path: Path, at: int, precision: str
) -> None:
    plan = training(precision=precision)
    whole = train(plan, "whole")
    with pytest.raises(KeyboardInterrupt):
        train(plan, "cut", data=stumble(plan, 0, at))
    assert position(tmp_path / "cut") == at
    resumed = train(plan, "cut")
    assert difference(whole, resumed) == 0
    # A mean over a picture may differ in its last bit: its sums run over memory that lies elsewhere.
    pd.testing.assert_frame_equal(resumed.history, whole.history, rtol=1e-6)


def test_an_interrupted_training_leaves_no_settings_behind(train: Train, stumble: Stumble) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(training(), data=stumble(training(), 0, 1))
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_a_training_that_is_interrupted_in_its_second_stage_goes_on_there(train: Train, stumble: Stumble) -> None:
    plan = training(6, 6)
    whole = train(plan, "whole")
    with pytest.raises(KeyboardInterrupt):
        train(plan, "cut", data=stumble(plan, 1, 3))
    resumed = train(plan, "cut")
    # What a network is loaded from lies elsewhere in memory, which changes the order of some sums.
    assert difference(whole, resumed) < 1e-6
    assert resumed.history["step"].tolist() == whole.history["step"].tolist()
    assert resumed.history["train_loss"].tolist() == pytest.approx(whole.history["train_loss"].tolist(), abs=1e-6)


def test_a_killed_training_ends_where_the_uninterrupted_one_does(
    train: Train, make_data: Callable[..., RestorationData], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "CHECKPOINT_EVERY", 0)
    plan = training()
    data = make_data(plan)
    monkeypatch.setattr(
        data, "batches", lambda stage, seed: Copying(RestorationData.batches(data, stage, seed), 7, tmp_path / "whole")
    )
    whole = train(plan, "whole", data=data)
    assert position(tmp_path / "killed") == 6
    resumed = train(plan, "killed")
    assert difference(whole, resumed) == 0
    # A mean over a picture may differ in its last bit: its sums run over memory that lies elsewhere.
    pd.testing.assert_frame_equal(resumed.history, whole.history, rtol=1e-6)


def test_a_training_that_is_interrupted_before_its_first_step_starts_again(train: Train, stumble: Stumble) -> None:
    plan = training(4)
    with pytest.raises(KeyboardInterrupt):
        train(plan, "cut", data=stumble(plan, 0, 0))
    assert len(train(plan, "cut").history) == 4


@pytest.mark.parametrize("place", PLACES)
def test_a_stop_loses_nothing_at_whatever_place_of_a_step_or_a_validation_it_is_asked_for(
    train: Train, make_stumbling: Callable[[str], StumblingLearner], tmp_path: Path, place: str
) -> None:
    plan = training()
    whole = train(plan, "whole", learner=make_stumbling("nowhere"))
    with pytest.raises(KeyboardInterrupt):
        train(plan, "cut", learner=make_stumbling(place))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert position(tmp_path / "cut") == 6
    resumed = train(plan, "cut", learner=make_stumbling("nowhere"))
    assert position(tmp_path / "cut") == STEPS
    assert difference(whole, resumed) == 0
    pd.testing.assert_frame_equal(resumed.history, whole.history, rtol=1e-6)


def test_a_validation_that_was_interrupted_is_done_from_its_beginning(
    train: Train, make_data: Callable[..., Any], tmp_path: Path
) -> None:
    plan = training()

    def stumbling(at: int) -> StumblingValidation:
        data: StumblingValidation = make_data(plan, StumblingValidation)
        data.at = at
        return data

    whole = train(plan, "whole", data=stumbling(0))
    with pytest.raises(KeyboardInterrupt):
        train(plan, "cut", data=stumbling(2))
    assert position(tmp_path / "cut") == 2
    resumed = train(plan, "cut", data=stumbling(0))
    assert difference(whole, resumed) == 0
    pd.testing.assert_frame_equal(resumed.history, whole.history, rtol=1e-6)


def test_a_step_that_fails_halfway_is_no_part_of_a_checkpoint(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = training()
    whole = train(plan, "whole")
    with monkeypatch.context() as patched:
        patched.setattr(RestorationLearner, "lr_scheduler_step", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(plan, "cut")
    assert not list((tmp_path / "cut").rglob("*.ckpt"))
    assert difference(whole, train(plan, "cut")) == 0


def test_a_training_that_is_killed_before_a_step_is_logged_logs_it_when_it_goes_on(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "CHECKPOINT_EVERY", 0)
    plan, log_metrics = training(), History.log_metrics

    def copying(history: History, metrics: Any, step: int | None = None) -> None:
        if "train_loss" in metrics and step == 6 and not (tmp_path / "killed").exists():
            shutil.copytree(tmp_path / "whole", tmp_path / "killed")
        log_metrics(history, metrics, step)

    monkeypatch.setattr(History, "log_metrics", copying)
    whole = train(plan, "whole")
    resumed = train(plan, "killed")
    assert difference(whole, resumed) == 0
    pd.testing.assert_frame_equal(resumed.history, whole.history, rtol=1e-6)


def test_a_training_that_is_interrupted_in_a_step_and_killed_later_watches_the_same_steps(
    train: Train,
    make_data: Callable[..., RestorationData],
    make_stumbling: Callable[[str], StumblingLearner],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitting, "CHECKPOINT_EVERY", 0)
    plan = training(20)
    whole = train(plan, "whole", learner=make_stumbling("nowhere"))
    with pytest.raises(KeyboardInterrupt):
        train(plan, "cut", learner=make_stumbling("training_step"))
    data = make_data(plan)
    monkeypatch.setattr(
        data, "batches", lambda stage, seed: Copying(RestorationData.batches(data, stage, seed), 9, tmp_path / "cut")
    )
    train(plan, "cut", data=data, learner=make_stumbling("nowhere"))
    assert position(tmp_path / "killed") == 8
    resumed = train(plan, "killed", learner=make_stumbling("nowhere"))
    assert difference(whole, resumed) == 0
    pd.testing.assert_frame_equal(resumed.history, whole.history, rtol=1e-6)


def test_what_is_trained_is_not_trained_again(train: Train, stumble: Stumble, tmp_path: Path) -> None:
    plan = training(6, 4)
    first = train(plan)
    second = train(plan, data=stumble(plan, 1, 0))
    assert difference(first, second) == 0
    assert first.history.equals(second.history)
    assert second.metrics == first.metrics
    assert TrainingRun(tmp_path / "a", tmp_path).state.finished


@pytest.mark.parametrize("other", ["seed", "pictures", "training", "weights to start from", "layer", "class", "buffer"])
def test_another_fingerprint_starts_afresh(
    train: Train,
    make_data: Callable[..., Any],
    make_learner: Callable[..., Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    other: str,
) -> None:
    plan = training(2)
    first = train(plan)
    stranger = tmp_path / "a" / "checkpoints" / "stranger.txt"
    stranger.touch()
    data, options = make_data(plan), {}
    if other == "seed":
        options["seed"] = 4
    elif other == "pictures":
        data.fingerprint = "others"
    elif other == "training":
        plan = training(2, weight_decay=0.5)
    elif other in ("layer", "class", "buffer"):
        options["learner"] = make_learner(plan)
        network = options["learner"].network
        if other == "layer":
            network.more = torch.nn.Linear(1, 1)
        elif other == "class":
            network.body[0].body[1] = torch.nn.GELU()
        else:
            network.register_buffer("more", torch.zeros(1), persistent=False)
    else:
        options["ancestor"] = TrainedModel(make_learner(plan, seed=1).network.state_dict(), first.model.description)
    with caplog.at_level("INFO", "uncrappify"):
        second = train(plan, data=data, **options)
    assert "other data, parameters or code of the network; the training starts anew" in caplog.text
    assert not stranger.exists()
    assert len(second.history) == 2


@pytest.mark.parametrize("broken", ["half", "empty", "garbage", "another object"])
def test_a_broken_checkpoint_costs_its_stage_alone(
    train: Train, stumble: Stumble, tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    plan = training(3, 4)
    whole = train(plan, "whole")
    with pytest.raises(KeyboardInterrupt):
        train(plan, "cut", data=stumble(plan, 1, 2))
    file = tmp_path / "cut/checkpoints/stage1.ckpt"
    content = file.read_bytes()
    if broken == "another object":
        torch.save({"state_dict": {}}, file)
    else:
        file.write_bytes({"half": content[: len(content) // 2], "empty": b"", "garbage": b"x" * 1000}[broken])
    first = (tmp_path / "cut/checkpoints/stage0.ckpt").stat().st_mtime_ns
    resumed = train(plan, "cut")
    assert [line.endswith("stage 1 starts from its beginning") for line in caplog.messages if "stage1" in line] == [
        True
    ]
    assert (tmp_path / "cut/checkpoints/stage0.ckpt").stat().st_mtime_ns == first
    # What a network is loaded from lies elsewhere in memory, which changes the order of some sums.
    assert difference(whole, resumed) < 1e-6
    assert resumed.history["step"].tolist() == whole.history["step"].tolist()


def test_checkpoints_are_written_where_they_stay(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "system").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "system"))
    monkeypatch.setattr(fitting, "CHECKPOINT_EVERY", 0)
    opened: list[str] = []
    sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
    train(training(3))
    assert not [name for name in opened if name.startswith(str(tmp_path / "system"))]
    assert sorted(path.name for path in (tmp_path / "a/checkpoints").iterdir()) == ["history.jsonl", "stage0.ckpt"]


def test_the_clock_adds_up(train: Train, stumble: Stumble, tmp_path: Path) -> None:
    plan = training(5, 5)
    with pytest.raises(KeyboardInterrupt):
        train(plan, data=stumble(plan, 1, 3))
    metrics = train(plan).metrics
    clocks = [checkpoint(tmp_path / "a", number)["callbacks"]["Clock"] for number in (0, 1)]
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


def test_training_needs_no_validation(train: Train, make_data: Callable[..., RestorationData]) -> None:
    plan = training(4)
    data = make_data(plan)
    data.valid = PicturePairs({}, {}, [], 3, 0)
    fitted = train(plan, data=data)
    assert not [name for name in fitted.metrics if name.startswith("valid")]
    assert len(fitted.history) == 4


class StoppingEarly(RestorationLearner):
    """Stops when a validation is no better than the one before, which at once is so; keeps the first."""

    best = Best("valid_psnr")

    def configure_callbacks(self) -> list[Any]:
        return [EarlyStopping("valid_loss", mode="max", patience=1, check_on_train_epoch_end=False)]


def test_a_stage_may_stop_early_and_the_best_is_delivered_with_its_metrics(
    train: Train, make_learner: Callable[..., Any], stumble: Stumble, tmp_path: Path
) -> None:
    plan = training(12, 4, ema=0)
    first = train(plan, learner=make_learner(plan, StoppingEarly))
    # Validated after each step: the second validation is not worse, which is what this one waits for.
    assert position(tmp_path / "a", 0) < 12
    assert first.history["step"].max() == 12 + position(tmp_path / "a", 1) - 1
    watched = first.history[first.history["stage"] == 1]["valid_psnr"].dropna()
    assert first.metrics["valid_psnr"] == watched.min() < watched.max()
    again = train(plan, learner=make_learner(plan, StoppingEarly), data=stumble(plan, 1, 0))
    assert difference(first, again) == 0


def test_epochs_are_passes_over_the_pictures(train: Train) -> None:
    # Three pictures in batches of two: the fifth batch would begin a fourth pass.
    stage = RestorationStage(size=24, batch_size=2, epochs=3, lr=1e-3)
    assert train(training(stages=[stage])).history["step"].max() == 3


def test_a_training_without_stages_passes_on_what_it_starts_from(
    train: Train, make_learner: Callable[..., RestorationLearner], description: Any
) -> None:
    plan = training(stages=[])
    state = {name: tensor.clone() for name, tensor in make_learner(plan, seed=1).network.state_dict().items()}
    ancestor = TrainedModel(state, description.model_copy(update={"run_id": "r1"}))
    fitted = train(plan, ancestor=ancestor)
    assert all(torch.equal(tensor, state[name]) for name, tensor in fitted.model.state.items())
    assert fitted.model.description.ancestor.run_id == "r1"
    assert fitted.model.description.ancestor.fingerprint == ancestor.fingerprint
    assert fitted.metrics == {"train_seconds": 0}
    assert (len(fitted.history), len(fitted.curves.data)) == (0, 0)
    assert fitted.layers["parameters"].sum() == sum(tensor.numel() for tensor in state.values())


def test_a_training_starts_where_its_ancestor_ended(train: Train, caplog: pytest.LogCaptureFixture) -> None:
    plan = training(1, ema=0)
    plan = plan.model_copy(update={"stages": [plan.stages[0].model_copy(update={"lr": 1e-12})]})
    ancestor = train(training(8), "first").model
    other = ancestor.description.model_copy(update={"recipe": [{"resize": {"factor": 3}}]})
    with caplog.at_level("INFO", "uncrappify"):
        second = train(plan, "second", ancestor=TrainedModel(ancestor.state, other)).model
    moved = max(float((ancestor.state[name] - tensor).abs().max()) for name, tensor in second.state.items())
    assert moved < 1e-6
    assert [line for line in caplog.messages if line == "second starts from a model with other recipe"]


def test_weights_of_another_network_are_refused(train: Train, description: Any) -> None:
    other = description.model_copy(update={"options": {**description.options, "channels": 4}})
    with pytest.raises(
        UserError, match=r"^a: the weights to start from .* another network \(channels 4 instead of 8\)"
    ):
        train(training(1), ancestor=TrainedModel({}, other))


def test_the_table_of_layers_has_shapes_and_what_learns(train: Train) -> None:
    layers = train(training(1)).layers.set_index("layer")
    assert layers.loc["head"].tolist() == ["Conv2d", "[1, 8, 8, 8]", 224, 224]
    assert layers.loc["tail", "output"] == "[1, 27, 8, 8]"
    assert layers["parameters"].sum() == 224 + 2 * 584 + 1971
    # Leaves alone: a block is the sum of its layers.
    assert "body" not in layers.index


def test_finding_a_learning_rate_leaves_the_weights_as_they_were(
    make_data: Callable[..., RestorationData], make_learner: Callable[..., RestorationLearner], tmp_path: Path
) -> None:
    plan = training()
    learner, run = make_learner(plan), TrainingRun(tmp_path / "a", tmp_path)
    before = {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}
    plot, rate = find_learning_rate(learner, make_data(plan), plan, plan.stages[0], run)
    after = learner.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert rate is None or 1e-5 < rate < 1
    assert plot.width > 300
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_learning_rate_is_found_for_one_optimizer_alone(
    make_data: Callable[..., RestorationData], make_learner: Callable[..., RestorationLearner], tmp_path: Path
) -> None:
    plan = training()
    learner = make_learner(plan)
    learner.automatic_optimization = False
    with pytest.raises(UserError, match=r"training\.lr_find: a is trained by several optimizers"):
        find_learning_rate(learner, make_data(plan), plan, plan.stages[0], TrainingRun(tmp_path / "a", tmp_path))
