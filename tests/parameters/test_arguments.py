"""What is typed after ``--params``, or written in a file, arrives as it is there."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncrappify.errors import UserError
from uncrappify.parameters.arguments import Typed, as_plain, parse_arguments
from uncrappify.parameters.loader import ConfigLoader
from uncrappify.parameters.tree import complete

TASK = """
superres:
  template: restoration
  source: {kind: folder, folder: {path: %s}}
  recipe: [{resize: {factor: 3}}, {jpeg: {quality: 60}}]
  training: {stages: [{size: 72, steps: 7, lr: 1.0e-3, loss: [{l1: 1.0}]}]}
"""
SECTIONS = {"superres": {"template": "restoration"}}


def load(folder: Path, params: str = "", *, path: str = "x", local: str = "") -> dict:
    """Complete the parameters of a project, as a run does."""
    for name, text in (("base", TASK % path), ("local", local)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "parameters.yml").write_text(text, encoding="utf-8")
    options = {"base_env": "base", "default_run_env": "local", "merge_strategy": {"parameters": "soft"}}
    loader = ConfigLoader(str(folder), None, parse_arguments(params), **options)
    return complete(loader["parameters"], SECTIONS, written=loader.written)["superres"]


@given(st.lists(st.text(st.sampled_from("ab1=,.\\ \n#'{[${~é"), max_size=12), min_size=1, max_size=4))
def test_what_is_joined_is_split_into_the_same_values(values: list[str]) -> None:
    # A backslash before the comma between two values is that comma's.
    values = [value.rstrip("\\") for value in values[:-1]] + values[-1:]
    joined = ",".join(f"group.name{number}={value.replace(',', chr(92) + ',')}" for number, value in enumerate(values))
    assert list(parse_arguments(joined)["group"].values()) == values


@pytest.mark.parametrize(
    ("typed", "tree"),
    [
        ("pictures=Rome, Italy,superres.seed=7", {"pictures": "Rome, Italy", "superres": {"seed": "7"}}),
        (r"pictures=a\,b=c", {"pictures": "a,b=c"}),
        ("a=1, b.c=2", {"a": "1", "b": {"c": "2"}}),
        ("a=[{x: 1}, {y: 2}],b=x=y,", {"a": "[{x: 1}, {y: 2}]", "b": "x=y,"}),
        (" ", {}),
    ],
)
def test_a_comma_belongs_to_the_value_unless_a_name_follows(typed: str, tree: dict) -> None:
    assert parse_arguments(typed) == tree


def test_several_options_are_taken_together_and_a_value_given_twice_is_a_mistake() -> None:
    assert parse_arguments("smoke=true", "pictures=a,b") == {"smoke": "true", "pictures": "a,b"}
    for wrong in (("a=1", "a=2"), ("a=1,a.b=2",), ("a.b=1,a=2",)):
        with pytest.raises(UserError, match="is given twice"):
            parse_arguments(*wrong)
    with pytest.raises(UserError, match=re.escape('--params: "smoke" does not begin with the name')):
        parse_arguments("smoke")


@pytest.mark.parametrize("text", ["2024.10", "007", "1e3", "yes", "null", "[set1]", "{a}", "2024-01-01", "1_000", "~"])
def test_a_text_in_a_file_is_taken_as_it_is_written(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, path=text)["source"]["folder"]["path"] == text
    local = f"superres: {{source: {{folder: {{path: {text}}}}}}}"
    assert load(tmp_path, local=local)["source"]["folder"]["path"] == text


def test_a_text_that_is_put_together_is_not_taken_from_another_file(tmp_path: Path) -> None:
    local = 'superres: {seed: 2024, source: {folder: {path: "${superres.seed}"}}}'
    assert load(tmp_path, path="Photos", local=local)["source"]["folder"]["path"] == "2024"


def test_a_value_is_of_its_fields_type_and_is_recorded_as_typed(tmp_path: Path) -> None:
    done = load(tmp_path, "superres.seed=010,superres.training.betas=[0.5, 9.0e-1],superres.training.lr_find=yes")
    assert (done["seed"], done["training"]["betas"], done["training"]["lr_find"]) == (10, [0.5, 0.9], True)
    given = {"pictures": Typed("2024.10"), "smoke": Typed("true"), "a": {"b": Typed("7"), "c": 1.5}}
    assert as_plain(given) == {"pictures": "2024.10", "smoke": True, "a": {"b": 7, "c": 1.5}}


def test_a_value_inside_an_element_that_is_there_can_be_set(tmp_path: Path) -> None:
    given = (
        "superres.training.stages.0.steps=5,superres.recipe.1.jpeg.quality=30,superres.training.stages.0.loss.0.l1=2"
    )
    done = load(tmp_path, given)
    (stage,) = done["training"]["stages"]
    assert (stage["steps"], stage["size"], stage["lr"], stage["loss"]) == (5, 72, 1e-3, [{"l1": 2.0}])
    assert done["recipe"] == [*load(tmp_path)["recipe"][:1], {"jpeg": {"probability": 1.0, "quality": 30}}]
    with pytest.raises(UserError, match=r"^superres\.training\.stages\.1: there is no such element; .* has 1, counted"):
        load(tmp_path, "superres.training.stages.1.steps=5")
    with pytest.raises(UserError, match=r"^superres\.training\.stages: expected stages: \["):
        load(tmp_path, "superres.training.stages.first.steps=5")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("superres: {seed: 7}".encode("utf-16"), "parameters.yml: the file is UTF-16. Save it as UTF-8."),
        ("# ü\nsuperres: {}".encode("latin-1"), "parameters.yml: the file is not UTF-8 (line 1). Save it as UTF-8."),
        (b"superres:\n\tseed: 7", "parameters.yml, line 2: this is no valid YAML (found character"),
        (b"superres:\n  seed: 7\n  seed: 8", "parameters.yml, line 3: this is no valid YAML (found duplicate key"),
        (b"- superres", "parameters.yml: expected names with values"),
        (b"superres: {source: {folder: {path: @home}}}", "parameters.yml, line 1: this is no valid YAML (found char"),
    ],
)
def test_a_broken_file_is_told_in_a_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    load(tmp_path)
    (tmp_path / "local" / "parameters.yml").write_bytes(content)
    options = {"base_env": "base", "default_run_env": "local", "merge_strategy": {"parameters": "soft"}}
    with pytest.raises(UserError) as caught:
        ConfigLoader(str(tmp_path), None, {}, **options)["parameters"]
    assert told in str(caught.value)
    (tmp_path / "local" / "parameters.yml").write_bytes(b"\xef\xbb\xbfsuperres: {seed: 7}")
    assert ConfigLoader(str(tmp_path), None, {}, **options)["parameters"]["superres"]["seed"] == 7


def test_nan_in_the_place_of_a_section_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^superres: "):
        load(tmp_path, "superres=.nan")
