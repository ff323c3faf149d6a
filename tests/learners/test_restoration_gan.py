"""A generator and a critic take turns, go on where they stopped, and never ruin what was good before."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from uncrappify.datasets import PicturePairs, RestorationDescription, TrainingRun
from uncrappify.degradations import Recipe
from uncrappify.learners.restoration import RestorationData
from uncrappify.learners.restoration_gan import RestorationGan
from uncrappify.learners.turns import Turns
from uncrappify.losses.adversarial import BCE, R3, Objective
from uncrappify.models import build
from uncrappify.training import collapse
from uncrappify.training.fit import Fitted, fit
from uncrappify.training.parameters import GanStage, GanTraining

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = {"scale": 3, "channels": 4, "blocks": 1}
DESCRIPTION = RestorationDescription(model="upscaler", options=OPTIONS, scale=3, recipe=[])


def plan(steps: int = 8, **changes: Any) -> GanTraining:
    stage = {"size": 48, "batch_size": 2, "steps": steps, "loss": [{"l1": 1.0}]} | changes.pop("stage", {})
    given = {"stages": [stage], "ema": 0.5, "precision": "fp32", "variants": 0}
    return GanTraining.model_validate(given | changes)


def make_learner(training: GanTraining, objective: Objective | None = None) -> RestorationGan:
    torch.manual_seed(0)
    norm = "none" if isinstance(objective, R3) else "spectral"
    critic = build(
        "critic", "patches", {"channels": 4, "blocks": 2, "norm": norm, "dropout": 0, "self_attention": False}
    )
    generator = build("restoration", "upscaler", OPTIONS)
    samples = [(torch.zeros(3, 16, 20, dtype=torch.uint8), torch.zeros(3, 48, 60, dtype=torch.uint8))]
    return RestorationGan(generator, critic, objective or BCE(), training, samples)


class Stumbling(RestorationData):
    """Is interrupted at the fourth batch."""

    def batches(self, stage: Any, seed: int) -> Any:
        batches = super().batches(stage, seed)

        class Batches:
            workers = 0

            def __getitem__(self, step: int) -> Any:
                if step == 3:
                    raise KeyboardInterrupt
                return batches[step]

        return Batches()


Train = Callable[..., tuple[Fitted, RestorationGan]]


@pytest.fixture
def train(pairs: PicturePairs, tmp_path: Path) -> Train:
    def run(
        training: GanTraining,
        folder: str = "a",
        kind: type[RestorationData] = RestorationData,
        objective: Objective | None = None,
    ) -> tuple[Fitted, RestorationGan]:
        torch.manual_seed(0)
        train, valid = (
            PicturePairs(pairs.degraded, pairs.targets, names, 3, pairs.pixels) for names in (["a", "b", "c"], ["d"])
        )
        data = kind(train, valid, Recipe.model_validate([]), training, 0, "pictures")
        learner = make_learner(training, objective)
        place = TrainingRun(tmp_path / folder, tmp_path / folder / "snapshots")
        return fit(learner, data, training, seed=3, run=place, description=DESCRIPTION), learner

    return run


def turns_of(rules: GanTraining, errors: list[float]) -> str:
    """Play the turns of a critic that has these errors, and write down whose they are."""
    turns, played = Turns(rules), ""
    for error in errors:
        if turns.is_critics:
            played += "C"
            turns.end_critics(error)
        else:
            played += "G"
            turns.end_generators()
    return played


def test_fixed_turns_are_so_many_of_the_critic_for_one_of_the_generator() -> None:
    assert turns_of(plan(), [0.7] * 6) == "CGCGCG"
    assert turns_of(plan(fixed={"critic_steps": 3}), [0.7] * 8) == "CCCGCCCG"


def test_adaptive_turns_are_the_critics_until_it_is_good_enough_or_had_enough() -> None:
    rules = plan(strategy="adaptive", adaptive={"threshold": 0.65, "most_critic_steps": 3})
    assert turns_of(rules, [0.7, 0.64, 0, 0.64, 0, 0.7]) == "CCGCGC"
    assert turns_of(rules, [0.7] * 8) == "CCCGCCCG"


def test_whose_turn_it_is_goes_with_the_checkpoint() -> None:
    before, after = Turns(plan(fixed={"critic_steps": 2})), Turns(plan(fixed={"critic_steps": 2}))
    before.end_critics(0.7)
    after.load_state_dict(before.state_dict())
    after.end_critics(0.7)
    assert not after.is_critics


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    return any(not torch.equal(before[name], after[name]) for name in before if isinstance(before[name], Tensor))


@pytest.mark.parametrize("objective", [BCE(), R3()], ids=["bce", "r3"])
def test_a_turn_is_one_networks(train: Train, objective: Objective) -> None:
    start = make_learner(plan(), objective)
    _, one = train(plan(1, ema=0), "one", objective=objective)
    _, two = train(plan(2, ema=0), "two", objective=objective)
    assert changed(start.critic.state_dict(), one.critic.state_dict())
    assert not changed(start.network.state_dict(), one.network.state_dict())
    assert changed(one.network.state_dict(), two.network.state_dict()) or not two.may_deliver(
        {"valid_psnr": torch.tensor(0.0)}
    )
    parameters = dict(one.critic.named_parameters())
    assert all(torch.equal(value, parameters[name]) for name, value in two.critic.named_parameters())


def test_without_a_weight_the_critic_has_no_turns(train: Train) -> None:
    start = make_learner(plan())
    fitted, learner = train(plan(4, stage={"adversarial": 0}))
    assert not changed(start.critic.state_dict(), learner.critic.state_dict())
    assert "train_critic_loss" not in fitted.history
    assert fitted.history["train_loss"].notna().sum() == 4


@pytest.mark.parametrize("strategy", ["fixed", "adaptive"])
@pytest.mark.parametrize("objective", [BCE(), R3()], ids=["bce", "r3"])
def test_an_interrupted_training_ends_where_the_uninterrupted_one_does(
    train: Train, tmp_path: Path, strategy: str, objective: Objective
) -> None:
    rules = plan(strategy=strategy)
    whole, both = train(rules, "whole", objective=objective)
    with pytest.raises(KeyboardInterrupt):
        train(rules, "cut", Stumbling, objective)
    assert (tmp_path / "cut" / "checkpoints" / "stage0.ckpt").is_file()
    resumed, again = train(rules, "cut", objective=objective)
    for mine, theirs in (
        (whole.model.state, resumed.model.state),
        (both.critic.state_dict(), again.critic.state_dict()),
    ):
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    columns = ["step", "valid_psnr", "valid_texture_distance"]
    assert resumed.history[columns].dropna().equals(whole.history[columns].dropna())


def test_both_losses_and_their_terms_are_in_the_history(train: Train) -> None:
    fitted, _ = train(plan())
    history = fitted.history
    critic = history[["train_critic_real", "train_critic_fake"]].sum(axis=1)
    assert critic[history["train_critic_loss"].notna()].tolist() == pytest.approx(
        history["train_critic_loss"].dropna().tolist(), rel=1e-5
    )
    generator = history[["train_l1", "train_adversarial"]].sum(axis=1)
    assert generator[history["train_loss"].notna()].tolist() == pytest.approx(
        history["train_loss"].dropna().tolist(), rel=1e-5
    )
    assert {"lr", "lr_critic"} <= set(history)
    assert history["train_critic_accuracy"].dropna().between(0, 1).all()


def test_the_film_has_a_picture_of_the_start_and_of_each_validation(train: Train, tmp_path: Path) -> None:
    train(plan(8))
    steps = [int(file.stem) for file in TrainingRun(tmp_path / "a", tmp_path / "a" / "snapshots").film]
    assert steps == list(range(9))


def test_what_it_starts_from_is_delivered_where_nothing_later_is_as_near_to_it_as_asked_for(train: Train) -> None:
    rules = plan(8, stage={"lr": 0.05}, largest_loss=1e-6)
    fitted, _ = train(rules)
    start = make_learner(rules).network.state_dict()
    assert all(torch.equal(start[name], value) for name, value in fitted.model.state.items())


def test_the_nearest_texture_is_delivered(train: Train) -> None:
    fitted, _ = train(plan(8, stage={"lr": 1e-3}, largest_loss=100.0))
    distances = fitted.history["valid_texture_distance"].dropna()
    assert fitted.metrics["valid_texture_distance"] <= distances.min()


def test_a_critic_that_is_sure_for_long_ends_the_stage(
    train: Train, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collapse, "SURE", 100.0)
    monkeypatch.setattr(collapse, "PATIENCE", 3)
    with caplog.at_level(logging.WARNING):
        fitted, _ = train(plan(20))
    assert "collapsed at step 5: the critic's loss has been 0 for 3 of its turns" in caplog.text
    assert fitted.history["step"].max() <= 5


def test_a_loss_that_is_no_number_goes_back_to_the_best_generator(
    train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    rules = plan(20, stage={"lr": 1e30})
    with caplog.at_level(logging.WARNING):
        fitted, _ = train(rules)
    assert "collapsed" in caplog.text
    start = make_learner(rules).network.state_dict()
    assert all(torch.equal(start[name], value) for name, value in fitted.model.state.items())


def test_a_collapsed_training_is_not_trained_again(
    train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(collapse, "SURE", 100.0)
    monkeypatch.setattr(collapse, "PATIENCE", 3)
    first, _ = train(plan(20))
    again, _ = train(plan(20))
    assert again.history.equals(first.history)
    assert all(torch.equal(first.model.state[name], value) for name, value in again.model.state.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"devices": 2}, "networks that take turns stay on one device"),
        ({"stage": {"schedule": "one_cycle"}}, "keep their rates"),
    ],
)
def test_what_two_networks_cannot_do_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(**change)


def test_a_stage_with_the_constant_rate_is_the_default() -> None:
    assert GanStage(steps=1).schedule == "constant"
