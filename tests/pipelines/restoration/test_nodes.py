"""The nodes as plain functions, on six pictures in a folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from uncrappify.datasets import PictureFolder, Pictures, TrainedModel, disjoint
from uncrappify.degradations import Recipe
from uncrappify.models import build
from uncrappify.models.parameters import Model
from uncrappify.pipelines import nodes as shared
from uncrappify.pipelines.restoration import nodes
from uncrappify.pipelines.restoration.model_card import model_card
from uncrappify.pipelines.restoration.parameters import Evaluation
from uncrappify.sources import FolderOptions, PictureSource, Source
from uncrappify.training.parameters import RestorationTraining

pytestmark = pytest.mark.usefixtures("one_thread")
RECIPE = Recipe.model_validate([{"resize": {"factor": 3}}, {"jpeg": {"quality": [40, 80]}}])
MODEL = Model.model_validate({"upscaler": {"scale": 3, "channels": 4, "blocks": 1}})
METHODS = ["model", "nearest", "bilinear", "bicubic", "lanczos"]


@pytest.fixture
def manifest(picture_source: PictureSource) -> pd.DataFrame:
    (picture_source.root / "broken.png").write_bytes(b"no picture")
    return nodes.list_pictures(picture_source)[0]


@pytest.fixture
def degraded(picture_source: PictureSource, manifest: pd.DataFrame, tmp_path: Path) -> Pictures:
    dataset = PictureFolder(path=str(tmp_path / "degraded"))
    dataset.save(nodes.crappify(picture_source, manifest, RECIPE, MODEL, 42)[0])
    return dataset.load()


@pytest.fixture
def split(picture_source: PictureSource, manifest: pd.DataFrame) -> pd.DataFrame:
    return shared.split(picture_source, manifest)


@pytest.fixture
def untrained() -> TrainedModel:
    network = build(MODEL.name, MODEL.options.model_dump())
    description = {
        "model": MODEL.name,
        "options": MODEL.options.model_dump(),
        "scale": 3,
        "recipe": RECIPE.model_dump(mode="json"),
        "metrics": {"train_seconds": 12.6},
        "data": {"source": "good", "licence": "a: CC0; b: public domain (NASA)", "pictures": 2},
    }
    return TrainedModel(dict(network.state_dict()), description)


def test_download_points_at_a_folder(picture_source: PictureSource, tmp_path: Path) -> None:
    source = Source(kind="folder", folder=FolderOptions(path=str(picture_source.root)))
    assert nodes.download(source, None, tmp_path / "raw").root == picture_source.root


def test_listing_counts_what_cannot_be_used(picture_source: PictureSource) -> None:
    (picture_source.root / "broken.png").write_bytes(b"no picture")
    manifest, metrics = nodes.list_pictures(picture_source)
    assert metrics == {"pictures_usable": 6, "pictures_unusable": 1}
    assert manifest.loc[~manifest["usable"], "name"].tolist() == ["broken"]


def test_crappify_plans_every_usable_picture_and_tabulates_its_draws(
    picture_source: PictureSource, manifest: pd.DataFrame
) -> None:
    planned, draws, damage = nodes.crappify(picture_source, manifest, RECIPE, MODEL, 42)
    assert list(planned) == list("abcdef")
    assert draws.columns.tolist() == ["name", "resize.factor", "jpeg.quality"]
    assert draws["name"].tolist() == list("abcdef")
    assert set(draws["resize.factor"]) == {3.0}
    assert draws["jpeg.quality"].between(40, 80).all()
    assert draws["jpeg.quality"].nunique() > 1
    assert damage.mode == "RGB"
    good = Image.open(picture_source.root / "b.png")
    assert planned["b"]() == RECIPE.degrade(good, "b", 42)
    assert planned["b"]().size == (good.width // 3, good.height // 3)


def test_crappify_draws_anew_under_another_seed(picture_source: PictureSource, manifest: pd.DataFrame) -> None:
    first, again, other = (nodes.crappify(picture_source, manifest, RECIPE, MODEL, seed) for seed in (1, 1, 2))
    assert first[1].equals(again[1])
    assert not first[1].equals(other[1])
    assert {picture.key for picture in first[0].values()}.isdisjoint(picture.key for picture in other[0].values())


def test_crappify_computes_no_more_than_the_six_that_it_shows(
    picture_source: PictureSource, manifest: pd.DataFrame
) -> None:
    more = pd.concat([manifest, manifest[manifest["name"] == "a"].assign(name="z", file="gone.png")])
    planned, draws, _ = nodes.crappify(picture_source, more, RECIPE, MODEL, 42)
    assert len(planned) == len(draws) == 7


def test_split_leaves_unusable_pictures_out_and_is_disjoint(split: pd.DataFrame) -> None:
    assert dict(zip(split["name"], split["split"], strict=True)) == {
        "a": "train",
        "b": "train",
        "c": "valid",
        "d": "test",
        "e": "test",
        "f": "test",
    }
    disjoint(split)


def test_an_untrained_model_gains_nothing_over_bicubic(
    picture_source: PictureSource, degraded: Pictures, split: pd.DataFrame, untrained: TrainedModel
) -> None:
    scores, comparison, sheet, metrics, card = nodes.evaluate(
        picture_source, degraded, split, RECIPE, 42, untrained, Evaluation(sheet_rows=2)
    )
    assert scores.groupby("picture")["method"].apply(list).to_dict() == dict.fromkeys("def", METHODS)
    assert comparison["method"].tolist() == METHODS
    assert metrics["psnr_gain_over_bicubic"] == pytest.approx(0, abs=0.05)
    assert metrics["psnr"] == pytest.approx(comparison["psnr"].iloc[0])
    assert sheet.mode == "RGB"
    assert f"| model | {metrics['psnr']:.2f} |" in card


def test_at_scale_1_each_baseline_enlarges_the_degraded_picture_in_its_own_way(
    picture_source: PictureSource, degraded: Pictures, split: pd.DataFrame, untrained: TrainedModel
) -> None:
    options = {"scale": 1, "channels": 8, "blocks": 1}
    state = build("upscaler", options).state_dict()
    same_size = TrainedModel(state, untrained.description | {"scale": 1, "options": options})
    comparison = nodes.evaluate(picture_source, degraded, split, RECIPE, 42, same_size, Evaluation())[1]
    psnr = dict(zip(comparison["method"], comparison["psnr"], strict=True))
    # An untrained model of scale 1 is the identity, and its input was enlarged by bicubic.
    assert psnr["model"] == pytest.approx(psnr["bicubic"])
    assert len({psnr[name] for name in ("nearest", "bilinear", "bicubic", "lanczos")}) == 4


def test_training_gives_a_model_that_describes_itself(
    picture_source: PictureSource, degraded: Pictures, split: pd.DataFrame, tmp_path: Path
) -> None:
    stage = {"size": 24, "batch_size": 2, "steps": 3, "lr": 1e-3}
    training = RestorationTraining.model_validate(
        {"stages": [stage], "variants": 4, "lr_find": True, "precision": "fp32"}
    )
    folders = tmp_path / "superres" / "checkpoints", tmp_path / "snapshots"
    for folder in folders:
        folder.mkdir(parents=True)
    model, history, curves, metrics = nodes.train(
        picture_source, degraded, split, RECIPE, MODEL, training, 42, *folders
    )[:4]
    network = build(model.description["model"], model.description["options"])
    network.load_state_dict(model.state)
    assert float(network.tail.weight.detach().abs().max()) > 0
    assert model.description["scale"] == 3
    assert model.description["recipe"] == RECIPE.model_dump(mode="json")
    assert model.description["data"] == {"source": "good", "licence": "CC0", "pictures": 2}
    assert model.description["metrics"] == metrics
    assert {"train_seconds", "images_per_second", "data_wait_share", "peak_memory_mb", "valid_psnr"} <= set(metrics)
    assert len(history) == 3
    assert len(curves.data) > 0
    assert sorted(file.name for file in folders[1].iterdir()) == ["batch.png", "lr_find.png"]
    assert [file.name for file in folders[0].glob("*.ckpt")] == ["stage0.ckpt"]


def test_the_card_holds_recipe_licences_and_scores(untrained: TrainedModel) -> None:
    comparison = pd.DataFrame(
        {"method": METHODS, "psnr": np.arange(5) + 25.123, "ssim": 0.71234, "gain_over_bicubic": [0.8, -2, -1, 0, 0.1]}
    )
    description = untrained.description | {"git_commit": "abc123", "run_id": "r1", "uncrappify": "0.1.0"}
    card = model_card(description, comparison)
    assert card.startswith("# Restoration of pictures, x3\n\nTrained on 2 pictures (source: good) for 13 s.\n")
    assert yaml.safe_load(card.split("```yaml\n")[1].split("```")[0]) == RECIPE.model_dump(mode="json")
    assert "- a: CC0\n- b: public domain (NASA)\n" in card
    assert "Network upscaler: scale 3, channels 4, blocks 1.\n" in card
    assert "| model | 25.12 | 0.7123 |" in card
    assert "abc123" in card
    assert "MLflow run r1" in card


def test_the_fingerprint_changes_with_all_that_the_result_depends_on(split: pd.DataFrame) -> None:
    training = RestorationTraining.model_validate({"stages": [{"steps": 3}]})
    given = {"split": split, "recipe": RECIPE, "model": MODEL, "training": training, "seed": 1}
    changes = {
        "split": split.assign(sha256="0"),
        "recipe": Recipe.model_validate([{"resize": {"factor": 3}}]),
        "model": Model(),
        "training": training.model_copy(update={"ema": 0.5}),
        "seed": 2,
    }
    found = {nodes._fingerprint(**(given | {name: value})) for name, value in changes.items()}
    assert len(found | {nodes._fingerprint(**given)}) == 6
    assert nodes._fingerprint(**given) == nodes._fingerprint(**given)


def test_training_is_the_same_after_the_learning_rate_was_looked_for(
    picture_source: PictureSource, degraded: Pictures, split: pd.DataFrame, tmp_path: Path
) -> None:
    states = []
    for lr_find in (False, True):
        stage = {"size": 24, "batch_size": 2, "steps": 2}
        training = RestorationTraining.model_validate(
            {"stages": [stage], "variants": 0, "lr_find": lr_find, "precision": "fp32"}
        )
        folders = [tmp_path / str(lr_find) / name for name in ("checkpoints", "snapshots")]
        for folder in folders:
            folder.mkdir(parents=True)
        states.append(nodes.train(picture_source, degraded, split, RECIPE, MODEL, training, 42, *folders)[0].state)
    assert all(torch.allclose(states[0][name], states[1][name], atol=1e-7) for name in states[0])
