"""The parameters of a restoration, as its nodes get them."""

import pytest
from pydantic import ValidationError

from uncrappify.pipelines.restoration import Parameters

SMALL = {
    "recipe": [{"resize": {"factor": 3}}],
    "training": {"stages": [{"size": 72, "steps": 100}, {"size": 96, "steps": 50}]},
}


def test_a_recipe_and_stages_are_enough() -> None:
    parameters = Parameters.model_validate(SMALL)
    assert (parameters.template, parameters.seed, parameters.evaluation.sheet_rows) == ("restoration", 42, 6)
    assert parameters.source.kind == "embedded"
    assert parameters.model.scale == parameters.recipe.scale == 3


def test_a_folder_takes_the_place_of_the_source() -> None:
    source = Parameters.model_validate(SMALL).with_pictures("~/Pictures").source
    assert (source.kind, source.chosen.path) == ("folder", "~/Pictures")


def test_the_users_pictures_are_tested_on_themselves() -> None:
    parameters = Parameters.model_validate(SMALL | {"test_source": {"kind": "embedded"}})
    assert parameters.test_source
    assert parameters.with_pictures("~/Pictures").test_source is None


def test_a_smoke_run_shortens_every_stage_and_makes_no_variants() -> None:
    parameters = Parameters.model_validate(SMALL)
    assert (parameters.training.variants, parameters.shorten().training.variants) == (600, 0)
    short = parameters.shorten().training.stages
    assert [stage.steps for stage in short] == [2, 2]
    assert [stage.size for stage in short] == [72, 96]
    assert [stage.steps for stage in parameters.training.stages] == [100, 50]


@pytest.mark.parametrize("size", [70, 71, 73])
def test_a_stage_whose_size_the_scale_does_not_divide_is_refused(size: int) -> None:
    training = {"stages": [{"size": 72, "steps": 1}, {"size": size, "steps": 1}]}
    with pytest.raises(ValidationError) as caught:
        Parameters.model_validate(SMALL | {"training": training})
    (mistake,) = caught.value.errors()
    assert mistake["loc"] == ("training", "stages", 1, "size")
    assert mistake["msg"].startswith(f"{size} is no multiple of the model's scale 3. Take {72 if size < 73 else 75}.")


@pytest.mark.parametrize(
    "recipe",
    [[], [{"resize": {"factor": 2}}], [{"resize": {"factor": [2, 3]}}], [{"resize": {"min_side": 96}}]],
)
def test_a_model_that_enlarges_needs_its_own_resize(recipe: list[object]) -> None:
    with pytest.raises(ValidationError, match="the scale is 3, but the recipe") as caught:
        Parameters.model_validate(SMALL | {"recipe": recipe})
    assert caught.value.errors()[0]["loc"] == ("model", "upscaler", "scale")
    Parameters.model_validate(SMALL | {"recipe": recipe, "model": {"upscaler": {"scale": 1}}})


PAIRS = {"kind": "pairs", "pairs": {"degraded": "~/bad", "target": "~/good"}}


@pytest.mark.parametrize("sources", [{"source": PAIRS}, {"test_source": PAIRS}])
def test_given_pairs_cannot_be_damaged_again(sources: dict[str, object]) -> None:
    (place,) = sources
    Parameters.model_validate(SMALL | sources)
    with pytest.raises(ValidationError, match=rf"{place} \(kind: pairs\) .* not 20 times. Take repeats: 1") as caught:
        Parameters.model_validate(SMALL | sources | {"evaluation": {"repeats": 20}})
    assert caught.value.errors()[0]["loc"] == ("evaluation", "repeats")
    assert Parameters.model_validate(SMALL | {"evaluation": {"repeats": 20}}).evaluation.repeats == 20
