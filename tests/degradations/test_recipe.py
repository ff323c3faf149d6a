import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from pydantic import BaseModel, ConfigDict, ValidationError

from uncrappify.degradations import Recipe

EVERYTHING: list[dict[str, Any]] = [
    {"resize": {"min_side": [60, 90]}},
    {"text": None},
    {"gaussian_blur": {"radius": [0.2, 1], "probability": 0.5}},
    {"motion_blur": {"length": [1, 3]}},
    {"scratches": {"number": [1, 5]}},
    {"gaussian_noise": {"sigma": [1, 5]}},
    {"jpeg": {"quality": [10, 70]}},
]


class Task(BaseModel):
    model_config = ConfigDict(extra="forbid")
    recipe: Recipe


def recipe_of(*steps: dict[str, Any]) -> Recipe:
    return Recipe.model_validate(list(steps))


def errors_of(steps: Any) -> list[tuple[tuple[int | str, ...], str, str]]:
    with pytest.raises(ValidationError) as caught:
        Task.model_validate({"recipe": steps})
    return [(error["loc"], error["type"], error["msg"]) for error in caught.value.errors()]


def test_the_same_name_and_seed_give_the_same_bytes(picture):
    recipe = recipe_of(*EVERYTHING)
    first = recipe.degrade(picture, "cat", 42)
    assert first.tobytes() == recipe_of(*EVERYTHING).degrade(picture.copy(), "cat", 42).tobytes()
    assert first.tobytes() != recipe.degrade(picture, "dog", 42).tobytes()
    assert first.tobytes() != recipe.degrade(picture, "cat", 43).tobytes()


def test_neither_order_nor_threads_change_a_byte(picture):
    recipe = recipe_of(*EVERYTHING)
    names = [f"picture {index}" for index in range(24)]
    one_by_one = {name: recipe.degrade(picture, name, 1).tobytes() for name in names}
    with ThreadPoolExecutor(4) as pool:
        backwards = dict(
            zip(reversed(names), pool.map(lambda n: recipe.degrade(picture, n, 1).tobytes(), names[::-1]), strict=True)
        )
    assert one_by_one == backwards
    assert len(set(one_by_one.values())) == len(names)


def test_another_process_draws_the_same():
    code = "from uncrappify.degradations import Recipe; print(Recipe.model_validate([{'jpeg': {'quality': [1, 100]}}])"
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}.draw('Z\\u00fcrich/a b', 7))"], capture_output=True, text=True, check=True
    )
    drawn = recipe_of({"jpeg": {"quality": [1, 100]}}).draw("Zürich/a b", 7)
    assert printed.stdout.strip() == str(drawn)
    # Written down: a changed hash would quietly degrade every picture of every user anew.
    assert drawn == {"jpeg.quality": 4}


def test_a_steps_draws_do_not_depend_on_other_steps():
    alone = recipe_of({"jpeg": {"quality": [1, 100]}})
    behind = recipe_of({"grey": None}, {"gaussian_noise": {"sigma": [0, 9]}}, {"jpeg": {"quality": [1, 100]}})
    for name in ("a", "b", "c"):
        assert alone.draw(name, 5)["jpeg.quality"] == behind.draw(name, 5)["jpeg.quality"]


def test_the_draws_are_flat_and_a_repeated_step_is_numbered():
    drawn = recipe_of(*EVERYTHING, {"jpeg": {"quality": 30}}).draw("cat", 1)
    assert set(drawn) == {
        "resize.min_side",
        "text.x",
        "text.y",
        "text.size",
        "text.content",
        "gaussian_blur.applied",
        "gaussian_blur.radius",
        "motion_blur.length",
        "motion_blur.angle",
        "scratches.number",
        "scratches.dust",
        "gaussian_noise.sigma",
        "jpeg.quality",
        "jpeg_2.quality",
    }
    assert drawn["jpeg_2.quality"] == 30
    assert 60 <= drawn["resize.min_side"] <= 90
    assert type(drawn["gaussian_blur.applied"]) is bool


def test_two_steps_of_one_kind_draw_apart():
    recipe = recipe_of({"jpeg": {"quality": [1, 100]}}, {"jpeg": {"quality": [1, 100]}})
    drawn = [recipe.draw(str(index), 1) for index in range(100)]
    assert sum(each["jpeg.quality"] == each["jpeg_2.quality"] for each in drawn) < 10


def test_the_quality_that_is_written_is_the_one_that_jpeg_used(picture):
    recipe = recipe_of({"text": {"size": 40}}, {"jpeg": {"quality": [10, 70]}})
    drawn = recipe.draw("cat", 3)
    assert drawn["text.content"] == str(drawn["jpeg.quality"])
    place = {"x": drawn["text.x"], "y": drawn["text.y"]}
    random = np.random.default_rng(0)
    by_hand = recipe.root[0].apply(picture, content=str(drawn["jpeg.quality"]), size=40, random=random, **place)
    by_hand = recipe.root[1].apply(by_hand, quality=drawn["jpeg.quality"])
    assert recipe.degrade(picture, "cat", 3).tobytes() == by_hand.tobytes()


@pytest.mark.parametrize(("probability", "expected"), [(0, 0), (1, 400), (0.5, 200)])
def test_probability_is_the_share_of_pictures_that_are_touched(probability, expected):
    recipe = recipe_of({"grey": {"probability": probability}})
    coloured = Image.new("RGB", (2, 2), (200, 10, 10))
    touched = sum(recipe.degrade(coloured, str(i), 1).getpixel((0, 0)) != (200, 10, 10) for i in range(400))
    assert abs(touched - expected) <= (40 if 0 < probability < 1 else 0)


def test_degrading_leaves_the_good_picture_as_it_was(picture):
    before = picture.tobytes()
    recipe_of(*EVERYTHING).degrade(picture, "cat", 1)
    assert picture.tobytes() == before


def test_an_empty_recipe_does_nothing(picture):
    assert ImageChops.difference(recipe_of().degrade(picture, "cat", 1), picture).getbbox() is None


def test_a_picture_that_is_not_rgb_is_refused():
    with pytest.raises(ValueError, match="the mode L; a recipe takes and gives 8-bit RGB"):
        recipe_of({"grey": None}).degrade(Image.new("L", (4, 4)), "cat", 1)


@pytest.mark.parametrize(
    ("steps", "scale"),
    [
        ([{"resize": {"factor": 3}}, {"jpeg": {"quality": 60}}], 3),
        ([{"gaussian_blur": {"radius": 1}}, {"resize": {"factor": 4.0}}], 4),
        ([{"resize": {"factor": 2.5}}], None),
        ([{"resize": {"factor": [2, 4]}}], None),
        ([{"resize": {"factor": 3, "probability": 0.9}}], None),
        ([{"resize": {"min_side": 96}}], None),
        ([{"resize": {"factor": 2}}, {"resize": {"factor": 2}}], None),
        ([{"jpeg": {"quality": 60}}], None),
    ],
)
def test_scale_is_the_one_sure_whole_factor(steps, scale):
    assert recipe_of(*steps).scale == scale


@pytest.mark.parametrize("factor", [2, 3, 4, 16])
def test_the_cropped_target_is_exactly_scale_times_the_degraded_picture(picture, factor):
    recipe = recipe_of({"resize": {"factor": factor}}, {"jpeg": {"quality": 60}})
    degraded, target = recipe.degrade(picture, "cat", 1), recipe.crop_target(picture, "cat", 1)
    assert target.size == (degraded.width * factor, degraded.height * factor)


def test_a_target_without_a_scale_stays_whole(picture):
    assert recipe_of({"resize": {"min_side": 96}}).crop_target(picture, "cat", 1) is picture


def test_a_recipe_goes_to_plain_lists_and_back():
    task = Task.model_validate({"recipe": EVERYTHING})
    plain = task.model_dump(mode="json")
    assert plain["recipe"][0] == {"resize": {"probability": 1.0, "min_side": [60, 90], "resample": "bicubic"}}
    assert plain["recipe"][6] == {"jpeg": {"probability": 1.0, "quality": [10, 70]}}
    assert Task.model_validate(plain) == task
    assert Task.model_validate_json(task.model_dump_json()) == task
    assert pickle.loads(pickle.dumps(task)) == task


def test_the_fingerprint_is_equal_for_the_same_meaning_only():
    plain = recipe_of({"resize": {"factor": 3}}, {"jpeg": {"quality": 60}})
    explicit = recipe_of({"resize": {"resample": "bicubic", "factor": 3.0}}, {"jpeg": {"quality": [60, 60]}})
    assert plain.fingerprint == explicit.fingerprint
    others = [
        recipe_of({"jpeg": {"quality": 60}}, {"resize": {"factor": 3}}),
        recipe_of({"resize": {"factor": 3}}, {"jpeg": {"quality": 61}}),
        recipe_of({"resize": {"factor": 3}}, {"jpeg": {"quality": 60, "probability": 0.5}}),
    ]
    assert len({plain.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_an_unknown_step_names_the_nearest_and_the_known_ones():
    ((loc, _, message),) = errors_of([{"resize": {"factor": 3}}, {"jpg": {"quality": 60}}])
    assert loc == ("recipe", 1)
    assert message.startswith('There is no step "jpg"; did you mean "jpeg"? Known: gaussian_blur, ')


def test_a_wrong_option_says_where_it_is():
    assert errors_of([{"grey": None}, {"jpeg": {"quality": 0}}])[0][0] == ("recipe", 1, "jpeg", "quality")
    assert errors_of([{"jpeg": {"quality": 60, "qualty": 3}}])[0][:2] == (
        ("recipe", 0, "jpeg", "qualty"),
        "extra_forbidden",
    )
    assert errors_of([{"jpeg": None}])[0][:2] == (("recipe", 0, "jpeg", "quality"), "missing")


@pytest.mark.parametrize("entry", ["grey", {}, {"grey": None, "jpeg": {"quality": 3}}, 3])
def test_an_entry_that_is_not_one_step_shows_the_form(entry):
    ((loc, _, message),) = errors_of([entry])
    assert loc == ("recipe", 0)
    assert message == "a step is one name with its options, as in - jpeg: {quality: 60}"


def test_a_recipe_is_a_list():
    assert errors_of({"grey": {}}) == [(("recipe",), "list_type", "Input should be a valid list")]


def test_text_that_names_a_step_which_is_not_there_is_refused():
    ((loc, _, message),) = errors_of([{"text": None}, {"grey": None}])
    assert loc == ("recipe", 0, "text")
    assert message.startswith(
        'content "{jpeg.quality}" names jpeg.quality, which no step of this recipe draws; known: '
    )


def test_the_json_schema_has_every_step_with_its_ranges():
    schema = Task.model_json_schema()["$defs"]["Recipe"]
    steps = {name: entry for item in schema["items"]["anyOf"] for name, entry in item["properties"].items()}
    quality = steps["jpeg"]["anyOf"][0]["properties"]["quality"]["anyOf"]
    assert quality[0] == {"type": "integer", "minimum": 1, "maximum": 100}
    assert steps["text"]["anyOf"][0]["properties"]["x"]["default"] == [0, 0.5]
    assert {"resize", "grey", "gaussian_noise", "gaussian_blur"} <= set(steps)


def pair(low: float, high: float) -> st.SearchStrategy[Any]:
    number = st.integers(low, high) if isinstance(low, int) else st.floats(low, high)
    return number | st.tuples(number, number).map(lambda ends: sorted(ends))


STEPS = st.one_of(
    st.fixed_dictionaries({"resize": st.fixed_dictionaries({"factor": pair(1.01, 16.0)})}),
    st.fixed_dictionaries({"resize": st.fixed_dictionaries({"min_side": pair(1, 60)})}),
    st.fixed_dictionaries({"jpeg": st.fixed_dictionaries({"quality": pair(1, 100)})}),
    st.fixed_dictionaries({"text": st.fixed_dictionaries({"x": pair(0.0, 1.0), "content": st.just("7")})}),
    st.fixed_dictionaries(
        {"text": st.fixed_dictionaries({"coverage": pair(0.0, 0.9), "size": pair(1, 30), "content": st.just("7")})}
    ),
    st.fixed_dictionaries({"gaussian_noise": st.fixed_dictionaries({"sigma": pair(0.0, 255.0)})}),
    st.fixed_dictionaries({"gaussian_blur": st.fixed_dictionaries({"radius": pair(0.0, 20.0)})}),
    st.fixed_dictionaries(
        {"motion_blur": st.fixed_dictionaries({"length": pair(1.0, 50.0), "angle": pair(-180.0, 180.0)})}
    ),
    st.fixed_dictionaries(
        {"scratches": st.fixed_dictionaries({"number": pair(0, 9), "width": pair(0.0, 9.0), "dust": pair(0, 9)})}
    ),
    st.fixed_dictionaries({"grey": st.fixed_dictionaries({"probability": st.floats(0, 1)})}),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=5), st.integers(1, 40), st.integers(1, 40), st.text(max_size=9), st.integers())
def test_any_recipe_gives_rgb_that_is_no_larger(steps, width, height, name, seed):
    recipe = Recipe.model_validate(steps)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    degraded = recipe.degrade(Image.fromarray(pixels), name, seed)
    assert degraded.mode == "RGB"
    assert 1 <= degraded.width <= width
    assert 1 <= degraded.height <= height
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe
