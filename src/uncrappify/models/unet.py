"""The dynamic U-Net: a decoder built to fit any encoder, after fast.ai's course v3, lesson 7."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from uncrappify.errors import UserError
from uncrappify.models.encoders import Encoder
from uncrappify.models.upscaler import BicubicEnlargement

Norm = Literal["none", "batch", "weight", "spectral"]
Upsampling = Literal["pixel_shuffle", "transposed", "nearest", "bilinear"]


class DynamicUNet(nn.Module):
    """An encoder, a middle, and one decoder block for each resolution of the encoder, which doubles the size.

    Ronneberger et al. 2015 (U-Net), with the lesson's changes: a pretrained encoder, batch norm on the cross
    connections (the skip connections from encoder to decoder), pixel shuffle with ICNR and blur, the network's input as
    the last cross connection, and optional self-attention. The input is padded to a multiple of the encoder's stride
    and the output cropped, so that inputs may have any size and every block exactly doubles its own.

    With ``encoder="resnet34"``, ``out_channels=12``, ``bottleneck=True`` and the other defaults, it is the lesson's
    CamVid network of 41,133,018 parameters. Two faults of the original are corrected: its cross connections passed no
    gradient to the encoder, and weight and spectral norm discarded the ICNR initialisation.

    Example:
        >>> DynamicUNet(out_channels=11).eval()(torch.rand(1, 3, 45, 70)).shape
        torch.Size([1, 11, 45, 70])

    Args:
        encoder: A network of timm that supports ``features_only``, or ``efficientnet_lite0``, whose weights pip
            installs.
        pretrained: Whether the encoder starts from ImageNet weights.
        weights: File with the encoder's weights, instead of timm's own download.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        block: ``convolutions``: two 3x3 convolutions; ``residual``: a residual block of two.
        upsample: How a block doubles its size.
        blur: Whether pixel shuffle is followed by a 2x2 average (Sugawara et al. 2018), against checkerboards.
        norm: Of the decoder's convolutions; the cross connections have batch norm always.
        self_attention: Whether the third block from the end has self-attention (Zhang et al. 2018, SAGAN).
        bottleneck: Whether the last residual block is half as wide inside.
        y_range: Lowest and highest output, by a scaled sigmoid; ``None`` for no limit.
    """

    def __init__(
        self,
        *,
        encoder: str = "efficientnet_lite0",
        pretrained: bool = True,
        weights: str | None = None,
        in_channels: int = 3,
        out_channels: int = 3,
        block: Literal["convolutions", "residual"] = "convolutions",
        upsample: Upsampling = "pixel_shuffle",
        blur: bool = True,
        norm: Norm = "none",
        self_attention: bool = False,
        bottleneck: bool = False,
        y_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(encoder, pretrained=pretrained, weights=weights, in_channels=in_channels)
        *crossing, deepest = self.encoder.channels
        self.bottom = nn.Sequential(nn.BatchNorm2d(deepest), nn.ReLU(inplace=True))
        self.middle = nn.Sequential(_build_layer(deepest, 2 * deepest, norm), _build_layer(2 * deepest, deepest, norm))
        blocks, channels = [], deepest
        for number, cross in enumerate(reversed(crossing)):
            last = number == len(crossing) - 1
            attention = self_attention and number == len(crossing) - 3
            up = build_upsampling(upsample, channels, channels // 2, blur, norm)
            blocks.append(_Block(up, channels // 2, cross, block, norm, last, attention))
            channels = blocks[-1].out_channels
        self.blocks = nn.ModuleList(blocks)
        # From the size of the encoder's first output to that of the input.
        self.last_up = nn.Sequential(
            *(
                build_upsampling(upsample, channels, channels, blur, norm)
                for _ in range(self.encoder.strides[0].bit_length() - 1)
            )
        )
        channels += in_channels
        inside = channels // 2 if bottleneck else channels
        self.last_cross = _Residual(channels, inside, norm)
        self.head = add_norm(nn.Conv2d(channels, out_channels, 1), norm)
        self.y_range = y_range

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures to pictures of the same size.

        Args:
            x: (N, in_channels, H, W), in 0..1.

        Returns:
            (N, out_channels, H, W).
        """
        height, width = x.shape[-2:]
        stride = self.encoder.strides[-1]
        x = F.pad(x, (0, -width % stride, 0, -height % stride), mode="replicate")
        if self.training and x.shape[0] == 1 and x.shape[-2:] == (stride, stride):
            raise UserError(
                f"a batch of one crop of {height}x{width} pixels leaves the encoder one value a channel, from which "
                f"batch norm learns nothing. Take a larger size than {stride}, or a larger batch_size."
            )
        x = self.encoder.normalise(x)
        *crossing, y = self.encoder(x)
        y = self.middle(self.bottom(y))
        for block, cross in zip(self.blocks, reversed(crossing), strict=True):
            y = block(y, cross)
        y = self.last_up(y)
        y = torch.cat([y, x.to(y.dtype)], dim=1)
        y = self.head(self.last_cross(y))
        if self.y_range is not None:
            low, high = self.y_range
            y = low + (high - low) * torch.sigmoid(y)
        cut: Tensor = y[..., :height, :width]
        return cut

    def freeze_encoder(self, *, batch_norm: bool = False) -> None:
        """Freeze the encoder except its batch norm; with ``batch_norm``, that and its statistics too."""
        self.encoder.freeze(batch_norm=batch_norm)

    def unfreeze_encoder(self) -> None:
        """Make the encoder trainable again."""
        self.encoder.unfreeze()

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Return the parameters in three groups, from input to output, for discriminative learning rates.

        The groups are the shallow half of the encoder, its deep half, and the decoder.
        """
        shallow, deep = self.encoder.split_parameters()
        theirs = {id(parameter) for parameter in [*shallow, *deep]}
        return [shallow, deep, [parameter for parameter in self.parameters() if id(parameter) not in theirs]]


class RestorationUNet(nn.Module):
    """A U-Net for restoration: the input is first enlarged to the target's size by bicubic interpolation.

    Example:
        >>> RestorationUNet(scale=3).eval()(torch.rand(1, 3, 20, 30)).shape
        torch.Size([1, 3, 60, 90])

    Args:
        scale: Output size over input size; 1 restores at the same size.
        encoder: Name of the encoder, as for :class:`DynamicUNet`.
        pretrained: Whether the encoder starts from ImageNet weights.
        weights: File with the encoder's weights; ``None`` for the default weights.
        skip: Whether the enlarged input is added to the output. The last layer then starts at zero, so that an
            untrained network is exactly bicubic enlargement; the lesson's U-Net has no such connection.
        block: Kind of decoder block, ``convolutions`` or ``residual``.
        upsample: How a block doubles its size.
        blur: Whether pixel shuffle is followed by a 2x2 average.
        norm: Of the decoder's convolutions.
        self_attention: Whether the third block from the end has self-attention.
        bottleneck: Whether the last residual block is half as wide inside.
    """

    receptive_radius = None
    """``None``: the receptive field is larger than a tile."""

    def __init__(
        self,
        *,
        scale: int = 3,
        encoder: str = "efficientnet_lite0",
        pretrained: bool = True,
        weights: str | None = None,
        skip: bool = True,
        block: Literal["convolutions", "residual"] = "convolutions",
        upsample: Upsampling = "pixel_shuffle",
        blur: bool = True,
        norm: Norm = "weight",
        self_attention: bool = False,
        bottleneck: bool = False,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.skip = skip
        self.enlarge = BicubicEnlargement(scale) if scale > 1 else nn.Identity()
        self.unet = DynamicUNet(
            encoder=encoder,
            pretrained=pretrained,
            weights=weights,
            block=block,
            upsample=upsample,
            blur=blur,
            norm=norm,
            self_attention=self_attention,
            bottleneck=bottleneck,
        )
        if skip:
            # Without weight norm, which is undefined for a kernel of zeros.
            channels: Any = self.unet.head.in_channels
            self.unet.head = nn.Conv2d(channels, 3, 1)
            nn.init.zeros_(self.unet.head.weight)
            nn.init.zeros_(self.unet.head.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Restore pictures.

        Args:
            x: (N, 3, H, W), RGB in 0..1.

        Returns:
            (N, 3, H * scale, W * scale), RGB around 0..1, not clipped.
        """
        enlarged: Tensor = self.enlarge(x)
        y: Tensor = self.unet(enlarged)
        return enlarged + y if self.skip else y

    def freeze_encoder(self, *, batch_norm: bool = False) -> None:
        """As :meth:`DynamicUNet.freeze_encoder`."""
        self.unet.freeze_encoder(batch_norm=batch_norm)

    def unfreeze_encoder(self) -> None:
        """Make the encoder trainable again."""
        self.unet.unfreeze_encoder()

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """As :meth:`DynamicUNet.parameter_groups`."""
        return self.unet.parameter_groups()


class _Block(nn.Module):
    """Doubles the size, concatenates a cross connection, and mixes both.

    (N, C, H, W) and (N, ``cross``, 2 H, 2 W) to (N, ``out_channels``, 2 H, 2 W).
    """

    def __init__(
        self, up: nn.Module, channels: int, cross: int, block: str, norm: Norm, last: bool, attention: bool
    ) -> None:
        super().__init__()
        self.up = up
        self.cross_norm = nn.BatchNorm2d(cross)
        together = channels + cross
        self.out_channels = together // 2 if last else together
        if block == "residual":
            narrow = _build_layer(together, self.out_channels, norm) if last else nn.Identity()
            self.mix = nn.Sequential(narrow, _Residual(self.out_channels, self.out_channels, norm))
        else:
            self.mix = nn.Sequential(
                _build_layer(together, self.out_channels, norm),
                _build_layer(self.out_channels, self.out_channels, norm),
            )
        self.attention = SelfAttention(self.out_channels) if attention else nn.Identity()

    def forward(self, x: Tensor, cross: Tensor) -> Tensor:
        together = F.relu_(torch.cat([self.up(x), self.cross_norm(cross)], dim=1))
        y: Tensor = self.attention(self.mix(together))
        return y


class _Residual(nn.Module):
    """``x + layer(layer(x))``, each layer with its ReLU; (N, C, H, W) to the same."""

    def __init__(self, channels: int, inside: int, norm: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(_build_layer(channels, inside, norm), _build_layer(inside, channels, norm))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.body(x)
        return y


class SelfAttention(nn.Module):
    """Self-attention over all positions (Zhang et al. 2018, Self-attention GANs); (N, C, H, W) to the same.

    It starts as the identity: the attended values are scaled by a learned factor that starts at 0.

    Args:
        channels: Channels C of input and output.
        norm: Of the convolutions.
    """

    def __init__(self, channels: int, *, norm: Norm = "spectral") -> None:
        super().__init__()
        inside = max(1, channels // 8)
        self.query, self.key, self.value = (
            add_norm(nn.Conv1d(channels, out, 1, bias=False), norm) for out in (inside, inside, channels)
        )
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Add the attended values to the input."""
        flat = x.flatten(2)
        # (N, keys, queries): softmax over the keys.
        weights = torch.softmax(self.key(flat).mT @ self.query(flat), dim=1)
        found: Tensor = self.gamma * (self.value(flat) @ weights)
        return x + found.reshape(x.shape)


class PixelShuffleUp(nn.Module):
    """A 1x1 convolution to four times the channels, whose values become the four pixels of a cell (Shi et al. 2016).

    ICNR (Aitken et al. 2017): the four kernels of a cell start equal, so that the untrained layer is nearest-neighbour
    interpolation, without checkerboard artefacts; the blur removes those that appear in training.

    Args:
        channels: Channels of the input.
        out_channels: Channels of the output.
        blur: Whether to average over 2x2 pixels afterwards.
        norm: Normalisation of the convolution.
    """

    def __init__(self, channels: int, out_channels: int, *, blur: bool, norm: Norm = "none") -> None:
        super().__init__()
        convolution = nn.Conv2d(channels, 4 * out_channels, 1)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            convolution.weight.copy_(convolution.weight[::4].repeat_interleave(4, dim=0))
        # Added after initialisation: an existing norm would recompute the weight from its own parameters.
        self.convolution = add_norm(convolution, norm)
        self.blur = blur

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to (N, out_channels, 2 H, 2 W)."""
        large = F.pixel_shuffle(F.relu_(self.convolution(x)), 2)
        if self.blur:
            # The mean over the pixels inside the picture, which equals replicate padding. That is slow on a GPU with
            # deterministic algorithms, and avg_pool2d's own padding, on both sides, is slow on a CPU.
            large = _average_2x2(large) / _average_2x2(torch.ones_like(large[:1, :1]))
        return large


def _average_2x2(x: Tensor) -> Tensor:
    """Average each pixel with its upper and left neighbours, which are 0 outside; (N, C, H, W) to the same."""
    return F.avg_pool2d(F.pad(x, (1, 0, 1, 0)), 2, stride=1)


def build_upsampling(kind: Upsampling, channels: int, out_channels: int, blur: bool, norm: Norm) -> nn.Module:
    """Build a module that doubles the size.

    Args:
        kind: ``pixel_shuffle``; ``transposed``, which has checkerboard artefacts (Odena et al. 2016); ``nearest`` or
            ``bilinear`` interpolation before a convolution.
        channels: Channels of the input.
        out_channels: Channels of the output.
        blur: Whether pixel shuffle is followed by a blur.
        norm: Normalisation of the convolution.

    Returns:
        (N, channels, H, W) to (N, out_channels, 2 H, 2 W).
    """
    if kind == "pixel_shuffle":
        return PixelShuffleUp(channels, out_channels, blur=blur, norm=norm)
    if kind == "transposed":
        convolution = nn.ConvTranspose2d(channels, out_channels, 3, stride=2, padding=1, output_padding=1)
        return nn.Sequential(add_norm(convolution, norm), nn.ReLU(inplace=True))
    return nn.Sequential(nn.Upsample(scale_factor=2, mode=kind), _build_layer(channels, out_channels, norm))


def _build_layer(channels: int, out_channels: int, norm: Norm) -> nn.Sequential:
    """Build the lesson's layer: 3x3 convolution, ReLU, and batch norm if that is the norm."""
    convolution = nn.Conv2d(channels, out_channels, 3, padding=1, bias=norm != "batch")
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    layers = [add_norm(convolution, norm), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(out_channels)] if norm == "batch" else []))


def add_norm(convolution: nn.Module, norm: Norm) -> nn.Module:
    """Give a convolution weight or spectral norm; none and batch norm leave it as it is."""
    if norm == "weight":
        # One norm for each output channel, which is dimension 1 of a transposed convolution's weight.
        parametrizations.weight_norm(convolution, dim=int(isinstance(convolution, nn.ConvTranspose2d)))
    if norm == "spectral":
        parametrizations.spectral_norm(convolution)
    return convolution
