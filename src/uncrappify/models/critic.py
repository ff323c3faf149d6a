"""The critic: a network that says of each part of a picture whether it looks real or generated."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from uncrappify.models.unet import Norm, SelfAttention, add_norm

SLOPE = 0.2
"""Of the leaky ReLU below 0."""


class Critic(nn.Module):
    """The lesson's critic (fast.ai's ``gan_critic``; patches as in Isola et al. 2016, pix2pix).

    A convolution that halves the size, a dense block, convolutions that halve it again, each with twice the channels,
    and one to a logit a place, so that each logit judges a part of the picture. The lesson's has 128 channels and three
    blocks: 25 logits of a picture of 128 pixels. Spectral norm (Miyato et al. 2018) keeps the critic from making its
    weights larger and larger; an objective that penalises its gradient needs none.

    Example:
        >>> Critic(channels=16)(torch.rand(2, 3, 128, 128)).shape
        torch.Size([2, 5, 5])

    Args:
        channels: Of the first layer.
        blocks: How often the size is halved after the first layer.
        norm: ``spectral`` or ``none``, of all convolutions.
        dropout: Share of channels that a step leaves out before each block; half of it before the dense block.
        self_attention: Let the first block look at the whole picture (Zhang et al. 2018).
    """

    def __init__(
        self,
        *,
        channels: int = 128,
        blocks: int = 3,
        norm: Norm = "spectral",
        dropout: float = 0.15,
        self_attention: bool = True,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            _convolution(3, channels, 4, norm, stride=2),
            *_dropout(dropout / 2),
            DenseBlock(channels, norm),
        ]
        width = 2 * channels
        for block in range(blocks):
            layers += [*_dropout(dropout), _convolution(width, 2 * width, 4, norm, stride=2)]
            width *= 2
            if self_attention and block == 0:
                layers.append(SelfAttention(width, norm=norm))
        last = add_norm(nn.Conv2d(width, 1, 4, bias=False), norm)
        self.body = nn.Sequential(*layers, last)

    def forward(self, x: Tensor) -> Tensor:
        """Judge pictures.

        Args:
            x: (N, 3, H, W), RGB around 0..1.

        Returns:
            (N, h, w), a logit for each part; above 0: it looks real.
        """
        logits: Tensor = self.body(2 * x - 1)
        return logits[:, 0]


class DenseBlock(nn.Module):
    """Two convolutions whose output is put beside their input: (N, C, H, W) to (N, 2 C, H, W).

    Args:
        channels: C.
        norm: Of the convolutions.
    """

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(*(_convolution(channels, channels, 3, norm) for _ in range(2)))

    def forward(self, x: Tensor) -> Tensor:
        """Concatenate input and output."""
        return torch.cat([x, self.body(x)], dim=1)


def _convolution(channels: int, out_channels: int, kernel: int, norm: Norm, *, stride: int = 1) -> nn.Module:
    convolution = nn.Conv2d(channels, out_channels, kernel, stride, padding=1)
    nn.init.kaiming_normal_(convolution.weight, SLOPE)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return nn.Sequential(add_norm(convolution, norm), nn.LeakyReLU(SLOPE, inplace=True))


def _dropout(share: float) -> list[nn.Module]:
    return [nn.Dropout2d(share)] if share else []
