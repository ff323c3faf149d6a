"""The nodes of an adversarial pipeline that a restoration pipeline has not, each a sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL import Image
from plotly.graph_objects import Figure

from uncrappify import sources
from uncrappify.datasets import CriticDescription, PicturePairs, Pictures, TrainedModel, TrainingRun
from uncrappify.datasets.description import Ancestor
from uncrappify.degradations import Recipe
from uncrappify.errors import UserError
from uncrappify.models.parameters import CriticModel, Model
from uncrappify.pipelines import nodes as shared
from uncrappify.pipelines.adversarial.model_card import critic_card, pipeline_card
from uncrappify.pipelines.adversarial.parameters import R3Options
from uncrappify.pipelines.restoration.model_card import model_card
from uncrappify.pipelines.restoration.nodes import describe, pair, train
from uncrappify.pipelines.restoration.parameters import Evaluation
from uncrappify.sources import PictureSource
from uncrappify.training.parameters import CriticTraining, GanTraining, RestorationTraining

if TYPE_CHECKING:
    from uncrappify.inference import Restorer

NORMS = {"bce": "spectral", "r3": "none"}
"""What keeps the critic's weights from growing: its norm, or the objective's own penalties."""

COLUMNS = {"generator": "pixel loss", "gan": "GAN"}
"""What the sheet calls the models that undo damage."""

SHOWN = 4
"""Validation pictures that the film shows a part of."""


class Generated:
    """A callable that restores a degraded picture.

    Args:
        restore: The generator.
        pairs: The pictures.
        name: Of the picture.
        key: Of all that the result depends on.
    """

    def __init__(self, restore: Restorer, pairs: PicturePairs, name: str, key: str) -> None:
        self._restore, self._pairs, self._name = restore, pairs, name
        self.key = key

    def __call__(self) -> Image.Image:
        """Compute the restored picture."""
        return self._restore(self._pairs[self._name][0])


def train_generator(
    raw: PictureSource,
    degraded: Pictures,
    split: pd.DataFrame,
    recipe: Recipe,
    model: Model,
    training: RestorationTraining,
    seed: int,
    run: TrainingRun,
) -> tuple[TrainedModel, pd.DataFrame, Figure, pd.DataFrame, dict[str, float]]:
    """Train the generator, as :func:`~uncrappify.pipelines.restoration.nodes.train` does.

    Raises:
        UserError: A picture is smaller than the crops; the critic would say so when the generator has learned.
    """
    _check_crops(split, training.stages, run.name)
    return train(raw, degraded, split, recipe, model, training, seed, run)


def generate(
    raw: PictureSource,
    degraded: Pictures,
    split: pd.DataFrame,
    recipe: Recipe,
    seed: int,
    generator_model: TrainedModel,
) -> dict[str, Callable[[], Image.Image]]:
    """Plan what the generator makes of all pictures but those of the test; the catalog computes them when it saves.

    Args:
        raw: The folder with good pictures.
        degraded: Their degraded twins.
        split: Which picture is for what.
        recipe: What they were degraded by.
        seed: Of the recipe's draws.
        generator_model: The generator.

    Returns:
        Name to a callable that gives the restored picture.
    """
    from uncrappify.inference import Restorer

    restore = Restorer.from_trained(generator_model)
    pairs = pair(raw, degraded, split[split["split"] != "test"], restore.scale, recipe, seed)

    def key(name: str) -> str:
        parts = [generator_model.fingerprint, degraded.sha256[name]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    return {name: Generated(restore, pairs, name, key(name)) for name in pairs.names}


def train_critic(
    raw: PictureSource,
    degraded: Pictures,
    generated: Pictures,
    split: pd.DataFrame,
    generator_model: TrainedModel,
    recipe: Recipe,
    objective: str,
    model: CriticModel,
    training: CriticTraining,
    seed: int,
    run: TrainingRun,
) -> tuple[TrainedModel, pd.DataFrame, Figure, pd.DataFrame, dict[str, float]]:
    """Train the critic to tell good pictures from what the generator makes.

    Args:
        raw: The folder with good pictures.
        degraded: Their degraded twins.
        generated: What the generator made of these.
        split: Which picture is for what.
        generator_model: The generator.
        recipe: What the pictures were degraded by.
        objective: Decides the norm.
        model: Which network, and which weights it starts from.
        training: How it is trained.
        seed: Of everything random.
        run: The training's folder, where a killed one goes on.

    Returns:
        The model, the history, its curves, the table of layers, and the metrics of the training.

    Raises:
        UserError: If the pictures are too small or too few.
    """
    import lightning.pytorch as pl

    from uncrappify.learners.critic import CriticData, CriticLearner, Targets
    from uncrappify.models import build
    from uncrappify.training.fit import fit

    pl.seed_everything(seed, verbose=False)
    description: Any = generator_model.description

    def crops_of(part: str) -> PicturePairs:
        rows = split[split["split"] == part]
        good = pair(raw, degraded, rows, description.scale, recipe, seed)
        return PicturePairs(generated, Targets(good), good.names, 1, int((rows["width"] * rows["height"]).sum()) * 2)

    train, valid = (crops_of(part) for part in ("train", "valid"))
    _check_crops(split, training.stages, run.name)
    content = shared.hash_content(split)
    learner = CriticLearner(build(model.kind, model.name, {**model.to_build, "norm": NORMS[objective]}), training)
    return fit(
        learner,
        CriticData(train, valid, training, seed, f"{content}-{generator_model.fingerprint}"),
        training,
        seed=seed,
        run=run,
        description=CriticDescription(
            model=model.name,
            options={**model.options.architecture, "norm": NORMS[objective]},
            data=shared.describe_data(raw, split, content),
            fakes=Ancestor(fingerprint=generator_model.fingerprint, run_id=description.run_id, data=description.data),
        ),
        ancestor=shared.read_ancestor(model),
    ).outputs


def train_gan(
    raw: PictureSource,
    degraded: Pictures,
    split: pd.DataFrame,
    generator_model: TrainedModel,
    critic_model: TrainedModel,
    recipe: Recipe,
    objective: str,
    r3: R3Options,
    model: Model,
    training: GanTraining,
    seed: int,
    run: TrainingRun,
) -> tuple[TrainedModel, pd.DataFrame, Figure, pd.DataFrame, dict[str, float], list[Path]]:
    """Let the generator and the critic learn from each other.

    Args:
        raw: The folder with good pictures.
        degraded: Their degraded twins.
        split: Which picture is for what.
        generator_model: What the generator starts from.
        critic_model: What the critic starts from.
        recipe: Degrades variants, and goes into the model's description.
        objective: What both want.
        r3: Options of that objective.
        model: The generator's network; its weights, where they are given, take the place of the generator's own.
        training: How both are trained.
        seed: Of everything random.
        run: The training's folder, where a killed one goes on.

    Returns:
        The generator, the history, its curves, the table of layers, the metrics of the training, and its film.

    Raises:
        UserError: If the pictures are too small, or the sizes of a pair do not fit the model's scale.
    """
    import lightning.pytorch as pl

    from uncrappify.learners.restoration import RestorationData
    from uncrappify.learners.restoration_gan import RestorationGan
    from uncrappify.losses.adversarial import BCE, R3
    from uncrappify.models import build
    from uncrappify.training.fit import fit

    sources.check_sizes(split, model.scale)
    _check_crops(split, training.stages, run.name)
    pl.seed_everything(seed, verbose=False)
    train, valid = (
        pair(raw, degraded, split[split["split"] == part], model.scale, recipe, seed) for part in ("train", "valid")
    )
    content = f"{shared.hash_content(split)}-{critic_model.fingerprint}-{objective}-{r3.gamma}"
    data = RestorationData(train, valid, recipe, training, seed, content)
    critic = build("critic", critic_model.description.model, critic_model.description.to_build)
    critic.load_state_dict(critic_model.state)
    learner = RestorationGan(
        build(model.kind, model.name, model.to_build),
        critic,
        R3(r3.gamma) if objective == "r3" else BCE(),
        training,
        data.read_middles(SHOWN),
    )
    fitted = fit(
        learner,
        data,
        training,
        seed=seed,
        run=run,
        description=describe(raw, split, model, recipe),
        ancestor=shared.read_ancestor(model) or generator_model,
    )
    return (*fitted.outputs, run.film)


def evaluate(
    raw: PictureSource,
    degraded: Pictures,
    split: pd.DataFrame,
    recipe: Recipe,
    seed: int,
    evaluation: Evaluation,
    delivers: str,
    **models: TrainedModel | None,
) -> tuple[Any, ...]:
    """Score the models that undo damage on the test pictures, beside each other and enlarging alone.

    Args:
        raw: The folder with good pictures.
        degraded: Their degraded twins.
        split: Which picture is for what.
        recipe: What the pictures were degraded by.
        seed: Of the recipe's draws.
        evaluation: How often each picture is damaged, and what is shown.
        delivers: The model whose metrics are the pipeline's; empty for the last.
        models: ``<model>_model``, trained; None where it is not.

    Returns:
        Scores by picture and method, those by draw, their means by method, a sheet of pictures, the metrics of the
        delivered model, or of the one that is trained, and the pipeline's card; then metrics and card of each model,
        empty where it is not trained.

    Raises:
        UserError: If no model that undoes damage is trained on these pictures.
    """
    from uncrappify.evaluation.restoration import evaluate_models
    from uncrappify.evaluation.scores import compute_metrics, summarise
    from uncrappify.inference import Restorer

    names = {name.removesuffix("_model"): model for name, model in models.items()}
    critic = names.get("critic")
    undoing = {name: model for name, model in names.items() if name != "critic"}
    trained = shared.leave_out_others(undoing, shared.hash_content(split))
    restore = {name: Restorer.from_trained(model) for name, model in trained.items()}
    scale = next(iter(restore.values())).scale
    pairs = pair(raw, degraded, split[split["split"] == "test"], scale, recipe, seed)
    scores, sheet = evaluate_models(
        restore,
        pairs,
        repeats=evaluation.repeats,
        sheet_rows=evaluation.sheet_rows,
        columns={COLUMNS[name]: name for name in restore},
    )
    comparison = summarise(scores)
    metrics = {name: compute_metrics(scores, name) for name in restore}
    cards = {name: model_card(restored.description, comparison) for name, restored in restore.items()}
    shown = delivers if delivers in restore else list(restore)[-1]
    if critic:
        cards["critic"] = critic_card(critic.description)
    return (
        scores.by_picture,
        scores.by_draw,
        comparison,
        sheet,
        metrics[shown] | trained[shown].description.metrics,
        pipeline_card(shown, cards[shown]),
        *(part for name in names for part in (metrics.get(name, {}), cards.get(name, ""))),
    )


def _check_crops(split: pd.DataFrame, stages: Any, name: str) -> None:
    """Check that the training pictures are as large as the crops: what is mirrored to be so is not a picture's look.

    Raises:
        UserError: If one is smaller.
    """
    rows = split[split["split"] == "train"]
    sides = rows[["width", "height"]].min(axis=1)
    for number, stage in enumerate(stages):
        if (small := rows[sides < stage.size]).empty:
            continue
        first = small.iloc[0]
        raise UserError(
            f"{name}.training.stages.{number}.size is {stage.size}, and {len(small)} of {len(rows)} training pictures "
            f"are smaller, such as {first['name']} ({first['width']}x{first['height']}). Take {int(sides.min())} or "
            "less, or leave the small pictures out."
        )
