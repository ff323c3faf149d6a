"""A template of the tests' own: one pipeline, two tiny models, of which the second starts from the first's weights.

`first` has two optimizers, as a GAN; `second` one, and delivers the best of its validations. Batches take a moment, so
that there is time to kill a training in.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pandas as pd
from kedro.pipeline import Node, Pipeline
from pydantic import BaseModel, ConfigDict, Field

from uncrappify.datasets import RestorationDescription, TrainedModel, TrainingRun
from uncrappify.models.parameters import Model
from uncrappify.parameters.delivery import find_trained_models
from uncrappify.parameters.template import SeveralModels
from uncrappify.training.parameters import RestorationTraining


class Each(BaseModel):
    """The section of a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Model
    training: RestorationTraining


class Parameters(SeveralModels):
    """The section of a pipeline of this template."""

    each: ClassVar[type[BaseModel]] = Each

    template: Literal["toys.pair"] = "toys.pair"
    pictures: int = Field(12, ge=1)
    evaluation: dict[str, int] = {}


def write(pictures: int, seed: int) -> pd.DataFrame:
    """Say which pictures there are; a third of them only watches."""
    names = [f"picture{number}" for number in range(pictures)]
    return pd.DataFrame(
        {"name": names, "split": ["valid" if number % 3 == 0 else "train" for number in range(pictures)]}
    )


@dataclass(frozen=True)
class Noise:
    """Random pictures, and twice as bright ones as targets."""

    split: pd.DataFrame
    workers: int = 0
    seconds: float = 0.01

    @property
    def fingerprint(self) -> str:
        return self.split.to_csv()

    def __len__(self) -> int:
        return int((self.split["split"] == "train").sum())

    def __getitem__(self, step: int) -> Any:
        import torch

        time.sleep(self.seconds)
        generator = torch.Generator().manual_seed(step)
        inputs = torch.randint(0, 128, (2, 3, 8, 8), generator=generator, dtype=torch.uint8)
        return inputs, inputs * 2

    def batches(self, stage: Any, seed: int) -> Noise:
        return self

    def validation(self) -> Any:
        from torch.utils.data import DataLoader

        return DataLoader([self[-1]], batch_size=None)

    def draw(self, batch: Any) -> None:
        return None


def train(
    split: pd.DataFrame,
    model: Model,
    training: RestorationTraining,
    seed: int,
    run: TrainingRun,
    ancestor: TrainedModel | None = None,
) -> Any:
    """Train a model."""
    import lightning.pytorch as pl

    from toys.learners import Second, TwoOptimizers
    from uncrappify.models import build
    from uncrappify.training import fit as fitting

    # Every second, so that a test need not wait for a checkpoint.
    fitting.CHECKPOINT_EVERY = 1.0
    pl.seed_everything(seed, verbose=False)
    learner = (Second if ancestor else TwoOptimizers)(build(model.kind, model.name, model.to_build), training)
    description = RestorationDescription(model=model.name, options=model.options.architecture, scale=1, recipe=[])
    fitted = fitting.fit(
        learner, Noise(split), training, seed=seed, run=run, description=description, ancestor=ancestor
    )
    return fitted.outputs


def evaluate(split: pd.DataFrame, evaluation: dict[str, int], **models: TrainedModel | None) -> tuple[Any, ...]:
    """Tabulate what has been trained."""
    rows = [
        {
            "method": name,
            "trained": "not trained" if model is None else f"{model.description.metrics['valid_loss']:.4f}",
        }
        for name, model in models.items()
    ]
    return pd.DataFrame(rows), {"models_trained": float(sum(model is not None for model in models.values()))}


OUTPUTS = ["model", "history", "curves", "layers", "training_metrics"]


def create_pipeline(name: str, section: Mapping[str, Any]) -> Pipeline:
    """Instantiate the template for the models that the section names."""
    models = find_trained_models(section)
    trainings = [_training(model, models[0] if model != models[0] else None) for model in models]
    nodes = [
        Node(write, ["params:pictures", "params:seed"], "split", name="split", tags="data"),
        Node(
            evaluate,
            {"split": "split", "evaluation": "params:evaluation"} | {model: f"{model}.model" for model in models},
            ["comparison", "test_metrics"],
            name="evaluate",
            tags="evaluation",
        ),
    ]
    return Pipeline([*trainings, *nodes], namespace=name)


def _training(model: str, ancestor: str | None) -> Pipeline:
    inputs = {key: key for key in ("split", "run")} | {key: f"params:{key}" for key in ("model", "training", "seed")}
    given = {f"{ancestor}.model"} if ancestor else set()
    if ancestor:
        inputs["ancestor"] = f"{ancestor}.model"
    node = Node(train, inputs, OUTPUTS, name="train", tags=["training", model])
    return Pipeline([node], namespace=model, inputs={"split", *given}, parameters={"seed"})
