"""The lesson's network: its layers, its terms, and what is said when its weights are not at hand."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from uncrappify.errors import UserError
from uncrappify.losses import WeightedLoss
from uncrappify.losses.parameters import FeatureOptions
from uncrappify.losses.vgg import FILE, VGG


@pytest.fixture(scope="module")
def torch_home(tmp_path_factory) -> Path:
    """A folder with a weight file in torchvision's form, but random, without the classifier, and half as precise."""
    home = tmp_path_factory.mktemp("torch")
    (home / "hub" / "checkpoints").mkdir(parents=True)
    torch.manual_seed(0)
    state = make_layers(cfgs["D"], batch_norm=True).state_dict()
    torch.save({f"features.{name}": tensor.half() for name, tensor in state.items()}, home / "hub/checkpoints" / FILE)
    return home


def test_the_lessons_layers_are_the_relus_before_the_last_three_poolings(torch_home, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    network = VGG([22, 32, 42]).eval()
    whole = make_layers(cfgs["D"], batch_norm=True)
    assert all(
        isinstance(whole[index], nn.ReLU) and isinstance(whole[index + 1], nn.MaxPool2d) for index in (22, 32, 42)
    )
    assert len(network.features) == 43
    with torch.inference_mode():
        found = network(torch.rand(1, 3, 32, 32))
    assert [tuple(layer.shape[1:]) for layer in found] == [(256, 8, 8), (512, 4, 4), (512, 2, 2)]


def test_activations_are_not_overwritten_by_the_layer_behind(torch_home, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    with torch.inference_mode():
        normalised, rectified = VGG([1, 2]).eval()(torch.rand(1, 3, 16, 16))
    assert float(normalised.min()) < 0
    assert torch.equal(rectified, normalised.relu())


def test_the_lessons_loss_has_seven_terms_that_sum_up(torch_home, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    loss = WeightedLoss([("l1", 4.4), ("feature", FeatureOptions(backend="vgg16_bn"))])
    prediction = torch.rand(1, 3, 32, 32, requires_grad=True)
    terms = loss(prediction, torch.rand(1, 3, 32, 32))
    assert list(terms) == ["l1", *(f"feature_{i}" for i in range(3)), *(f"gram_{i}" for i in range(3))]
    sum(terms.values()).backward()
    assert float(prediction.grad.abs().sum()) > 0


def test_missing_weights_are_explained_in_one_message(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError) as caught:
        WeightedLoss([("feature", FeatureOptions(backend="vgg16_bn"))])
    message = str(caught.value)
    assert str(tmp_path / "hub" / "checkpoints" / "vgg16_bn-6c64b313.pth") in message
    assert "TORCH_HOME" in message
    assert "efficientnet_lite0" in message


def test_a_weight_file_that_is_cut_short_is_named(torch_home, tmp_path, monkeypatch):
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    whole = (torch_home / "hub" / "checkpoints" / FILE).read_bytes()
    (tmp_path / "hub" / "checkpoints" / FILE).write_bytes(whole[: len(whole) // 2])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=rf"{FILE} is not a whole weight file\. Remove it"):
        VGG([22])
