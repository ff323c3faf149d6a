"""A YAML file is a pipeline, and finding that out loads nothing heavy."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from uncrappify.errors import UserError
from uncrappify.parameters.sections import read_sections
from uncrappify.parameters.tree import complete
from uncrappify.pipeline_registry import register_pipelines

ROOT = Path(__file__).parents[1]
NODES = ["download", "list", "crappify", "split", "train", "evaluate"]
HEAVY = ["torch", "torchvision", "lightning", "timm", "matplotlib", "skimage", "sklearn"]
DEBLUR = """
deblur:
  template: restoration
  recipe: [{gaussian_blur: {radius: [1, 2]}}]
  model: {upscaler: {scale: 1}}
  training: {stages: [{steps: 100}]}
"""


@pytest.fixture
def parameter_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the shipped parameter files in an empty project."""
    folder = tmp_path / "conf" / "base" / "parameters"
    shutil.copytree(ROOT / "conf" / "base" / "parameters", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_second_task_is_one_yaml_file_and_no_code(parameter_files: Path) -> None:
    (parameter_files / "deblur.yml").write_text(DEBLUR, encoding="utf-8")
    pipelines = register_pipelines()
    assert {"deblur", "superres", "__default__"} <= set(pipelines)
    deblur = pipelines["deblur"]
    assert {node.name for node in deblur.nodes} == {f"deblur.{name}" for name in NODES}
    parameters = {name for name in deblur.inputs() if name.startswith("params:")}
    assert parameters == {
        f"params:deblur.{name}"
        for name in ["source", "test_source", "recipe", "seed", "model", "training", "evaluation"]
    }
    assert "deblur.run" in deblur.inputs()
    assert not deblur.all_outputs() & pipelines["superres"].all_outputs()


def test_the_second_task_has_parameters_of_its_own(parameter_files: Path) -> None:
    import yaml

    (parameter_files / "deblur.yml").write_text(DEBLUR, encoding="utf-8")
    shipped = yaml.safe_load((parameter_files / "superres.yml").read_text(encoding="utf-8"))
    both = shipped | yaml.safe_load(DEBLUR)
    done = complete(both, both)
    assert done["deblur"]["model"]["upscaler"]["scale"] == 1
    assert done["superres"]["model"]["upscaler"]["scale"] == 3
    assert done["deblur"]["recipe"] == [{"gaussian_blur": {"probability": 1.0, "radius": [1, 2]}}]


def test_the_default_pipeline_is_superres(parameter_files: Path) -> None:
    pipelines = register_pipelines()
    assert pipelines["__default__"] is pipelines["superres"]
    assert len(pipelines["superres"].nodes) == len(NODES)


def test_the_shipped_files_name_their_templates(parameter_files: Path) -> None:
    assert read_sections()["superres"]["template"] == "restoration"


def test_sections_without_template_are_no_pipelines(parameter_files: Path) -> None:
    (parameter_files / "more.yml").write_text("smoke: true\nnotes: {a: 1}\n", encoding="utf-8")
    (parameter_files / "empty.yml").touch()
    assert not {"smoke", "notes"} & set(read_sections())


def test_an_unknown_template_is_named_with_its_file_and_the_known_ones(parameter_files: Path) -> None:
    (parameter_files / "odd.yml").write_text("odd: {template: restauration}\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        register_pipelines()
    assert str(caught.value).startswith("odd.yml: odd.template: there is no template")
    assert "restauration" in str(caught.value)
    assert "restoration" in str(caught.value).split("Known templates:")[1]


def test_finding_all_pipelines_imports_nothing_heavy() -> None:
    code = (
        "import sys; from uncrappify.pipeline_registry import register_pipelines; "
        f"assert len(register_pipelines()['superres'].nodes) == {len(NODES)}; "
        f"sys.stdout.write(' '.join(name for name in {HEAVY} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""
