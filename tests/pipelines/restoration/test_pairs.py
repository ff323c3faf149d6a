"""A restoration whose degraded pictures are there already, for training or for the test alone."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from pydantic import ValidationError

from uncrappify.datasets import Pictures, RestorationDescription, TrainingRun
from uncrappify.errors import UserError
from uncrappify.models.parameters import Model
from uncrappify.pipelines import nodes as shared
from uncrappify.pipelines.restoration import Parameters, nodes
from uncrappify.pipelines.restoration.model_card import model_card
from uncrappify.sources import PairsOptions, PictureSource, Source

PAIRS = {"kind": "pairs", "pairs": {"degraded": "bad", "target": "good"}}
RECIPE = [{"resize": {"factor": 3}}]
TRAINING = {"stages": [{"size": 72, "steps": 1}]}
ARCHIVE = {"name": "a", "file": "a.tar", "sha256": "0" * 64, "size": 1, "licence": "CC0"}


def parameters(**changes: Any) -> Parameters:
    return Parameters.model_validate({"recipe": RECIPE, "training": TRAINING} | changes)


@pytest.fixture
def source(picture_source: PictureSource, tmp_path: Path) -> Source:
    """The six pictures with twins of a third of their size, all black: no recipe makes them so."""
    (tmp_path / "bad").mkdir()
    for file in picture_source.root.iterdir():
        width, height = Image.open(file).size
        Image.new("RGB", (width // 3, height // 3)).save(tmp_path / "bad" / file.name)
    return Source(kind="pairs", pairs=PairsOptions(degraded=str(tmp_path / "bad"), target=str(picture_source.root)))


def crappify(raw: PictureSource) -> tuple[Any, pd.DataFrame, Image.Image]:
    return nodes.crappify(raw, nodes.list_pictures(raw)[0], parameters().recipe, 42)


def test_pairs_are_passed_through_and_nothing_is_drawn(source, tmp_path):
    planned, draws, damage = crappify(nodes.download(source, None, tmp_path / "raw"))
    assert sorted(planned) == list("abcdef")
    assert planned["a"]().size == (21, 16)
    assert planned["a"]().getextrema() == ((0, 0), (0, 0), (0, 0))
    assert draws.columns.tolist() == ["name"]
    assert damage.width == 1600


def test_only_the_test_may_be_paired(source, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for number, name in enumerate("uvw"):
        Image.effect_noise((60, 60), 50 + number).convert("RGB").save(other / f"{name}.png")
    train = Source.model_validate({"kind": "folder", "folder": {"path": str(other)}})
    raw = nodes.download(train, source, tmp_path / "raw")
    planned, draws, _ = crappify(raw)
    black = {name for name, picture in planned.items() if picture().getextrema() == ((0, 0), (0, 0), (0, 0))}
    assert black == {f"test_source/{name}" for name in "abcdef"}
    assert draws.set_index("name")["resize.factor"].dropna().to_dict() == dict.fromkeys("uvw", 3)
    split = shared.split(raw, nodes.list_pictures(raw)[0]).set_index("name")["split"]
    assert set(split.index[split == "test"]) == black


def test_a_pair_of_another_scale_stops_before_anything_is_trained(source, tmp_path):
    raw = nodes.download(source, None, tmp_path / "raw")
    split = shared.split(raw, nodes.list_pictures(raw)[0])
    model, run = Model.model_validate({"upscaler": {"scale": 2}}), TrainingRun(tmp_path / "run", tmp_path / "run")
    done = parameters(source=PAIRS)
    with pytest.raises(UserError, match=r"a \(degraded 21x16, target 64x50\).* and 3 more\. The model's scale is 2:"):
        nodes.train(raw, Pictures({}), split, done.recipe, model, done.training, 42, run)


def test_another_degraded_picture_is_another_training(source, tmp_path):
    def fingerprint() -> str:
        raw = nodes.download(source, None, tmp_path / "raw")
        split = shared.split(raw, nodes.list_pictures(raw)[0])
        return shared.hash_content(split)

    before = fingerprint()
    assert fingerprint() == before
    Image.new("RGB", (21, 16), "red").save(tmp_path / "bad/a.png")
    assert fingerprint() != before


@pytest.mark.parametrize("recipe", [{}, {"recipe": RECIPE}, {"recipe": [{"jpeg": {}}]}])
def test_pairs_need_no_recipe_and_one_that_is_left_over_is_not_read(recipe):
    done = Parameters.model_validate({"source": PAIRS, "training": TRAINING} | recipe)
    assert done.recipe.root == []
    assert done.training.variants == 0
    assert parameters().training.variants > 0


def test_all_other_sources_need_a_recipe():
    with pytest.raises(ValidationError) as caught:
        Parameters.model_validate({"training": TRAINING})
    assert [(mistake["type"], mistake["loc"]) for mistake in caught.value.errors()] == [("missing", ("recipe",))]


def test_a_test_without_pairs_does_not_go_with_pairs():
    with pytest.raises(ValidationError, match="no recipe that could degrade") as caught:
        parameters(source=PAIRS, test_source={"kind": "embedded"})
    assert caught.value.errors()[0]["loc"] == ("test_source", "kind")
    assert parameters(source=PAIRS, test_source=PAIRS).test_source.paired
    assert parameters(test_source=PAIRS).recipe.scale == 3


def test_a_folder_of_good_pictures_cannot_take_the_place_of_pairs():
    with pytest.raises(UserError, match=r"pictures: this pipeline's source \(kind: pairs\) has its own degraded"):
        parameters(source=PAIRS).with_pictures("~/Pictures")
    assert parameters(test_source=PAIRS).with_pictures("~/Pictures").test_source is None


def test_a_mirror_reaches_both_sources():
    archive = {"kind": "archive", "archive": ARCHIVE}
    done = parameters(source=archive, test_source=archive).with_mirror("/mirror")
    assert (done.source.archive.mirror, done.test_source.archive.mirror) == ("/mirror", "/mirror")
    assert parameters().with_mirror("/mirror") == parameters()


def test_the_card_of_a_model_of_pairs_names_no_recipe():
    description = RestorationDescription(model="upscaler", options={}, scale=3, recipe=[])
    card = model_card(description, pd.DataFrame(columns=["method", "psnr", "ssim", "gain_over_bicubic"]))
    assert "The damage of the pairs that it was trained on, and no other.\n" in card
    assert "yaml" not in card
