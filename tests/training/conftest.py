"""Trainings so small that a test may run several."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from uncrappify.datasets import PicturePairs, RestorationDescription, TrainingRun
from uncrappify.datasets.weights import TrainedModel
from uncrappify.degradations import Recipe
from uncrappify.learners.restoration import RestorationData, RestorationLearner
from uncrappify.models import build
from uncrappify.training.fit import Fitted, fit
from uncrappify.training.parameters import RestorationTraining

RECIPE = Recipe.model_validate([{"resize": {"factor": 3}}, {"jpeg": {"quality": 60}}])
OPTIONS = {"scale": 3, "channels": 8, "blocks": 1}
DESCRIPTION = RestorationDescription(model="upscaler", options=OPTIONS, scale=3, recipe=RECIPE.model_dump(mode="json"))


@pytest.fixture
def description() -> RestorationDescription:
    """Of the tiny network."""
    return DESCRIPTION


@pytest.fixture
def make_learner() -> Callable[..., RestorationLearner]:
    """A tiny network, the same each time."""

    def make(
        plan: RestorationTraining, kind: type[RestorationLearner] = RestorationLearner, seed: int = 0
    ) -> RestorationLearner:
        torch.manual_seed(seed)
        learner = kind(build("restoration", "upscaler", OPTIONS), plan)
        if seed:
            torch.nn.init.normal_(learner.network.tail.weight, std=0.02)
        return learner

    return make


@pytest.fixture
def make_data(pairs: PicturePairs) -> Callable[..., RestorationData]:
    """Three pictures to learn from, one to watch."""

    def make(plan: RestorationTraining, kind: type[RestorationData] = RestorationData) -> RestorationData:
        train, valid = (
            PicturePairs(pairs.degraded, pairs.targets, names, 3, pairs.pixels) for names in (["a", "b", "c"], ["d"])
        )
        return kind(train, valid, RECIPE, plan, 0, "pictures")

    return make


@pytest.fixture
def train(
    make_learner: Callable[..., RestorationLearner], make_data: Callable[..., RestorationData], tmp_path: Path
) -> Callable[..., Fitted]:
    """Train in a folder of the test; what is not given is tiny."""

    def run(
        plan: RestorationTraining,
        folder: str = "a",
        *,
        data: RestorationData | None = None,
        learner: RestorationLearner | None = None,
        seed: int = 3,
        ancestor: TrainedModel | None = None,
    ) -> Fitted:
        return fit(
            learner or make_learner(plan),
            data or make_data(plan),
            plan,
            seed=seed,
            run=TrainingRun(tmp_path / folder, tmp_path / folder / "snapshots"),
            description=DESCRIPTION,
            ancestor=ancestor,
        )

    return run
