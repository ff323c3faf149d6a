"""An untrained upscaler is bicubic enlargement, Pillow's, and sees as far as it says."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

from uncrappify.errors import UserError
from uncrappify.models import MODELS, build
from uncrappify.models.upscaler import BicubicEnlargement, Upscaler, keys_kernel


def random_picture(width: int = 25, height: int = 19) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def pillows_bicubic(channel: Tensor, scale: int) -> Tensor:
    """Pillow's kernel without its rounding to 8 bit: float pictures."""
    image = Image.fromarray(channel.numpy())
    return torch.from_numpy(
        np.array(image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC))
    )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_enlargement_is_pillows_bicubic_away_from_borders(scale: int) -> None:
    picture = random_picture()
    enlarged = BicubicEnlargement(scale)(picture)[0, 0]
    inner = slice(2 * scale, -2 * scale)
    expected = pillows_bicubic(picture[0, 0], scale)
    assert (enlarged - expected)[inner, inner].abs().max() < 1 / 255
    torchs = F.interpolate(picture, scale_factor=scale, mode="bicubic")[0, 0]
    assert (torchs - expected)[inner, inner].abs().max() > 5 / 255


@pytest.mark.parametrize("scale", [2, 3])
def test_an_even_picture_stays_even_up_to_its_borders(scale: int) -> None:
    enlarged = BicubicEnlargement(scale)(torch.full((1, 3, 7, 5), 0.25))
    assert enlarged.shape == (1, 3, 7 * scale, 5 * scale)
    assert torch.allclose(enlarged, torch.tensor(0.25), atol=1e-6)


def test_keys_kernel_interpolates_and_sums_to_one() -> None:
    assert keys_kernel(torch.tensor([0.0, 1.0, 2.0, 3.0])).tolist() == [1, 0, 0, 0]
    assert keys_kernel(torch.tensor([0.5, 1.5])).tolist() == [0.5625, -0.0625]
    offsets = torch.arange(-2.0, 3.0) - 0.3
    assert float(keys_kernel(offsets.abs()).sum()) == pytest.approx(1)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_untrained_upscaler_is_bicubic_enlargement(scale: int) -> None:
    picture = random_picture()
    restored = Upscaler(scale=scale, channels=8, blocks=2)(picture)
    assert torch.equal(restored, BicubicEnlargement(scale)(picture))


def test_half_precision_leaves_the_enlargement_as_it_is() -> None:
    picture = random_picture()
    with torch.autocast("cpu", torch.bfloat16):
        enlarged = Upscaler(scale=3)(picture)
    assert torch.equal(enlarged, BicubicEnlargement(3)(picture))


def test_at_scale_1_an_untrained_upscaler_changes_nothing() -> None:
    picture = random_picture()
    assert torch.equal(Upscaler(scale=1, channels=8, blocks=2)(picture), picture)


def trained(scale: int = 3, blocks: int = 2) -> Upscaler:
    """A network whose tail is no longer zero."""
    torch.manual_seed(0)
    network = Upscaler(scale=scale, channels=8, blocks=blocks)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    return network


def test_an_untrained_tail_gets_a_gradient() -> None:
    network = Upscaler(scale=3, channels=8, blocks=2)
    (network(random_picture()) - 0.5).square().mean().backward()
    assert network.tail.weight.grad is not None
    assert network.tail.weight.grad.abs().max() > 0


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("scale", [1, 3])
def test_the_receptive_radius_is_exact(scale: int, blocks: int) -> None:
    network = trained(scale, blocks).double()
    side = 2 * network.receptive_radius + 7
    middle = side // 2
    picture = torch.rand(1, 3, side, side, dtype=torch.float64)
    other = picture.clone()
    other[:, :, middle, middle] += 10
    with torch.inference_mode():
        changed = (network(other) != network(picture))[0].any(0)
    rows = changed.any(1).nonzero().flatten() // scale
    columns = changed.any(0).nonzero().flatten() // scale
    expected = [middle - network.receptive_radius, middle + network.receptive_radius]
    assert [int(rows.min()), int(rows.max())] == expected
    assert [int(columns.min()), int(columns.max())] == expected


def test_the_default_network_has_82683_parameters() -> None:
    network = Upscaler(scale=3, channels=32, blocks=4)
    # head 896, eight convolutions of 9248, tail 32 * 9 * 27 + 27.
    assert sum(parameter.numel() for parameter in network.parameters()) == 896 + 8 * 9248 + 7803 == 82683


def test_the_fixed_kernel_is_no_part_of_the_weights() -> None:
    assert not [name for name in Upscaler(scale=3).state_dict() if "kernel" in name]
    assert set(Upscaler(scale=3).state_dict()) == {name for name, _ in Upscaler(scale=3).named_parameters()}


def test_the_kernel_follows_the_numbers_format() -> None:
    assert Upscaler(scale=2, channels=4, blocks=1).double()(random_picture().double()).dtype == torch.float64


def test_networks_are_built_by_name() -> None:
    network = build("restoration", "upscaler", {"scale": 2, "channels": 4, "blocks": 3})
    assert isinstance(network, Upscaler)
    assert (network.scale, network.receptive_radius) == (2, 8)
    with pytest.raises(UserError, match="'downscaler', which this version of uncrappify does not have"):
        build("restoration", "downscaler", {})
    assert list(MODELS["restoration"]) == ["upscaler", "unet"]
