"""The degraded twin is computed when it is called, and its key says all that it depends on."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from uncrappify.degradations import Crappified, Recipe
from uncrappify.errors import UserError


@pytest.fixture
def planned(tmp_path: Path, picture: Image.Image) -> Crappified:
    picture.save(tmp_path / "a.png")
    recipe = Recipe.model_validate([{"resize": {"factor": 2}}, {"gaussian_noise": {"sigma": [5, 20]}}])
    sha256 = hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    return Crappified("a", tmp_path / "a.png", sha256, recipe, 42)


def test_the_result_is_the_recipes(planned: Crappified, picture: Image.Image) -> None:
    assert planned.read_good() == picture
    assert planned() == planned.recipe.degrade(picture, "a", 42)
    assert planned().size == (100, 75)
    assert planned() == planned()


def test_the_key_is_the_same_wherever_the_file_lies(planned: Crappified) -> None:
    assert len(planned.key) == 64
    assert replace(planned, file=Path("elsewhere.png")).key == planned.key


@pytest.mark.parametrize(
    "change",
    [
        {"name": "b"},
        {"sha256": "4321"},
        {"seed": 43},
        {"recipe": Recipe.model_validate([{"resize": {"factor": 3}}, {"gaussian_noise": {"sigma": [5, 20]}}])},
    ],
)
def test_whatever_changes_the_result_changes_the_key(planned: Crappified, change: dict[str, object]) -> None:
    assert replace(planned, **change).key != planned.key


def test_recipes_that_mean_the_same_have_the_same_key(planned: Crappified) -> None:
    same = Recipe.model_validate(
        [{"resize": {"factor": 2.0, "resample": "bicubic"}}, {"gaussian_noise": {"sigma": [5.0, 20], "probability": 1}}]
    )
    assert replace(planned, recipe=same).key == planned.key


def test_nothing_is_read_before_it_is_called(planned: Crappified) -> None:
    assert replace(planned, file=Path("nowhere.png")).key == planned.key


def test_a_picture_that_has_gone_since_it_was_listed_says_what_to_do(planned: Crappified) -> None:
    planned.file.unlink()
    for read in (planned, planned.read_good):
        with pytest.raises(UserError, match=r"a\.png: cannot be read .* run again from the node list"):
            read()


def test_a_picture_that_has_changed_since_it_was_listed_is_not_degraded(
    planned: Crappified, picture: Image.Image
) -> None:
    picture.rotate(180).save(planned.file)
    for read in (planned, planned.read_good):
        with pytest.raises(UserError) as caught:
            read()
        assert str(caught.value) == (
            f"{planned.file}: the file has changed since it was listed. Put it back, or run again from the node list "
            "(the whole pipeline, without --from-nodes)."
        )


def test_what_a_result_lies_under_does_not_change_with_seed_and_recipe(planned: Crappified) -> None:
    assert replace(planned, seed=1, recipe=Recipe.model_validate([])).identity == planned.identity == "a.png"
