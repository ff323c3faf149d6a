"""What is watched while training is what the evaluation would say."""

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from uncrappify.datasets import PicturePairs
from uncrappify.degradations import Recipe
from uncrappify.evaluation.metrics import psnr
from uncrappify.inference import predict_picture
from uncrappify.learners import restoration
from uncrappify.learners.restoration import RestorationData, RestorationLearner
from uncrappify.models import build
from uncrappify.training.parameters import RestorationStage, RestorationTraining


@pytest.fixture
def plan() -> RestorationTraining:
    stage = RestorationStage(size=24, batch_size=2, steps=100, lr=1e-2, loss=[{"l1": 1.0}, {"mse": 10.0}])
    return RestorationTraining(stages=[stage], variants=0)


@pytest.fixture
def learner(plan: RestorationTraining) -> RestorationLearner:
    torch.manual_seed(0)
    made = RestorationLearner(build("restoration", "upscaler", {"scale": 3, "channels": 4, "blocks": 1}), plan)
    made.begin(plan.stages[0])
    return made


@pytest.fixture
def data(pairs: PicturePairs, plan: RestorationTraining) -> RestorationData:
    return RestorationData(pairs, pairs, Recipe.model_validate([]), plan, 0)


def test_the_watched_psnr_is_the_evaluations(
    learner: RestorationLearner, data: RestorationData, pairs: PicturePairs
) -> None:
    torch.nn.init.normal_(learner.network.tail.weight, std=0.02)
    trainer = pl.Trainer(logger=False, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False)
    (measured,) = trainer.validate(learner, data.validation(), verbose=False)
    values = []
    for name in pairs.names:
        degraded, target = pairs[name]
        values.append(psnr(np.asarray(predict_picture(learner.network, degraded)), np.asarray(target)))
    assert measured["valid_psnr"] == pytest.approx(np.mean(values), abs=1e-3)


def test_validation_takes_the_middle_of_large_pictures(
    data: RestorationData, pairs: PicturePairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoration, "VALIDATION_SIDE", 30)
    monkeypatch.setattr(restoration, "VALIDATION_PICTURES", 2)
    batches = list(data.validation() or [])
    assert [(inputs.shape, targets.shape) for inputs, targets in batches] == [((1, 3, 10, 10), (1, 3, 30, 30))] * 2
    degraded, target = (np.asarray(side) for side in pairs["a"])
    assert np.array_equal(batches[0][0][0].permute(1, 2, 0), degraded[3:13, 5:15])
    assert np.array_equal(batches[0][1][0].permute(1, 2, 0), target[9:39, 15:45])


def test_the_schedule_is_one_cycle(learner: RestorationLearner) -> None:
    configured = learner.configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    rates, momenta = [], []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(1e-2 / 25)
    assert max(rates) == pytest.approx(1e-2)
    assert rates.index(max(rates)) == 29
    assert rates[-1] < 1e-6
    assert (momenta[0], min(momenta), momenta[-1]) == pytest.approx((0.95, 0.85, 0.95))
    assert optimizer.param_groups[0]["betas"][1] == 0.99


def test_a_constant_schedule_has_none(learner: RestorationLearner, plan: RestorationTraining) -> None:
    stage = plan.stages[0].model_copy(update={"schedule": "constant"})
    learner.begin(stage)
    optimizer = learner.configure_optimizers()
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.param_groups[0]["lr"] == 1e-2
    assert optimizer.param_groups[0]["weight_decay"] == 0.01


def test_the_loss_is_the_weighted_sum_on_pictures_in_0_to_1(learner: RestorationLearner) -> None:
    inputs = torch.full((2, 3, 8, 8), 51, dtype=torch.uint8)
    targets = torch.full((2, 3, 24, 24), 102, dtype=torch.uint8)
    terms, prediction, target = learner._terms((inputs, targets))
    assert torch.allclose(prediction, torch.tensor(0.2), atol=1e-6)
    assert torch.allclose(target, torch.tensor(0.4))
    assert {name: float(value.detach()) for name, value in terms.items()} == pytest.approx({"l1": 0.2, "mse": 0.4})


@pytest.mark.parametrize(("steps", "pct_start"), [(20, 0.05), (2, 0.5), (10, 0.1), (1, 0.3), (2, 0.3)])
def test_the_way_up_may_be_one_step_long(
    learner: RestorationLearner, plan: RestorationTraining, steps: int, pct_start: float
) -> None:
    stage = plan.stages[0].model_copy(update={"steps": steps, "pct_start": pct_start})
    learner.begin(stage)
    configured = learner.configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert all(0 < rate <= stage.lr for rate in rates)
