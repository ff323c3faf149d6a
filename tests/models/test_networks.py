"""What every network for pictures has to do; a new one is a line in ``NETWORKS``."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from uncrappify.models import MODELS, build

pytestmark = pytest.mark.usefixtures("one_thread")


class Network(NamedTuple):
    """A configuration of a network that is as small as its kind allows.

    Attributes:
        kind: What it is for, a key of ``MODELS``.
        name: Of the model among those of its kind.
        options: Keyword arguments of the class.
        scale: Output over input size.
        channels: Of the output.
        multiple: What the sides of an input are multiples of where the network is exported with open sizes.
        in_channels: Of the input.
    """

    kind: str
    name: str
    options: dict[str, object]
    scale: int = 1
    channels: int = 3
    multiple: int = 1
    in_channels: int = 3

    def pictures(self, number: int, height: int, width: int) -> Tensor:
        return torch.rand((number, self.in_channels, height, width), generator=torch.Generator().manual_seed(0))

    def output_shape(self, number: int, height: int, width: int) -> tuple[int, ...]:
        if self.kind == "classification":
            return (number, self.channels)
        return (number, self.channels, height * self.scale, width * self.scale)

    def build(self, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        return build(self.kind, self.name, self.options)


GREY = {"in_channels": 1, "out_channels": 4, "mean": [0.2], "std": [0.3]}
THIN = GREY | {"widths": [4, 8], "strides": [2, 1]}


def classifier(name: str, options: dict[str, object]) -> Network:
    return Network("classification", name, options, channels=4, in_channels=1)


TINY = {"encoder": "test_resnet", "pretrained": False}
NETWORKS = {
    "upscaler": Network("restoration", "upscaler", {"scale": 3, "channels": 8, "blocks": 2}, scale=3),
    "unet": Network("restoration", "unet", {"scale": 1, **TINY}, multiple=32),
    "resnet": classifier("resnet", THIN)._replace(multiple=32),
}
#: Further configurations, which are spared what takes seconds.
VARIANTS = {
    "upscaler x1": Network("restoration", "upscaler", {"scale": 1, "channels": 4, "blocks": 1}),
    "upscaler x2": Network("restoration", "upscaler", {"scale": 2, "channels": 4, "blocks": 1}, scale=2),
    "upscaler x4": Network("restoration", "upscaler", {"scale": 4, "channels": 4, "blocks": 1}, scale=4),
    "unet x2": Network("restoration", "unet", {"scale": 2, "skip": False, "bottleneck": True, **TINY}, scale=2),
    "cnn": classifier("cnn", THIN),
    "conv_layer": classifier("conv_layer", THIN),
    "resnet, blocks that start as nothing": classifier("resnet", THIN | {"blocks": 2, "zero_init": True}),
    "densenet": classifier("densenet", THIN | {"blocks": 2}),
    "timm": classifier("timm", GREY | TINY),
    "deep, plain": classifier("deep", GREY | {"layers": 14, "residual": False, "channels": 4, "norm": "none"}),
    "deep, residual": classifier("deep", GREY | {"layers": 14, "residual": True, "channels": 4}),
    "segmenter": Network("segmentation", "unet", {"out_channels": 4, **TINY}, channels=4),
} | {
    f"segmenter, {norm}": Network(
        "segmentation",
        "unet",
        {"block": block, "norm": norm, "upsample": upsample, "self_attention": True, "y_range": (-1.0, 2.0)}
        | {"out_channels": 4, **TINY},
        channels=4,
    )
    for block, norm, upsample in (
        ("residual", "batch", "nearest"),
        ("convolutions", "weight", "transposed"),
        ("residual", "spectral", "bilinear"),
    )
}
ALL = NETWORKS | VARIANTS

each = pytest.mark.parametrize("network", ALL.values(), ids=ALL)
one_of_a_kind = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
close = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-4)


def awake(network: nn.Module) -> nn.Module:
    """Give parameters that start at zero other values: what they multiply has neither output nor gradient."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


def test_every_registered_network_is_here() -> None:
    # Those that read texts are in test_language.py, all of them too, and the critic, which has a smallest size, in
    # test_critic.py.
    known = {(kind, name) for kind, names in MODELS.items() for name in names if kind not in ("language", "critic")}
    assert {(network.kind, network.name) for network in ALL.values()} == known


@each
def test_any_size_goes_in_and_numbers_of_scale_times_the_size_come_out(network: Network) -> None:
    built = awake(network.build()).eval()
    for height, width in ((32, 64), (33, 31), (5, 7), (1, 7), (1, 1)):
        with torch.inference_mode():
            output = built(network.pictures(2, height, width))
        assert output.shape == network.output_shape(2, height, width)
        assert output.dtype == torch.float32
        assert output.isfinite().all(), (height, width)


@each
def test_the_gradient_reaches_every_parameter(network: Network) -> None:
    built = awake(network.build()).train()
    (built(network.pictures(2, 32, 64)) - 0.5).square().mean().backward()
    unreached = [name for name, part in built.named_parameters() if part.grad is None or not part.grad.any()]
    assert not unreached


@each
def test_saved_weights_give_the_same_output(network: Network) -> None:
    saved, loaded, file = awake(network.build()).eval(), network.build(seed=1).eval(), BytesIO()
    torch.save(saved.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    with torch.inference_mode():
        assert torch.equal(loaded(network.pictures(1, 19, 25)), saved(network.pictures(1, 19, 25)))


@each
def test_a_picture_does_not_depend_on_the_rest_of_the_batch(network: Network) -> None:
    built, batch = awake(network.build()).eval(), network.pictures(3, 19, 25)
    with torch.inference_mode():
        close(built(batch)[1:2], built(batch[1:2]))


@one_of_a_kind
def test_it_compiles_as_one_graph(network: Network) -> None:
    built = awake(network.build()).eval()
    compiled = torch.compile(built, backend="eager", fullgraph=True)
    with torch.inference_mode():
        close(compiled(network.pictures(1, 45, 70)), built(network.pictures(1, 45, 70)))


@one_of_a_kind
def test_it_exports_with_sizes_that_are_open(network: Network) -> None:
    built = awake(network.build()).eval()
    # An exported network cannot pad by what depends on the size.
    side = partial(torch.export.Dim, max=512 // network.multiple)
    size = {2: network.multiple * side("height"), 3: network.multiple * side("width")}
    program = torch.export.export(built, (network.pictures(1, 64, 96),), dynamic_shapes={"x": size})
    with torch.inference_mode():
        close(program.module()(network.pictures(1, 128, 64)), built(network.pictures(1, 128, 64)))


@one_of_a_kind
def test_it_is_the_same_network_in_onnx(network: Network, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX comes with the extra export")
    built, picture = awake(network.build()).eval(), network.pictures(1, 64, 96)
    torch.onnx.export(built, (picture,), tmp_path / "network.onnx", verbose=False)
    (found,) = onnxruntime.InferenceSession(tmp_path / "network.onnx").run(None, {"x": picture.numpy()})
    with torch.inference_mode():
        close(torch.from_numpy(found), built(picture))
