"""One file says what it is, and any other file is refused in a person's words."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from uncrappify.datasets import (
    LanguageDescription,
    RestorationDescription,
    SegmentationDescription,
    TrainedModel,
    Weights,
)
from uncrappify.datasets.weights import METADATA_KEY, read_description, read_weights
from uncrappify.errors import UserError
from uncrappify.models import build
from uncrappify.text.tokens import MARKS

OPTIONS = {"scale": 3, "channels": 4, "blocks": 1}
OLD = {"model": "upscaler", "options": OPTIONS, "scale": 3, "recipe": [{"jpeg": {"quality": 60}}]}
DESCRIPTION = RestorationDescription.model_validate(OLD)


@pytest.fixture
def trained() -> TrainedModel:
    torch.manual_seed(0)
    return TrainedModel(dict(build("restoration", "upscaler", OPTIONS).state_dict()), DESCRIPTION)


@pytest.fixture
def file(trained: TrainedModel, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    Weights(filepath=str(path)).save(trained)
    return path


def test_weights_and_description_come_back(trained: TrainedModel, file: Path) -> None:
    loaded = Weights(filepath=str(file)).load()
    assert loaded.state.keys() == trained.state.keys()
    assert all(torch.equal(loaded.state[name], tensor) for name, tensor in trained.state.items())
    assert loaded.description == DESCRIPTION
    assert loaded.fingerprint == trained.fingerprint


def test_the_fingerprint_is_of_names_shapes_and_values() -> None:
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4)}
    others = [{"a.weight": state["a.weight"].T, "b": state["b"]}, {**state, "c": torch.ones(1)}]
    others += [{**state, "b": torch.zeros(4)}, {"a.weight": state["b"], "b": state["a.weight"]}]
    found = {TrainedModel(one, DESCRIPTION).fingerprint for one in (state, *others)}
    assert len(found) == 5


def test_weights_in_channels_last_come_back(trained: TrainedModel, tmp_path: Path) -> None:
    kernel = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)
    dataset = Weights(filepath=str(tmp_path / "model.safetensors"))
    dataset.save(TrainedModel(trained.state | {"head.weight": kernel}, DESCRIPTION))
    assert torch.equal(dataset.load().state["head.weight"], kernel)


def write(path: Path, description: object) -> Path:
    text = description if isinstance(description, str) else json.dumps(description)
    save_file({"a": torch.ones(2)}, path, {METADATA_KEY: text})
    return path


def test_files_of_version_0_1_say_what_they_are_for_in_another_way(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    assert read_description(write(file, OLD)) == DESCRIPTION
    street = {"task": "segmentation", "model": "unet", "options": {"encoder": "x"}, "size": [32, 48]}
    found = read_description(write(file, street | {"labels": {"classes": ["dark", "light"]}}))
    assert isinstance(found, SegmentationDescription)
    assert found.size == (32, 48)
    assert found.options == {"encoder": "x", "out_channels": 2}


def test_the_largest_vocabulary_of_another_script_comes_back(tmp_path: Path) -> None:
    words = [*MARKS, *(f"достопримечательность{number}" for number in range(50_000 - len(MARKS)))]
    description = LanguageDescription(model="loop", options={"width": 1}, vocabulary=words, text="folder")
    network = build("language", "loop", description.to_build)
    file = tmp_path / "model.safetensors"
    Weights(filepath=str(file)).save(TrainedModel(network.state_dict(), description))
    assert read_weights(file).description.vocabulary == words


@pytest.mark.parametrize(
    ("description", "said"),
    [
        (OLD | {"kind": "cooking"}, r"does not know what these weights are for \(cooking; it knows restoration, segm"),
        (OLD | {"options": OPTIONS | {"channels": 30000}}, r"wrong: options\.channels: .* less than or equal to 512"),
        (OLD | {"options": OPTIONS | {"depth": 1}}, r"wrong: options\.depth: Extra inputs are not permitted"),
        (OLD | {"scale": 10**6}, r"wrong: scale: .* less than or equal to 8"),
        ("[" * 10_000, "the description of the model cannot be read"),
        (OLD | {"model": "x" * (8 << 20)}, "the description of the model cannot be read"),
        (OLD | {"scale": "x"}, r"the description of the model is wrong: scale: "),
        ({"model": "upscaler", "options": {}}, r"the description of the model is wrong: scale: Field required"),
        ("{", "the description of the model cannot be read"),
        ([1], "the description of the model cannot be read"),
    ],
)
def test_a_description_that_is_wrong_says_where(tmp_path: Path, description: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_weights(write(tmp_path / "model.safetensors", description))


@pytest.mark.parametrize(
    "change",
    [
        {"head.bias": torch.zeros(5)},
        {"more": torch.zeros(1)},
        {"head.bias": torch.zeros(4, dtype=torch.int8)},
        {"head.bias": torch.zeros(4, dtype=torch.float8_e5m2)},
    ],
)
def test_weights_of_another_network_are_refused_before_they_are_read(
    trained: TrainedModel, tmp_path: Path, change: dict[str, torch.Tensor]
) -> None:
    dataset = Weights(filepath=str(tmp_path / "model.safetensors"))
    dataset.save(TrainedModel(trained.state | change, DESCRIPTION))
    (name,) = change
    with pytest.raises(
        UserError, match=rf"not those of the network .*: 1 of \d+ are missing, .* such as {name}\. Give"
    ):
        read_weights(tmp_path / "model.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(trained: TrainedModel, tmp_path: Path, value: float) -> None:
    dataset = Weights(filepath=str(tmp_path / "model.safetensors"))
    dataset.save(TrainedModel(trained.state | {"head.bias": torch.full((4,), value)}, DESCRIPTION))
    with pytest.raises(UserError, match=r"head\.bias holds values that are not numbers"):
        read_weights(tmp_path / "model.safetensors")


def test_a_file_cannot_ask_for_other_weights(tmp_path: Path) -> None:
    street = {"kind": "segmentation", "model": "unet", "size": [32, 48], "labels": {"classes": ["dark", "light"]}}
    asking = {"encoder": "resnet34", "pretrained": True, "weights": "somewhere.pth"}
    description = read_description(write(tmp_path / "model.safetensors", street | {"options": asking}))
    assert description.to_build == {"encoder": "resnet34", "pretrained": False, "weights": None, "out_channels": 2}
    description = read_description(write(tmp_path / "model.safetensors", street | {"options": {}}))
    assert description.to_build == {"pretrained": False, "out_channels": 2}


def test_weights_that_may_be_missing_are_none(tmp_path: Path) -> None:
    file = str(tmp_path / "none.safetensors")
    assert Weights(filepath=file, optional=True).load() is None
    with pytest.raises(Exception, match="there is no such file"):
        Weights(filepath=file).load()


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
