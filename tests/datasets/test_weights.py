"""One file says what it is, and any other file is refused in a person's words."""

import json
import subprocess
from pathlib import Path

import mlflow
import pytest
import torch
from safetensors.torch import save_file

import uncrappify
from uncrappify.datasets import TrainedModel, Weights
from uncrappify.datasets.weights import METADATA_KEY, read_weights
from uncrappify.errors import UserError

DESCRIPTION = {"model": "upscaler", "options": {"scale": 3}, "scale": 3, "recipe": [{"jpeg": {"quality": 60}}]}


@pytest.fixture
def trained() -> TrainedModel:
    return TrainedModel({"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4)}, DESCRIPTION)


@pytest.fixture
def file(trained: TrainedModel, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    Weights(filepath=str(path)).save(trained)
    return path


def test_weights_and_description_come_back(trained: TrainedModel, file: Path) -> None:
    loaded = Weights(filepath=str(file)).load()
    assert set(loaded.state) == {"a.weight", "b"}
    assert all(torch.equal(loaded.state[name], tensor) for name, tensor in trained.state.items())
    assert {key: loaded.description[key] for key in DESCRIPTION} == DESCRIPTION


def test_weights_in_channels_last_come_back(tmp_path: Path) -> None:
    kernel = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)
    dataset = Weights(filepath=str(tmp_path / "model.safetensors"))
    dataset.save(TrainedModel({"kernel": kernel}, DESCRIPTION))
    assert torch.equal(dataset.load().state["kernel"], kernel)


def test_the_description_names_version_and_commit_but_no_run_where_there_is_none(file: Path) -> None:
    description = read_weights(file).description
    assert description["uncrappify"] == uncrappify.__version__
    assert "run_id" not in description
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    assert description.get("git_commit") == (head.stdout.strip() or None)


def test_the_description_names_the_run(trained: TrainedModel, tmp_path: Path, experiment: str) -> None:
    dataset = Weights(filepath=str(tmp_path / "model.safetensors"))
    with mlflow.start_run(experiment_id=experiment) as run:
        dataset.save(trained)
    assert dataset.load().description["run_id"] == run.info.run_id


def test_outside_a_checkout_there_is_no_commit(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    dataset = Weights(filepath="model.safetensors")
    dataset.save(trained)
    assert "git_commit" not in dataset.load().description


def test_the_preview_is_the_description(file: Path) -> None:
    assert json.loads(Weights(filepath=str(file)).preview())["model"] == "upscaler"


def test_a_missing_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.safetensors: there is no such file\. Give a model\.safetensors"):
        read_weights(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_truncated_file_says_so(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"model\.safetensors: not a whole safetensors file .* Copy it again"):
        read_weights(file)


def test_a_file_of_another_kind_says_so(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x89PNG\r\n\x1a\n" * 100)
    with pytest.raises(UserError, match="not a whole safetensors file"):
        read_weights(tmp_path / "model.safetensors")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_weights_that_are_not_ours_say_so(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "other.safetensors", metadata)
    with pytest.raises(UserError, match=r"other\.safetensors: these weights do not say which model they belong to"):
        read_weights(tmp_path / "other.safetensors")


def test_the_description_is_one_text_in_the_files_header(file: Path) -> None:
    length = int.from_bytes(file.read_bytes()[:8], "little")
    header = json.loads(file.read_bytes()[8 : 8 + length])
    assert json.loads(header["__metadata__"][METADATA_KEY])["scale"] == 3
