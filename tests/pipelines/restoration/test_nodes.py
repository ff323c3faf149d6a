"""The nodes as plain functions, on six pictures in a folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from uncrappify.datasets import (
    PictureFolder,
    Pictures,
    RestorationDescription,
    TrainedModel,
    TrainingRun,
    Weights,
    disjoint,
)
from uncrappify.datasets.description import Ancestor, TrainingData
from uncrappify.degradations import Recipe
from uncrappify.errors import UserError
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
    dataset.save(nodes.crappify(picture_source, manifest, RECIPE, 42)[0])
    return dataset.load()


@pytest.fixture
def split(picture_source: PictureSource, manifest: pd.DataFrame) -> pd.DataFrame:
    return shared.split(picture_source, manifest)


@pytest.fixture
def untrained() -> TrainedModel:
    network = build("restoration", MODEL.name, MODEL.options.model_dump())
    description = {
        "model": MODEL.name,
        "options": MODEL.options.model_dump(),
        "scale": 3,
        "recipe": RECIPE.model_dump(mode="json"),
        "metrics": {"train_seconds": 12.6},
        "data": {"source": "good", "licence": "a: CC0; b: public domain (NASA)", "pictures": 2},
    }
    return TrainedModel(dict(network.state_dict()), RestorationDescription.model_validate(description))


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
    planned, draws, damage = nodes.crappify(picture_source, manifest, RECIPE, 42)
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
    first, again, other = (nodes.crappify(picture_source, manifest, RECIPE, seed) for seed in (1, 1, 2))
    assert first[1].equals(again[1])
    assert not first[1].equals(other[1])
    assert {picture.key for picture in first[0].values()}.isdisjoint(picture.key for picture in other[0].values())


def test_crappify_computes_no_more_than_the_six_that_it_shows(
    picture_source: PictureSource, manifest: pd.DataFrame
) -> None:
    more = pd.concat([manifest, manifest[manifest["name"] == "a"].assign(name="z", file="gone.png")])
    planned, draws, _ = nodes.crappify(picture_source, more, RECIPE, 42)
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
    scores, draws, comparison, sheet, metrics, card = nodes.evaluate(
        picture_source, degraded, split, RECIPE, 42, untrained, Evaluation(sheet_rows=2)
    )
    assert scores.groupby("picture")["method"].apply(list).to_dict() == dict.fromkeys("def", METHODS)
    assert draws["draw"].unique().tolist() == [0]
    assert metrics["texture_distance"] == pytest.approx(metrics["texture_distance_bicubic"], rel=0.05)
    assert comparison["method"].tolist() == METHODS
    assert metrics["psnr_gain_over_bicubic"] == pytest.approx(0, abs=0.05)
    assert metrics["psnr"] == pytest.approx(comparison["psnr"].iloc[0])
    assert sheet.mode == "RGB"
    assert f"| model | {metrics['psnr']:.2f} |" in card
    assert "| gain over bicubic | texture distance |\n|---|---|---|---|---|\n" in card
    assert f"| {metrics['texture_distance']:.1f} |" in card


def test_test_pictures_are_damaged_as_often_as_is_asked_for(
    picture_source: PictureSource, degraded: Pictures, split: pd.DataFrame, untrained: TrainedModel
) -> None:
    once, often = (
        nodes.evaluate(picture_source, degraded, split, RECIPE, 42, untrained, Evaluation(repeats=repeats))
        for repeats in (1, 4)
    )
    draws = often[1]
    assert draws.groupby("picture")["draw"].unique().map(list).to_dict() == {name: [0, 1, 2, 3] for name in "def"}
    assert draws.groupby("draw")["seed"].nunique().tolist() == [1] * 4
    assert draws["jpeg.quality"].nunique() > 4
    pd.testing.assert_frame_equal(draws[draws["draw"] == 0].reset_index(drop=True), once[1])
    assert once[4].keys() < often[4].keys()
    assert 0 < often[4]["psnr_standard_error_draws"] < often[4]["psnr_standard_error"]


def test_at_scale_1_each_baseline_enlarges_the_degraded_picture_in_its_own_way(
    picture_source: PictureSource, degraded: Pictures, split: pd.DataFrame, untrained: TrainedModel
) -> None:
    options = {"scale": 1, "channels": 8, "blocks": 1}
    state = build("restoration", "upscaler", options).state_dict()
    same_size = TrainedModel(state, untrained.description.model_copy(update={"scale": 1, "options": options}))
    comparison = nodes.evaluate(picture_source, degraded, split, RECIPE, 42, same_size, Evaluation())[2]
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
    run = TrainingRun(tmp_path / "superres", tmp_path / "snapshots")
    model, history, curves, layers, metrics = nodes.train(
        picture_source, degraded, split, RECIPE, MODEL, training, 42, run
    )
    description = model.description
    network = build(description.kind, description.model, description.options)
    network.load_state_dict(model.state)
    assert float(network.tail.weight.detach().abs().max()) > 0
    assert description.scale == 3
    assert description.recipe == RECIPE.model_dump(mode="json")
    assert description.data == TrainingData(
        source="good", licence="CC0", pictures=2, fingerprint=shared.hash_content(split)
    )
    assert description.metrics == metrics
    assert description.ancestor is None
    assert layers["parameters"].sum() == sum(tensor.numel() for tensor in model.state.values())
    assert {"train_seconds", "images_per_second", "data_wait_share", "peak_memory_mb", "valid_psnr"} <= set(metrics)
    assert len(history) == 3
    assert len(curves.data) > 0
    assert sorted(file.name for file in run.snapshots.iterdir()) == ["batch.png", "lr_find.png"]
    assert [file.name for file in run.checkpoints.glob("*.ckpt")] == ["stage0.ckpt"]


def test_the_card_holds_recipe_licences_and_scores(untrained: TrainedModel) -> None:
    comparison = pd.DataFrame(
        {"method": METHODS, "psnr": np.arange(5) + 25.123, "ssim": 0.71234, "gain_over_bicubic": [0.8, -2, -1, 0, 0.1]}
    )
    origin = {"git_commit": "abc123", "run_id": "r1", "uncrappify": "0.1.0"}
    description = untrained.description.model_copy(update=origin)
    card = model_card(description, comparison)
    assert card.startswith("# Restoration of pictures, x3\n\nTrained on 2 pictures (source: good) for 13 s.\n")
    assert yaml.safe_load(card.split("```yaml\n")[1].split("```")[0]) == RECIPE.model_dump(mode="json")
    assert "- a: CC0\n- b: public domain (NASA)\n" in card
    assert "Network upscaler: scale 3, channels 4, blocks 1.\n" in card
    assert "| model | 25.12 | 0.7123 |" in card
    assert "abc123" in card
    assert "MLflow run r1" in card


def test_the_card_names_what_the_model_has_started_from(untrained: TrainedModel) -> None:
    learned_from = TrainingData(source="other", licence="CC BY 4.0; a: CC0", pictures=9)
    ancestor = Ancestor(fingerprint="f" * 64, run_id="r0", data=learned_from)
    comparison = pd.DataFrame(columns=["method", "psnr", "ssim", "gain_over_bicubic"])
    card = model_card(untrained.description.model_copy(update={"ancestor": ancestor}), comparison)
    assert card.count("- a: CC0\n") == card.count("- CC BY 4.0\n") == 1
    assert f"Started from the weights of MLflow run r0 (SHA-256 {'f' * 64}).\n" in card


def test_a_training_starts_from_a_weights_file(
    picture_source: PictureSource, degraded: Pictures, split: pd.DataFrame, untrained: TrainedModel, tmp_path: Path
) -> None:
    torch.nn.init.normal_(untrained.state["tail.weight"], std=0.02)
    file = tmp_path / "first.safetensors"
    Weights(filepath=str(file)).save(untrained)
    model = MODEL.model_copy(update={"weights": str(file)})
    training = RestorationTraining.model_validate({"stages": []})
    run = TrainingRun(tmp_path / "superres", tmp_path / "snapshots")
    trained = nodes.train(picture_source, degraded, split, RECIPE, model, training, 42, run)[0]
    assert all(torch.equal(tensor, untrained.state[name]) for name, tensor in trained.state.items())
    assert trained.description.ancestor.fingerprint == untrained.fingerprint


def test_weights_of_another_network_are_refused_before_anything_runs(untrained: TrainedModel, tmp_path: Path) -> None:
    file = tmp_path / "first.safetensors"
    Weights(filepath=str(file)).save(untrained)
    MODEL.model_copy(update={"weights": str(file)}).check("superres")
    wider = Model.model_validate({"weights": str(file), "upscaler": {"scale": 2, "channels": 4, "blocks": 1}})
    with pytest.raises(UserError, match=r"first.safetensors belongs to another network \(scale 3 instead of 2\)"):
        wider.check("superres")
    with pytest.raises(UserError, match=r"nowhere.safetensors: there is no such file"):
        MODEL.model_copy(update={"weights": str(tmp_path / "nowhere.safetensors")}).check("superres")


def test_a_training_does_not_start_from_what_it_writes(untrained: TrainedModel, tmp_path: Path) -> None:
    for place in ("superres", "digits.cnn"):
        file = tmp_path / "data/06_models" / Path(*place.split(".")) / "model.safetensors"
        Weights(filepath=str(file)).save(untrained)
        model = MODEL.model_copy(update={"weights": str(file)})
        with pytest.raises(UserError, match=rf"{place}.model.weights: .* is what this training writes. Copy the file"):
            model.check(place)
        model.check("deblur")


def test_test_pictures_are_no_part_of_what_a_training_is_known_by(split: pd.DataFrame) -> None:
    known = shared.hash_content(split)
    assert shared.hash_content(split[split["split"] != "test"]) == known
    assert shared.hash_content(split.assign(width=1)) == known
    assert shared.hash_content(split.assign(sha256="0")) != known
    assert shared.hash_content(split.assign(split="train")) != known


def test_training_is_the_same_after_the_learning_rate_was_looked_for(
    picture_source: PictureSource, degraded: Pictures, split: pd.DataFrame, tmp_path: Path
) -> None:
    states = []
    for lr_find in (False, True):
        stage = {"size": 24, "batch_size": 2, "steps": 2}
        training = RestorationTraining.model_validate(
            {"stages": [stage], "variants": 0, "lr_find": lr_find, "precision": "fp32"}
        )
        run = TrainingRun(tmp_path / str(lr_find), tmp_path / str(lr_find) / "snapshots")
        states.append(nodes.train(picture_source, degraded, split, RECIPE, MODEL, training, 42, run)[0].state)
    assert all(torch.allclose(states[0][name], states[1][name], atol=1e-7) for name in states[0])


def test_a_target_that_changes_after_it_was_listed_is_neither_trained_on_nor_scored(
    picture_source: PictureSource, tmp_path: Path
) -> None:
    manifest = nodes.list_pictures(picture_source)[0]
    planned, _, _ = nodes.crappify(picture_source, manifest, RECIPE, 42)
    folder = PictureFolder(path=str(tmp_path / "degraded"))
    folder.save(planned)
    rows = shared.split(picture_source, manifest)
    pairs = nodes.pair(picture_source, folder.load(), rows, 3, RECIPE, 42)
    assert [side.size for side in pairs["a"]] == [(21, 16), (63, 48)]
    Image.open(picture_source.root / "a.png").rotate(180).save(picture_source.root / "a.png")
    with pytest.raises(UserError, match=r"a\.png: the file has changed since it was listed"):
        pairs["a"]


def test_a_second_picture_of_the_same_stem_changes_nothing_of_the_first(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    root.mkdir()
    recipe = Recipe.model_validate([{"resize": {"factor": [2, 4]}}, {"jpeg": {"quality": [10, 90]}}])
    for number in range(5):
        Image.effect_noise((70 + number, 64), 50).convert("RGB").save(root / f"scan{number}.png")
    source = PictureSource(name="scans", root=root, licence="CC0")

    def degrade() -> dict[str, tuple[Path, bytes, str]]:
        manifest = nodes.list_pictures(source)[0]
        folder = PictureFolder(path=str(tmp_path / "degraded"))
        folder.save(nodes.crappify(source, manifest, recipe, 42)[0])
        found, rows = folder.load(), shared.split(source, manifest)
        pairs = nodes.pair(source, found, rows, 1, recipe, 42)
        assert all(side.size == pairs[name][1].size for name in pairs.names for side in pairs[name])
        parts = zip(rows["name"], rows["file"], rows["split"], strict=True)
        return {file: (found.paths[name], found.paths[name].read_bytes(), part) for name, file, part in parts}

    before = degrade()
    for number in range(5):
        Image.effect_noise((64, 64), 60).convert("RGB").save(root / f"scan{number}.jpg")
    after = degrade()
    assert len(after) == 10
    assert {file: after[file] for file in before} == before


def test_a_file_beside_a_folder_of_its_degraded_name_has_a_place_of_its_own(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root = request.getfixturevalue("shared") / "cases/pictures/collision"
    if not root.is_dir():
        pytest.skip(f"no sample files in {root}")
    source = PictureSource(name="collision", root=root, licence="CC0")
    planned, _, _ = nodes.crappify(source, nodes.list_pictures(source)[0], RECIPE, 42)
    folder = PictureFolder(path=str(tmp_path / "degraded"))
    folder.save(planned)
    found = folder.load()
    assert {"scan", "scan.png/page1"} <= set(found)
    for name, picture in planned.items():
        assert np.array_equal(found[name], picture())


def test_a_picture_whose_degraded_twin_is_tiny_is_trained_on_and_evaluated(tmp_path: Path) -> None:
    root = tmp_path / "good"
    root.mkdir()
    for number, size in enumerate([(16, 16), (17, 40), (40, 40), (300, 16)]):
        pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.png")
    source = PictureSource(name="good", root=root, licence="CC0", own_split={"valid": ["0"], "test": ["2", "3"]})
    manifest = nodes.list_pictures(source)[0]
    assert manifest["usable"].all()
    dataset = PictureFolder(path=str(tmp_path / "degraded"))
    dataset.save(nodes.crappify(source, manifest, RECIPE, 42)[0])
    degraded = dataset.load()
    assert [degraded[name].size for name in degraded] == [(5, 5), (5, 13), (13, 13), (100, 5)]
    stage = {"size": 48, "batch_size": 2, "steps": 2}
    training = RestorationTraining.model_validate({"stages": [stage], "variants": 6, "precision": "fp32"})
    run = TrainingRun(tmp_path / "superres", tmp_path / "snapshots")
    split = shared.split(source, manifest)
    model = nodes.train(source, degraded, split, RECIPE, MODEL, training, 42, run)[0]
    scores = nodes.evaluate(source, degraded, split, RECIPE, 42, model, Evaluation())[0]
    assert scores["picture"].unique().tolist() == ["2", "3"]
    assert scores[["psnr", "ssim", "feature_distance"]].notna().all(axis=None)
