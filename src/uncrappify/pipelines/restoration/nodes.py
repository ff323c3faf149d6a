"""The nodes of a restoration pipeline, each a sentence."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pandas as pd
from PIL import Image
from plotly.graph_objects import Figure

from uncrappify import sources
from uncrappify.datasets import PicturePairs, Pictures, RestorationDescription, TrainedModel, TrainingRun
from uncrappify.datasets.pairs import NO_DAMAGE
from uncrappify.degradations import Crappified, Recipe
from uncrappify.models.parameters import Model
from uncrappify.pipelines.nodes import count_pictures, describe_data, hash_content, read_ancestor
from uncrappify.pipelines.restoration.model_card import model_card
from uncrappify.pipelines.restoration.parameters import Evaluation
from uncrappify.sources import GivenPair, PictureSource, Source
from uncrappify.training.parameters import RestorationTraining

DAMAGE_PICTURES = 6


def download(source: Source, test_source: Source | None, raw_data: Path) -> PictureSource:
    """Bring the sources' pictures here.

    Args:
        source: Where they come from.
        test_source: Where those of the test split come from, if from elsewhere.
        raw_data: The folder for raw data of all sources.

    Returns:
        The folders that they are in.
    """
    pictures = sources.fetch(source, raw_data)
    return sources.with_test_source(pictures, sources.fetch(test_source, raw_data)) if test_source else pictures


def list_pictures(raw: PictureSource) -> tuple[pd.DataFrame, dict[str, float]]:
    """Look at every picture once and write down what is wrong with it.

    Args:
        raw: The folder with pictures.

    Returns:
        The manifest, one row a picture, and ``pictures_usable`` and ``pictures_unusable``.
    """
    manifest = sources.list_pictures(raw)
    return manifest, count_pictures(manifest)


def crappify(
    raw: PictureSource, manifest: pd.DataFrame, recipe: Recipe, seed: int
) -> tuple[dict[str, Callable[[], Image.Image]], pd.DataFrame, Image.Image]:
    """Plan the degraded twin of every usable picture; the catalog computes and writes them when it saves.

    Where the source has a degraded picture of its own, it is passed through.

    Args:
        raw: The folder with good pictures.
        manifest: One row a picture; rows with ``usable`` false are left out.
        recipe: What happens to a picture, in order.
        seed: A picture is degraded by seed and stem, whatever the others are.

    Returns:
        Name to a callable that gives the degraded picture; what each step drew for each picture; and good and
        degraded side by side, for six pictures.
    """
    from uncrappify.evaluation.sheet import draw_damage_sheet

    usable = manifest[manifest["usable"]]
    given = sources.find_given_pairs(raw, usable)
    planned: dict[str, Crappified | GivenPair] = {
        name: given.get(name) or Crappified(stem, raw.root / file, sha256, recipe, seed)
        for name, stem, file, sha256 in zip(
            usable["name"], sources.find_stems(usable), usable["file"], usable["sha256"], strict=True
        )
    }
    draws = {
        name: recipe.draw(picture.name, seed) if isinstance(picture, Crappified) else {}
        for name, picture in planned.items()
    }
    shown = islice(planned.items(), DAMAGE_PICTURES)
    damage = draw_damage_sheet((name, picture.read_good(), picture(), draws[name]) for name, picture in shown)
    return dict(planned), pd.DataFrame([{"name": name, **drawn} for name, drawn in draws.items()]), damage


def train(
    raw: PictureSource,
    degraded: Pictures,
    split: pd.DataFrame,
    recipe: Recipe,
    model: Model,
    training: RestorationTraining,
    seed: int,
    run: TrainingRun,
) -> tuple[TrainedModel, pd.DataFrame, Figure, pd.DataFrame, dict[str, float]]:
    """Train the network.

    Args:
        raw: The folder with good pictures.
        degraded: Their degraded twins.
        split: Which picture is for what.
        recipe: Degrades variants, and goes into the model's description.
        model: Which network, and which weights it starts from.
        training: How it is trained.
        seed: Of everything random.
        run: The training's folder, where a killed one goes on.

    Returns:
        The model, the history, its curves, the table of layers, and the metrics of the training.

    Raises:
        UserError: The sizes of a pair do not fit the model's scale.
    """
    import lightning.pytorch as pl

    from uncrappify.learners.restoration import RestorationData, RestorationLearner
    from uncrappify.models import build
    from uncrappify.training.fit import fit

    sources.check_sizes(split, model.scale)
    pl.seed_everything(seed, verbose=False)
    learner = RestorationLearner(build(model.kind, model.name, model.to_build), training)
    train, valid = (
        pair(raw, degraded, split[split["split"] == part], model.scale, recipe, seed) for part in ("train", "valid")
    )
    data = RestorationData(train, valid, recipe, training, seed, hash_content(split))
    description = describe(raw, split, model, recipe)
    ancestor = read_ancestor(model)
    return fit(learner, data, training, seed=seed, run=run, description=description, ancestor=ancestor).outputs


def evaluate(
    raw: PictureSource,
    degraded: Pictures,
    split: pd.DataFrame,
    recipe: Recipe,
    seed: int,
    model: TrainedModel,
    evaluation: Evaluation,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Image.Image, dict[str, float], str]:
    """Score the test pictures, beside doing nothing but enlarging them.

    Args:
        raw: The folder with good pictures.
        degraded: Their degraded twins.
        split: Which picture is for what.
        recipe: What the pictures were degraded by.
        seed: Of the recipe's draws.
        model: The trained model.
        evaluation: How often each picture is damaged, and what is shown.

    Returns:
        Scores by picture and method, those by draw of the damage, their means by method, a sheet of pictures, the
        metrics, and the model card.
    """
    from uncrappify.evaluation.restoration import evaluate_models
    from uncrappify.evaluation.scores import MODEL, compute_metrics, summarise
    from uncrappify.inference import Restorer

    restore = Restorer.from_trained(model)
    pairs = pair(raw, degraded, split[split["split"] == "test"], restore.scale, recipe, seed)
    scores, sheet = evaluate_models(
        {MODEL: restore}, pairs, repeats=evaluation.repeats, sheet_rows=evaluation.sheet_rows
    )
    comparison, metrics = summarise(scores), compute_metrics(scores)
    card = model_card(restore.description, comparison)
    return scores.by_picture, scores.by_draw, comparison, sheet, metrics, card


def describe(raw: PictureSource, split: pd.DataFrame, model: Model, recipe: Recipe) -> RestorationDescription:
    """Say what a model is that learns to undo the damage of a recipe."""
    return RestorationDescription(
        model=model.name,
        options=model.options.architecture,
        scale=model.scale,
        recipe=recipe.model_dump(mode="json"),
        data=describe_data(raw, split, hash_content(split)),
    )


def pair(
    raw: PictureSource, degraded: Pictures, rows: pd.DataFrame, scale: int, recipe: Recipe, seed: int
) -> PicturePairs:
    """Pair the degraded pictures of some rows with the good ones."""
    names = rows["name"].tolist()
    files = {name: raw.root / file for name, file in zip(names, rows["file"], strict=True)}
    targets = Pictures(files, dict(zip(names, rows["sha256"], strict=True)))
    stems = dict(zip(names, sources.find_stems(rows), strict=True))
    # The input has at most as many pixels as the target.
    pixels = int((rows["width"] * rows["height"]).sum()) * 2
    # A pair that its source brought along was not cropped by the recipe.
    given = "degraded_sha256" in rows and rows["degraded_sha256"].astype(bool).any()
    return PicturePairs(degraded, targets, names, scale, pixels, NO_DAMAGE if given else recipe, seed, stems)
