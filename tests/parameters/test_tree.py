"""Mistakes in parameters are explained; parameters without mistakes are completed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from uncrappify.errors import UserError
from uncrappify.parameters.delivery import find_models
from uncrappify.parameters.messages import nearest
from uncrappify.parameters.sections import TEMPLATES, import_template
from uncrappify.parameters.tree import complete, flatten, keep_below_smoke, parse_section, schema, write_schemas

CONF = Path(__file__).parents[2] / "conf"
SHIPPED: dict[str, Any] = {
    name: section
    for file in sorted((CONF / "base" / "parameters").glob("*.yml"))
    for name, section in yaml.safe_load(file.read_text(encoding="utf-8")).items()
}
TASKS = {"superres": {"template": "restoration"}}
FILE = """
superres:
  template: restoration
  seed: 42
  source:
    kind: embedded
    embedded: {valid: [rocket], test: [chelsea]}
  recipe:
    - resize: {factor: 3, resample: bicubic}
    - jpeg: {quality: 60}
  model:
    name: upscaler
    upscaler: {scale: 3, channels: 32, blocks: 4}
  training:
    ema: 0.999
    augment: [flip, turn]
    stages:
      - {size: 72, batch_size: 16, steps: 4500, lr: 3.0e-3, loss: [{charbonnier: 1.0}]}
  evaluation: {sheet_rows: 6}
"""


def tree(**changes: Any) -> dict[str, Any]:
    """A parameter file with some values changed, as in ``tree(superres__training__ema=2)``."""
    read: dict[str, Any] = yaml.safe_load(FILE)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = read
        for part in parents:
            node = node[int(part) if isinstance(node, list) else part]
        node[last] = value
    return read


def message(**changes: Any) -> str:
    with pytest.raises(UserError) as caught:
        complete(tree(**changes), TASKS)
    return str(caught.value)


def stage(**changes: Any) -> str:
    return message(**{f"superres__training__stages__0__{key}": value for key, value in changes.items()})


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("trainning", "training"),
        ("training.emma", "ema"),
        ("training.stages.0.stepz", "steps"),
        ("source.embedded.vald", "valid"),
        ("model.upscaler.chanels", "channels"),
        ("evaluation.sheet_row", "sheet_rows"),
    ],
)
def test_a_misspelt_parameter_at_any_depth_is_named_with_the_nearest_right_one(path: str, meant: str) -> None:
    key = path.rsplit(".", 1)[-1]
    told = message(**{f"superres.{path}".replace(".", "__"): 1})
    assert told.startswith(f'superres.{path}: there is no parameter "{key}"; did you mean "{meant}"? Known: ')


def test_a_misspelt_parameter_that_had_to_be_there_is_one_mistake() -> None:
    told = message(superres__training__stages=[{"stepz": 5}])
    assert told.splitlines() == [
        'superres.training.stages.0.stepz: there is no parameter "stepz"; did you mean "steps"? '
        "Known: size, batch_size, steps, epochs, lr, freeze_encoder, freeze_batch_norm, schedule, pct_start, loss."
    ]


def test_a_misspelt_option_of_a_step_is_named_with_the_nearest_right_one() -> None:
    assert message(superres__recipe=[{"jpeg": {"qualty": 60}}]) == (
        'superres.recipe.0.jpeg.qualty: there is no parameter "qualty"; did you mean "quality"? '
        "Known: probability, quality."
    )


def test_an_unknown_top_level_name_is_named_with_the_nearest_right_one() -> None:
    assert message(smok=True) == (
        'There is no parameter "smok"; did you mean "smoke"? Known: superres, pictures, text, weights, mirror, memory, '
        "smoke."
    )
    assert 'did you mean "superres"?' in message(superress={})


def test_a_section_of_another_pipeline_is_checked_too() -> None:
    with pytest.raises(UserError, match=r"^deblur\.recipe is missing: expected recipe: \[\{gaussian_blur"):
        complete(tree(deblur={"training": {"stages": [{"steps": 1}]}}), TASKS | {"deblur": {"template": "restoration"}})


def test_a_pipeline_without_parameters_says_what_is_missing() -> None:
    with pytest.raises(UserError) as caught:
        complete({}, TASKS)
    first, second = str(caught.value).splitlines()
    assert first.startswith("superres.recipe is missing: expected recipe: [{gaussian_blur | ")
    assert second.startswith("superres.training is missing: expected training: {stages, ema, weight_decay, ")


def test_an_empty_section_shows_the_expected_form() -> None:
    assert message(superres=None) == (
        "superres: expected {template, seed, source, test_source, recipe, evaluation, model, training}, got nothing."
    )


@pytest.mark.parametrize("given", [5, {"size": 72}, "many"])
def test_a_wrong_type_shows_the_expected_form_with_its_keys(given: object) -> None:
    told = message(superres__training__stages=given)
    keys = "size, batch_size, steps, epochs, lr, freeze_encoder, freeze_batch_norm, schedule, pct_start, loss"
    assert told.startswith(f"superres.training.stages: expected stages: [{{{keys}}}], got ")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"superres__seed": "x"}, 'seed: expected a whole number of at least 0 and below 4294967296, got "x".'),
        ({"superres__seed": 1.5}, "seed: expected a whole number of at least 0 and below 4294967296, got 1.5."),
        ({"superres__source": 5}, "source: expected source: {kind, archive, embedded, folder, pairs}, got 5."),
        ({"superres__training__betas": 5}, "training.betas: expected betas: [a number, a number], got 5."),
        ({"superres__training__betas": [0.9]}, "training.betas.1 is missing: expected a number of at least 0 and "),
        ({"superres__training__compile": "maybe"}, 'training.compile: expected true or false, got "maybe".'),
        ({"superres__training__stages": []}, "training.stages is empty: expected stages: [{size, batch_size, steps, "),
        (
            {"superres__training__stages": [5]},
            "training.stages.0: expected {size, batch_size, steps, epochs, lr, ",
        ),
        (
            {"superres__training__stages__0__loss": {"l1": 1}},
            "training.stages.0.loss: expected loss: [{l1 | l1_y | mse | charbonnier | feature}], got {l1: 1}.",
        ),
    ],
)
def test_a_wrong_type_is_told_in_the_words_of_yaml(changes: dict[str, Any], told: str) -> None:
    assert message(**changes).startswith(f"superres.{told}")


@pytest.mark.parametrize(
    ("path", "value", "range_"),
    [
        ("seed", -1, "a whole number of at least 0 and below 4294967296"),
        ("evaluation.sheet_rows", 25, "a whole number from 1 to 24"),
        ("training.ema", 1, "a number of at least 0 and below 1"),
        ("training.stages.0.steps", 0, "a whole number of at least 1"),
        ("training.stages.0.size", 10_000, "a whole number from 8 to 2048"),
        ("training.stages.0.batch_size", 5000, "a whole number from 1 to 1024"),
        ("training.variants", 1_000_000, "a whole number from 0 to 100000"),
        ("model.upscaler.scale", 0, "a whole number from 1 to 8"),
    ],
)
def test_a_value_out_of_range_is_told_with_the_range(path: str, value: float, range_: str) -> None:
    told = message(**{f"superres.{path}".replace(".", "__"): value})
    assert told == f"superres.{path}: expected {range_}, got {value}."


@pytest.mark.parametrize("betas", [[1, 0.9], [0.9, 1.0], [-0.1, 0.9]])
def test_betas_are_decays(betas: list[float]) -> None:
    number, wrong = next((number, beta) for number, beta in enumerate(betas) if not 0 <= beta < 1)
    assert message(superres__training__betas=betas) == (
        f"superres.training.betas.{number}: expected a number of at least 0 and below 1, got {wrong}."
    )


@pytest.mark.parametrize(
    "path",
    [
        "training.stages.0.lr",
        "training.weight_decay",
        "training.stages.0.loss.0.charbonnier",
    ],
)
def test_a_number_is_finite(path: str) -> None:
    told = message(**{f"superres.{path}".replace(".", "__"): float("inf")})
    assert told == f"superres.{path}: expected finite numbers, got .inf."


def test_a_weight_among_the_options_of_a_loss_is_finite() -> None:
    told = stage(loss=[{"feature": {"weights": [1, float("inf"), 1]}}])
    assert told == "superres.training.stages.0.loss.0.feature.weights: expected finite numbers, got [1.0, .inf, 1.0]."


def test_an_unknown_model_lists_the_known_ones() -> None:
    assert message(superres__model__name="upscale") == (
        'superres.model.name: there is no choice "upscale"; did you mean "upscaler"? Known: upscaler, unet.'
    )


def test_an_unknown_loss_lists_the_known_ones() -> None:
    assert stage(loss=[{"l3": 1.0}]) == (
        'superres.training.stages.0.loss: there is no loss "l3"; did you mean "l1"? '
        "Known: l1, l1_y, mse, charbonnier, feature."
    )


def test_a_loss_without_weight_or_with_a_bad_one_is_refused() -> None:
    assert stage(loss=[{"l1": "x"}]) == 'superres.training.stages.0.loss.0.l1: expected a number above 0, got "x".'
    assert "the weight of a loss is greater than 0" in stage(loss=[{"l1": -1}])
    assert "each entry is one loss with its weight, such as - l1: 1.0" in stage(loss=[{"l1": 1, "mse": 1}])


def test_an_unknown_recipe_step_lists_the_known_ones() -> None:
    assert message(superres__recipe=[{"jpg": {"quality": 60}}]) == (
        'superres.recipe.0: there is no step "jpg"; did you mean "jpeg"? Known: '
        "gaussian_blur, gaussian_noise, grey, jpeg, motion_blur, resize, scratches, text."
    )


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"jpeg": {"quality": 600}}, "jpeg.quality: should be a whole number from 1 to 100, or two of them"),
        ({"jpeg": {"quality": [70, 10]}}, "jpeg.quality: should be [lowest, highest], but 70 is above 10."),
        ({"jpeg": {"quality": "high"}}, "jpeg.quality: should be a whole number from 1 to 100, or two of them"),
        ({"jpeg": {"quality": 60, "probability": 2}}, "jpeg.probability: expected a number from 0 to 1, got 2."),
        ({"jpeg": 60}, "jpeg: expected jpeg: {probability, quality}, got 60."),
        ({"resize": {}}, "resize: give either factor (such as 3) or min_side (such as 96)."),
        ({"text": {}}, 'text: content "{jpeg.quality}" names jpeg.quality, which no step of this recipe draws; known:'),
    ],
)
def test_a_mistake_in_a_step_says_where_and_what_fits(step: dict[str, Any], told: str) -> None:
    assert message(superres__recipe=[{"resize": {"factor": 3}}, step]).startswith(f"superres.recipe.1.{told}")


@pytest.mark.parametrize(
    ("recipe", "found"),
    [
        ([{"resize": {"factor": 2}}], "the scale is 3, but the recipe has factor 2."),
        ([{"jpeg": {"quality": 60}}], "the scale is 3, but the recipe does not make pictures smaller by a fixed"),
    ],
)
def test_a_scale_that_the_recipe_does_not_have_is_refused(recipe: list[Any], found: str) -> None:
    told = message(superres__recipe=recipe)
    assert told.startswith(f"superres.model.upscaler.scale: {found}")
    assert "resize: {factor: 3}" in told


def test_scale_1_takes_any_recipe() -> None:
    done = complete(tree(superres__recipe=[{"resize": {"factor": 2}}], superres__model__upscaler={"scale": 1}), TASKS)
    assert done["superres"]["model"]["upscaler"] == {"scale": 1, "channels": 32, "blocks": 4}


def test_crops_whose_size_is_no_multiple_of_the_scale_are_refused() -> None:
    assert stage(size=70) == "superres.training.stages.0.size: 70 is no multiple of the model's scale 3. Take 72."


def test_five_mistakes_are_told_and_the_rest_counted() -> None:
    training = {"stages": 5, "ema": 2, "emma": 1, "compile": "x", "precision": "x"}
    lines = message(superres__seed=-1, superres__evaluation=1, superres__training=training).splitlines()
    assert len(lines) == 6
    assert lines[-1] == "... and 2 more."


def test_no_message_is_long_or_speaks_of_the_library() -> None:
    mistakes: list[dict[str, Any]] = [
        {"superres": 5},
        {"superres__seed": "x" * 500},
        {"superres__recipe": {"jpeg": {"quality": 60}}},
        {"superres__recipe": ["jpeg"]},
        {"superres__source": {"kind": "folder"}},
        {"superres__training": None},
        {"superres__training__augment": ["flipp"]},
        {"superres__training__betas": [0.9, 0.99, 0.999]},
        {"superres__training__stages__0__lr": [1, 2]},
        {"superres__training__stages__0__lr": float("nan")},
    ]
    for changes in mistakes:
        told = message(**changes)
        assert told.startswith(next(iter(changes)).replace("__", ".")), told
        assert len(told) < 300, told
        assert "\n" not in told
        for jargon in ("pydantic", "http", "input should", "validation", "valid ", "type=", "NoneType", "after "):
            assert jargon not in told.lower(), told


def test_defaults_are_filled_in() -> None:
    done = complete(
        {"superres": {"recipe": [], "model": {"upscaler": {"scale": 1}}, "training": {"stages": [{"steps": 7}]}}}, TASKS
    )
    assert done["smoke"] is False
    assert done["superres"]["seed"] == 42
    assert done["superres"]["source"]["kind"] == "embedded"
    assert done["superres"]["training"]["stages"] == [
        {
            "size": 72,
            "batch_size": 16,
            "steps": 7,
            "epochs": None,
            "lr": 1e-3,
            "freeze_encoder": False,
            "freeze_batch_norm": False,
            "schedule": "one_cycle",
            "pct_start": 0.3,
            "loss": [{"charbonnier": 1.0}],
        }
    ]


def test_the_shipped_parameters_are_right() -> None:
    assert set(complete(SHIPPED, SHIPPED)) == {*SHIPPED, "memory", "smoke"}


SEVERAL = [name for name, section in SHIPPED.items() if "delivers" in section]


@pytest.mark.parametrize("pipeline", SEVERAL)
def test_what_a_pipeline_delivers_is_one_of_its_models_the_last_the_best_or_none(pipeline: str) -> None:
    section = SHIPPED[pipeline]
    models = find_models(section)
    for right in ("", "best", None, *models):
        parse_section(pipeline, {**section, "delivers": right}, section)
    with pytest.raises(UserError) as caught:
        parse_section(pipeline, {**section, "delivers": f"{models[-1]}x"}, section)
    told = f'{pipeline}.delivers: there is no model "{models[-1]}x"; did you mean "{models[-1]}"? Known: {models[0]}, '
    assert str(caught.value).startswith(told)


def test_complete_parameters_are_plain_values_that_stay_as_they_are() -> None:
    done = complete(tree(pictures="~/Pictures", smoke=True), TASKS)
    assert json.loads(json.dumps(done)) == done
    assert complete(done, TASKS) == done
    assert done["superres"]["recipe"][1] == {"jpeg": {"probability": 1.0, "quality": 60}}


def test_pictures_takes_the_place_of_any_source() -> None:
    source = complete(tree(pictures="~/Pictures"), TASKS)["superres"]["source"]
    assert source["kind"] == "folder"
    assert source["folder"] == {"path": "~/Pictures"}


@pytest.mark.parametrize("name", ["pictures", "mirror"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_a_shortcut_that_is_empty_is_a_mistake(name: str, nothing: object) -> None:
    assert message(**{name: nothing}).startswith(f"{name}: it is empty; give a folder")


def test_a_folder_whose_name_is_a_number_is_taken_as_text() -> None:
    assert complete(tree(pictures=2024), TASKS)["superres"]["source"]["folder"] == {"path": "2024"}


def test_a_mirror_reaches_the_archives_of_every_source() -> None:
    archive = {"name": "a", "file": "a.tar", "sha256": "0" * 64, "size": 1, "licence": "CC0"}
    source = {"kind": "archive", "archive": archive}
    done = complete(tree(mirror="/m", superres__source=source, superres__test_source=source), TASKS)["superres"]
    assert [done[key]["archive"]["mirror"] for key in ("source", "test_source")] == ["/m", "/m"]


def test_smoke_trains_two_batches_a_stage() -> None:
    stages = [{"steps": 100}, {"steps": 1000, "lr": 1e-4}]
    done = complete(tree(smoke=True, superres__training__stages=stages), TASKS)["superres"]["training"]["stages"]
    assert [(stage["steps"], stage["lr"]) for stage in done] == [(2, 1e-3), (2, 1e-4)]


def test_shortcuts_are_meant_for_the_pipelines_that_run() -> None:
    pairs = {"kind": "pairs", "pairs": {"degraded": "bad", "target": "good"}}
    section = tree()["superres"] | {"source": pairs, "recipe": []}
    sections = TASKS | {"deblur": {"template": "restoration"}}
    given = tree(pictures="~/Pictures", smoke=True) | {"deblur": section}
    done = complete(given, sections, ["superres"])
    assert done["superres"]["source"]["kind"] == "folder"
    assert done["deblur"]["source"]["kind"] == "pairs"
    assert [done[name]["training"]["stages"][0]["steps"] for name in sections] == [2, 4500]
    with pytest.raises(UserError, match=r"pictures: this pipeline's source \(kind: pairs\) has its own degraded"):
        complete(given, sections, ["superres", "deblur"])


def test_a_stage_has_steps_or_epochs() -> None:
    assert stage(steps=None) == "superres.training.stages.0.steps is missing: expected a whole number of at least 1."
    assert stage(epochs=2) == "superres.training.stages.0.epochs: there are steps too; give one of both."


def test_there_is_something_to_train_or_to_start_from() -> None:
    stages = {"superres__training__stages": []}
    assert message(**stages).startswith(
        "superres.training.stages is empty: expected stages: [{size, batch_size, steps, "
    )
    done = complete(tree(**stages, superres__model__weights="some.safetensors"), TASKS)["superres"]
    assert done["training"]["stages"] == []
    assert Path(done["model"]["weights"]) == Path("some.safetensors").absolute()


def test_a_smoke_run_keeps_everything_in_a_place_of_its_own() -> None:
    catalog = {"a": {"path": "data/01_raw", "filepath": "data/06_models/data/x", "type": "b.data"}, "c": [1, "data/y"]}
    assert keep_below_smoke(catalog) == {
        "a": {"path": "data/smoke/01_raw", "filepath": "data/smoke/06_models/data/x", "type": "b.data"},
        "c": [1, "data/smoke/y"],
    }


def test_flatten_gives_dotted_names_and_plain_values() -> None:
    flat = dict(flatten(complete(tree(), TASKS)))
    assert flat["superres.training.stages.0.lr"] == 0.003
    assert flat["superres.training.stages.0.loss.0.charbonnier"] == 1.0
    assert flat["superres.recipe.0.resize.factor"] == 3
    assert flat["superres.training.augment"] == ["flip", "turn"]
    assert flat["superres.source.folder"] is None
    assert not any(isinstance(value, Mapping) for value in flat.values())


def test_flatten_keeps_what_is_empty() -> None:
    assert dict(flatten({"a": {}, "b": [], "c": {"d": [{"e": 1}, 2]}})) == {"a": {}, "b": [], "c.d.0.e": 1, "c.d.1": 2}


def test_a_name_like_no_other_gets_no_guess() -> None:
    assert nearest("loss", "zzz", ["l1", "mse"]) == 'There is no loss "zzz". Known: l1, mse.'


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_committed_schemas_are_current(template: str, tmp_path: Path) -> None:
    write_schemas(tmp_path)
    written = (tmp_path / f"{template}.json").read_text(encoding="utf-8")
    hint = "run python -m uncrappify.parameters.tree"
    assert (CONF / "schema" / f"{template}.json").read_text(encoding="utf-8") == written, hint


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_schema_describes_a_file_of_sections(template: str) -> None:
    described = schema(template)
    assert described["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert described["type"] == "object"
    assert described["title"]
    assert described["description"]
    assert described["additionalProperties"] == {"$ref": "#/$defs/Parameters"}
    section = described["$defs"]["Parameters"]
    assert list(section["properties"]) == list(import_template(template).Parameters.model_fields)
    names_models = getattr(import_template(template).Parameters, "each", None) is not None
    assert section["additionalProperties"] == ({"$ref": "#/$defs/Model"} if names_models else False)
    references = json.dumps(described).split('"$ref": "#/$defs/')[1:]
    assert {reference.split('"')[0] for reference in references} <= set(described["$defs"])


APPLY = TASKS | {"apply": {"template": "apply"}}


def test_weights_and_pictures_are_what_a_pipeline_applies() -> None:
    given = tree(weights="models:/nice@best", pictures="~/Pictures") | {"apply": {"template": "apply"}}
    done = complete(given, APPLY, ["apply"])
    assert (done["apply"]["weights"], done["apply"]["pictures"]) == ("models:/nice@best", "~/Pictures")
    # The training that does not run takes neither.
    assert done["superres"]["source"]["kind"] != "folder"
    assert done["apply"]["options"] == {
        "format": None,
        "quality": None,
        "scale_to": None,
        "tile": None,
        "tta": False,
        "device": "auto",
        "overwrite": False,
    }


def test_weights_have_no_meaning_for_a_training() -> None:
    assert message(weights="superres") == (
        "weights: a pipeline of the template restoration trains its own. To use some, run the pipeline apply "
        "(--pipeline apply); to start a training from some, give them as its model.weights."
    )


def test_a_wrong_option_of_apply_is_told() -> None:
    given = tree() | {"apply": {"template": "apply", "options": {"formt": "png"}}}
    with pytest.raises(UserError, match=r'apply.options.formt: there is no parameter "formt"; did you mean "format"'):
        complete(given, APPLY, ["apply"])
