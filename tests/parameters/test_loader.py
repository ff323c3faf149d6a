"""The configuration is found in the project's own folder, and in no other one that its name matches as a pattern."""

from pathlib import Path

import pytest

from uncrappify.parameters.loader import ConfigLoader


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
