"""The lesson's networks have the lesson's sizes, and blocks do what their formulas say."""

import pytest
import torch
from torch import nn

from uncrappify.models import build
from uncrappify.models.classifiers import Deep, DenseBlock, ResBlock

pytestmark = pytest.mark.usefixtures("one_thread")
DIGITS = {"in_channels": 1, "out_channels": 10, "mean": [0.1307], "std": [0.3081]}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "parameters"), [("cnn", 12_126), ("conv_layer", 12_044), ("resnet", 41_132), ("densenet", 52_940)]
)
def test_the_lessons_networks_have_the_lessons_numbers_of_parameters(name: str, parameters: int) -> None:
    assert count(build("classification", name, DIGITS)) == parameters


@pytest.mark.parametrize("name", ["cnn", "conv_layer", "resnet", "densenet"])
def test_a_picture_of_28_pixels_leaves_one_place_so_that_the_mean_over_places_is_the_lessons_flattening(
    name: str,
) -> None:
    network = build("classification", name, DIGITS).eval()
    picture = torch.rand(2, 1, 28, 28)
    places = network.body((picture - network.mean) / network.std)
    assert places.shape == (2, 10, 1, 1)
    assert torch.equal(network(picture), places.flatten(1))


@pytest.mark.parametrize("training", [True, False])
def test_a_fresh_block_whose_norm_starts_at_zero_is_the_identity(training: bool) -> None:
    x = torch.randn(4, 8, 5, 5)
    assert torch.equal(ResBlock(8, zero_init=True).train(training)(x), x)
    assert not torch.allclose(ResBlock(8, zero_init=False).train(training)(x), x, atol=0.1)


def test_a_dense_block_doubles_the_channels_and_ends_with_the_untouched_input() -> None:
    x = torch.randn(4, 8, 5, 5)
    y = DenseBlock(8)(x)
    assert y.shape == (4, 16, 5, 5)
    assert torch.equal(y[:, 8:], x)


def test_more_dense_blocks_double_the_channels_again() -> None:
    network = build("classification", "densenet", DIGITS | {"widths": [4], "strides": [2], "blocks": 3})
    assert network.body[-1][0].in_channels == 32


def test_pictures_are_normalised_by_the_training_pictures_own_mean_and_spread() -> None:
    options = DIGITS | {"in_channels": 3, "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.25, 0.125]}
    network = build("classification", "cnn", options)
    seen: list[torch.Tensor] = []
    network.body.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    network(torch.full((2, 3, 28, 28), 0.6))
    torch.testing.assert_close(seen[0][0, :, 0, 0], torch.tensor([1.0, 1.6, 2.4]))


@pytest.mark.parametrize(("layers", "norm", "parameters"), [(20, "batch", 10_834), (56, "batch", 32_146)])
def test_plain_and_residual_nets_differ_by_the_additions_alone(layers: int, norm: str, parameters: int) -> None:
    plain, residual = (
        build("classification", "deep", DIGITS | {"layers": layers, "residual": residual, "norm": norm})
        for residual in (False, True)
    )
    assert count(plain) == count(residual) == parameters
    assert {name: value.shape for name, value in plain.state_dict().items()} == {
        name: value.shape for name, value in residual.state_dict().items()
    }
    weighty = [module for module in plain.modules() if isinstance(module, nn.Conv2d)]
    assert len(weighty) == layers


def test_a_shortcut_takes_every_second_pixel_where_the_size_is_halved() -> None:
    network = Deep(in_channels=1, out_channels=2, mean=[0.0], std=[1.0], layers=8, channels=1, norm="none")
    halving = network.body[3]
    for parameter in halving.parameters():
        nn.init.zeros_(parameter)
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert halving(x).flatten().tolist() == [0, 2, 8, 10]


def test_a_number_of_layers_that_leaves_a_pair_open_is_refused() -> None:
    with pytest.raises(ValueError, match="6 n \\+ 2, such as 20 or 56, not 19"):
        Deep(in_channels=1, out_channels=2, mean=[0.0], std=[1.0], layers=19)
