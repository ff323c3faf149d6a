"""Networks that say which class a picture belongs to: the lesson's four, and deep ones of thin layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

SMALL_SHIFT = 1e-3
"""What fast.ai's batch norm adds in the beginning."""


class NormalisedNetwork(nn.Module):
    """Normalises pictures by the training pictures' mean and standard deviation, and gives a logit a class.

    Args:
        mean: Of each channel of the training pictures, in 0..1.
        std: Standard deviation of each channel.
        body: Maps normalised pictures (N, C, H, W) to (N, classes, h, w); the mean over what is left of the places is
            taken, of one place as in the lesson or of more.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], body: nn.Module) -> None:
        super().__init__()
        self.body = body
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, C, H, W) in 0..1 to logits (N, classes)."""
        logits: Tensor = self.body((x - self.mean) / self.std)
        return logits.mean((2, 3))


class CNN(NormalisedNetwork):
    """The lesson's hand-written network: convolution with bias, batch norm, ReLU, halving the size at each layer.

    With the defaults and ten classes it is the lesson's, of 12,126 parameters.

    Args:
        in_channels: 1 for grey pictures, 3 for colour.
        out_channels: Number of classes.
        mean: As :class:`NormalisedNetwork` takes it.
        std: As :class:`NormalisedNetwork` takes it.
        widths: Channels of each layer; one with as many channels as there are classes follows.
        strides: Size of a layer's input over that of its output, for each width.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        widths: Sequence[int] = (8, 16, 32, 16),
        strides: Sequence[int] = (2, 2, 2, 2),
    ) -> None:
        layers: list[nn.Module] = []
        channels = in_channels
        for width, stride in zip(widths, strides, strict=True):
            convolution = nn.Conv2d(channels, width, 3, stride=stride, padding=1)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            channels = width
        last = nn.Conv2d(channels, out_channels, 3, stride=2, padding=1)
        super().__init__(mean, std, nn.Sequential(*layers, last, nn.BatchNorm2d(out_channels)))


def conv_layer(in_channels: int, out_channels: int, *, stride: int = 1, zero_init: bool = False) -> nn.Sequential:
    """Build the lesson's layer: 3x3 convolution without bias, ReLU, batch norm, in this order.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        stride: Size of the input over that of the output.
        zero_init: Whether the norm begins by multiplying with 0.
    """
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight)
    norm = nn.BatchNorm2d(out_channels)
    nn.init.constant_(norm.weight, 0.0 if zero_init else 1.0)
    nn.init.constant_(norm.bias, 0.0 if zero_init else SMALL_SHIFT)
    return nn.Sequential(convolution, nn.ReLU(inplace=True), norm)


class ResBlock(nn.Module):
    """``x + conv_layer(conv_layer(x))`` (He et al. 2015, Deep residual learning); (N, C, H, W) to the same.

    Args:
        channels: Of input and output.
        zero_init: Whether the second norm starts at zero, so that the block starts as the identity.
    """

    def __init__(self, channels: int, *, zero_init: bool = False) -> None:
        super().__init__()
        self.first = conv_layer(channels, channels)
        self.second = conv_layer(channels, channels, zero_init=zero_init)

    def forward(self, x: Tensor) -> Tensor:
        """Add what two layers make of the input to the input."""
        added: Tensor = self.second(self.first(x))
        return x + added


class DenseBlock(nn.Module):
    """``[conv_layer(conv_layer(x)), x]``: as :class:`ResBlock`, with a concatenation in the place of the sum.

    Huang et al. 2016, Densely connected convolutional networks, as the lesson has it; (N, C, H, W) to (N, 2 C, H, W).

    Args:
        channels: Of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_layer(channels, channels)
        self.second = conv_layer(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Append the input to what two layers make of it."""
        return torch.cat([self.second(self.first(x)), x], dim=1)


class _Layered(NormalisedNetwork):
    """Layers of stride 2, each followed by blocks, and a layer with as many channels as there are classes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        widths: Sequence[int],
        strides: Sequence[int],
        blocks: Callable[[int], tuple[list[nn.Module], int]],
    ) -> None:
        layers: list[nn.Module] = []
        channels = in_channels
        for width, stride in zip(widths, strides, strict=True):
            added, after = blocks(width)
            layers += [conv_layer(channels, width, stride=stride), *added]
            channels = after
        super().__init__(mean, std, nn.Sequential(*layers, conv_layer(channels, out_channels, stride=2)))


class ConvLayers(_Layered):
    """The lesson's refactored CNN: ``conv_layer`` after ``conv_layer``, the last one too has ReLU and then a norm.

    With the defaults and ten classes it is the lesson's, of 12,044 parameters.

    Args:
        in_channels: 1 for grey pictures, 3 for colour.
        out_channels: Number of classes.
        mean: As :class:`NormalisedNetwork` takes it.
        std: As :class:`NormalisedNetwork` takes it.
        widths: Channels of each layer; one with as many channels as there are classes follows.
        strides: Size of a layer's input over that of its output, for each width.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        widths: Sequence[int] = (8, 16, 32, 16),
        strides: Sequence[int] = (2, 2, 2, 2),
    ) -> None:
        super().__init__(in_channels, out_channels, mean, std, widths, strides, lambda width: ([], width))


class ResNet(_Layered):
    """The lesson's ResNet-ish: :class:`ConvLayers` with residual blocks between the layers.

    With the defaults and ten classes it is the lesson's, of 41,132 parameters.

    Args:
        in_channels: 1 for grey pictures, 3 for colour.
        out_channels: Number of classes.
        mean: As :class:`NormalisedNetwork` takes it.
        std: As :class:`NormalisedNetwork` takes it.
        widths: Channels of each layer; one with as many channels as there are classes follows.
        strides: Size of a layer's input over that of its output, for each width.
        blocks: Residual blocks after each layer.
        zero_init: Whether each block starts as the identity; the lesson's asked for it and did not get it.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        widths: Sequence[int] = (8, 16, 32, 16),
        strides: Sequence[int] = (2, 2, 2, 2),
        blocks: int = 1,
        zero_init: bool = True,
    ) -> None:
        def build(width: int) -> tuple[list[nn.Module], int]:
            return [ResBlock(width, zero_init=zero_init) for _ in range(blocks)], width

        super().__init__(in_channels, out_channels, mean, std, widths, strides, build)


class DenseNet(_Layered):
    """The lesson's DenseNet-ish: :class:`ConvLayers` with dense blocks between, each of which doubles the channels.

    The next layer brings them back to its own width. With the defaults and ten classes it has 52,940 parameters.

    Args:
        in_channels: 1 for grey pictures, 3 for colour.
        out_channels: Number of classes.
        mean: As :class:`NormalisedNetwork` takes it.
        std: As :class:`NormalisedNetwork` takes it.
        widths: Channels of each layer; one with as many channels as there are classes follows.
        strides: Size of a layer's input over that of its output, for each width.
        blocks: Dense blocks after each layer.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        widths: Sequence[int] = (8, 16, 32, 16),
        strides: Sequence[int] = (2, 2, 2, 2),
        blocks: int = 1,
    ) -> None:
        def build(width: int) -> tuple[list[nn.Module], int]:
            return [DenseBlock(width * 2**number) for number in range(blocks)], width * 2**blocks

        super().__init__(in_channels, out_channels, mean, std, widths, strides, build)


class Deep(NormalisedNetwork):
    """A net of many thin layers, with or without additions: He et al. 2015, section 4.2, of one width.

    A convolution, three groups of pairs of convolutions, the mean over all places, a linear layer. The second and the
    third group begin with stride 2. Plain and residual differ by the additions alone: a shortcut has no parameters,
    and takes every second pixel where a pair has stride 2.

    Args:
        in_channels: 1 for grey pictures, 3 for colour.
        out_channels: Number of classes.
        mean: As :class:`NormalisedNetwork` takes it.
        std: As :class:`NormalisedNetwork` takes it.
        layers: How many have weights: 6 n + 2, with n pairs a group.
        residual: Whether the input of each pair is added to its output.
        channels: Of all convolutions.
        norm: After each convolution.

    Raises:
        ValueError: If ``layers`` is not 6 n + 2.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        layers: int = 20,
        residual: bool = True,
        channels: int = 8,
        norm: Literal["batch", "none"] = "batch",
    ) -> None:
        pairs, rest = divmod(layers - 2, 6)
        if rest or pairs < 1:
            raise ValueError(f"layers is 6 n + 2, such as 20 or 56, not {layers}")
        body: list[nn.Module] = [*_normed(in_channels, channels, 1, norm), nn.ReLU()]
        for group in range(3):
            body += [_Pair(channels, 2 if group and not pair else 1, residual, norm) for pair in range(pairs)]
        head = nn.Conv2d(channels, out_channels, 1)
        super().__init__(mean, std, nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), head))


class _Pair(nn.Module):
    """Two convolutions, and the addition of the input where the net is residual."""

    def __init__(self, channels: int, stride: int, residual: bool, norm: str) -> None:
        super().__init__()
        self.stride, self.residual = stride, residual
        self.convolutions = nn.Sequential(
            *_normed(channels, channels, stride, norm), nn.ReLU(), *_normed(channels, channels, 1, norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, H / stride, W / stride)."""
        y: Tensor = self.convolutions(x)
        return F.relu(y + x[:, :, :: self.stride, :: self.stride] if self.residual else y)


def _normed(in_channels: int, out_channels: int, stride: int, norm: str) -> list[nn.Module]:
    convolution: Any = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=norm == "none")
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    if norm == "none":
        nn.init.zeros_(convolution.bias)
        return [convolution]
    return [convolution, nn.BatchNorm2d(out_channels)]
