import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from uncrappify.degradations import STEPS, Recipe

PAGE = (Path(__file__).parents[2] / "docs" / "add-a-degradation.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def posterize(tmp_path):
    (code,) = blocks("python")
    file = tmp_path / "posterize.py"
    file.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("posterize", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    STEPS.pop("posterize", None)


def test_the_step_of_the_page_works_in_a_recipe(posterize, picture):
    recipe = Recipe.model_validate([{"posterize": {"bits": [2, 3]}}])
    drawn = recipe.draw("cat", 1)["posterize.bits"]
    degraded = recipe.degrade(picture, "cat", 1)
    assert drawn in (2, 3)
    assert {value % 2 ** (8 - drawn) for value in degraded.tobytes()} == {0}
    assert degraded.tobytes() == posterize.Posterize(bits=drawn).apply(picture, bits=drawn).tobytes()


def test_the_steps_class_is_at_most_ten_lines():
    (code,) = blocks("python")
    lines = code[code.index("class Posterize") :].strip().splitlines()
    assert len(lines) <= 10


def test_the_lessons_recipes_are_the_ones_on_the_page(picture):
    _, restoration, superres = (Recipe.model_validate(yaml.safe_load(block)["recipe"]) for block in blocks("yaml"))
    assert [step.name for step in restoration.root] == ["resize", "text", "jpeg"]
    assert [step.name for step in superres.root] == ["resize", "jpeg"]
    drawn = [restoration.draw(str(index), 42) for index in range(300)]
    qualities = [each["jpeg.quality"] for each in drawn]
    assert (min(qualities), max(qualities)) == (10, 70)
    assert all(each["text.content"] == str(each["jpeg.quality"]) for each in drawn)
    assert max(each["text.x"] for each in drawn) <= 0.5
    assert {superres.draw(str(index), 42)["jpeg.quality"] for index in range(9)} == {60}
    assert restoration.degrade(picture, "cat", 42).size == superres.degrade(picture, "cat", 42).size == (127, 96)


def test_every_step_is_described_on_the_page():
    assert all(f"| `{name}` |" in PAGE for name in STEPS)
