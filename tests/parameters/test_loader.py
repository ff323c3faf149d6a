"""The configuration is found in the project's own folder alone, and what is wrong in a file is told with the file."""

from pathlib import Path
from typing import Any

import pytest

from uncrappify.errors import UserError
from uncrappify.parameters.files import find_written
from uncrappify.parameters.loader import ConfigLoader


def load(conf: Path, base: str, local: str) -> dict[str, Any]:
    for environment, text in (("base", base), ("local", local)):
        (conf / environment).mkdir(parents=True)
        (conf / environment / "parameters.yml").write_text(text)
    loader = ConfigLoader(str(conf), base_env="base", default_run_env="local", merge_strategy={"parameters": "soft"})
    return loader["parameters"]


@pytest.mark.parametrize(
    ("local", "told"),
    [
        ("one: {steps: {jpeg: 5}}", "one.steps: expected a list, got names with values. Give the whole list"),
        ("one: {model: {layers: {0: {size: 5}}}}", "one.model.layers: expected a list, got names with values."),
        ("one: {model: [1]}", "one.model: expected names with values, got a list."),
        ("one: [1, 2]", "one: expected names with values, got a list."),
        ("42", "expected names with values, such as superres: {seed: 7}, got a list or one value."),
        ("[one]", "expected names with values, such as superres: {seed: 7}, got a list or one value."),
    ],
)
def test_a_list_for_names_or_the_reverse_is_told_with_the_file(tmp_path: Path, local: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path / "conf", "one: {steps: [{resize: 2}], model: {layers: [{size: 3}]}}", local)
    assert str(caught.value).startswith(f"{tmp_path}/conf/local/parameters.yml: {told}")


@pytest.mark.parametrize("local", ["one: {<<: {path: 1e3}}", "one: {<<: {path: 5}, path: 1e3}", "one: {path: 1e3}"])
def test_a_value_is_found_as_it_is_written_also_in_a_merge_key(tmp_path: Path, local: str) -> None:
    file = tmp_path / "parameters.yml"
    file.write_text(local)
    assert find_written(file, ("one", "path"), 1000.0) == "1e3"


@pytest.mark.parametrize(
    "name", ["a?b", "[abc]", "a*", "a#b", "100%41", '"quoted"', "two words", "a;b", "schöne", "{a,b}"]
)
def test_a_folder_is_no_pattern(tmp_path: Path, name: str) -> None:
    for project, seed in ((name, 1), ("axb", 2), ("a", 3)):
        folder = tmp_path / project / "conf" / "base"
        (folder / "parameters").mkdir(parents=True)
        (folder / "parameters" / "one.yml").write_text(f"one: {{seed: {seed}}}")
        (folder / "parameters_more.yml").write_text(f"two: {seed}")
    loader = ConfigLoader(str(tmp_path / name / "conf"), base_env="base", default_run_env="base")
    assert loader["parameters"] == {"one": {"seed": 1}, "two": 1}
