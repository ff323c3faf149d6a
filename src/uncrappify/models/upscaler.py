"""The upscaler: residual blocks at low resolution, pixel shuffle, and a bicubic skip."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """``x + conv(relu(conv(x)))`` without normalisation (Lim et al. 2017, EDSR); (N, C, H, W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the body's output to its input."""
        residual: Tensor = self.body(x)
        return x + residual


class BicubicEnlargement(nn.Module):
    """Bicubic enlargement by a whole factor with Keys' kernel at a = -0.5, as Pillow and MATLAB have it.

    ``F.interpolate(mode="bicubic")`` has a = -0.75 and overshoots more at edges. Each of the ``scale**2`` positions
    within an output cell is one fixed 5x5 filter, so the whole is a convolution and a pixel shuffle.
    (N, C, H, W) to (N, C, H * scale, W * scale). Edges repeat the outermost pixel, where Pillow renormalises.

    Args:
        scale: The factor.
    """

    kernel: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        # On the CPU also where a network is built without values: torch would load its compiler for that, in a second.
        options: Any = {"dtype": torch.float64, "device": "cpu"}
        # Output pixel p of a cell lies at (p + 0.5) / scale - 0.5 from the centre of its input pixel.
        offsets = (torch.arange(scale, **options) + 0.5) / scale - 0.5
        distances = (torch.arange(-2, 3, **options)[None] - offsets[:, None]).abs()
        rows = keys_kernel(distances)
        # Flat, because a one-channel kernel in channels-last memory cannot be sent between processes.
        kernel = torch.einsum("py,qx->pqyx", rows, rows).reshape(scale * scale, 25)
        self.register_buffer("kernel", kernel.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge each channel on its own."""
        n, c, h, w = x.shape
        padded = F.pad(x.reshape(n * c, 1, h, w), (2, 2, 2, 2), mode="replicate")
        # Half precision has fewer values between 0 and 1 than 8-bit pictures.
        with torch.autocast(x.device.type, enabled=False):
            cells = F.conv2d(padded, self.kernel.to(x.dtype).reshape(-1, 1, 5, 5))
        return F.pixel_shuffle(cells, self.scale).reshape(n, c, h * self.scale, w * self.scale)


def keys_kernel(distance: Tensor, a: float = -0.5) -> Tensor:
    """Weights of samples by their distance (Keys 1981, Cubic convolution interpolation).

    Args:
        distance: Distances in pixels, 0 or more.
        a: Slope at distance 1; -0.5 is the only value with third-order accuracy.

    Returns:
        Weights, which sum to 1 over samples one pixel apart.
    """
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))


class Upscaler(nn.Module):
    """A residual pixel-shuffle network that adds detail to a bicubic enlargement.

    A convolution, residual blocks without normalisation, and a convolution to ``3 * scale**2`` channels that are
    shuffled into the large picture. All convolutions work at the input's resolution, which is fast on a CPU. The last
    one starts at zero, so that an untrained network is exactly bicubic enlargement.

    Example:
        >>> Upscaler(scale=3)(torch.rand(1, 3, 20, 30)).shape
        torch.Size([1, 3, 60, 90])

    Args:
        scale: Output size over input size; 1 restores at the same size.
        channels: Channels of the residual blocks.
        blocks: Number of residual blocks.
    """

    def __init__(self, *, scale: int = 3, channels: int = 32, blocks: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.tail = nn.Conv2d(channels, 3 * scale * scale, 3, padding=1)
        self.skip = BicubicEnlargement(scale) if scale > 1 else nn.Identity()
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    @property
    def receptive_radius(self) -> int:
        """Radius of the receptive field, in input pixels."""
        return 2 + 2 * len(self.body)

    def forward(self, x: Tensor) -> Tensor:
        """Restore pictures.

        Args:
            x: (N, 3, H, W), RGB in 0..1.

        Returns:
            (N, 3, H * scale, W * scale), RGB around 0..1, not clipped.
        """
        features = self.head(x - 0.5)
        features = features + self.body(features)
        detail: Tensor = F.pixel_shuffle(self.tail(features), self.scale)
        enlarged: Tensor = self.skip(x)
        return enlarged + detail
