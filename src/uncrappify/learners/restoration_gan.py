"""Learning to undo damage so that a critic takes the result for a good picture."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from uncrappify.evaluation.film import draw_frame
from uncrappify.evaluation.texture import TEXTURE_STAGES, TextureStatistics
from uncrappify.learners.adversarial import AdversarialLearner
from uncrappify.learners.restoration import Batch, compute_psnr, round_to_8_bit, scale_to_unit, weigh_losses
from uncrappify.losses.adversarial import Objective
from uncrappify.models.encoders import build_encoder, freeze
from uncrappify.training.learner import Best, Panel
from uncrappify.training.parameters import GanTraining

WATCHER = "efficientnet_lite0"
"""Whose features the best generator is chosen by; another network judges the test."""

DIVERGED = 6.0
"""A PSNR that has fallen by so much, in dB, is one of a generator that diverges."""

SAMPLE_SIDE = 96


class RestorationGan(AdversarialLearner):
    """A generator that undoes damage, compared with its target by losses besides.

    The delivered generator is the one whose textures are nearest to those of the good validation pictures, of those
    whose PSNR is at most ``largest_loss`` below that of the generator which the training has started from.

    Args:
        generator: (N, 3, H, W) in 0..1 to (N, 3, H * scale, W * scale).
        critic: As :class:`~uncrappify.learners.adversarial.AdversarialLearner` takes it.
        objective: Likewise.
        training: Likewise.
        samples: Some validation pictures, inputs and targets (3, H, W), uint8; a part of each is shown while it trains.
    """

    panels = (
        *AdversarialLearner.panels,
        Panel("valid texture distance", {"valid_texture_distance": "texture distance"}),
        Panel("valid PSNR, dB", {"valid_psnr": "PSNR"}),
        Panel("learning rate", {"lr": "generator's rate", "lr_critic": "critic's rate"}, from_zero=True),
    )
    bar = AdversarialLearner.bar | {"valid_psnr": "PSNR"}
    best = Best("valid_texture_distance")

    #: PSNR of the generator that the training has started from; NaN before it is measured.
    started_from: Tensor

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        objective: Objective,
        training: GanTraining,
        samples: list[Batch],
    ) -> None:
        super().__init__(generator, critic, objective, training)
        self._largest_loss = training.largest_loss
        self._samples = [_cut_sample(*sample, int(self.network.scale)) for sample in samples]
        self._found: TextureStatistics
        self._wanted: TextureStatistics
        self._psnrs: list[Tensor] = []
        self.register_buffer("started_from", torch.tensor(float("nan")))

    def begin(self, stage: Any) -> None:
        """Prepare for a stage, whose losses count from now on."""
        super().begin(stage)
        self.loss = weigh_losses(stage)

    def example(self) -> Tensor:
        """Give a black crop of the stage's size: (1, 3, size / scale, size / scale)."""
        side = self._stage.size // int(self.network.scale)
        return torch.zeros(1, 3, side, side)

    def make(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Give targets and what the generator makes of the inputs."""
        inputs, targets = (scale_to_unit(side) for side in batch)
        return targets, self.network(inputs)

    def compare(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Compare with the targets by the stage's losses."""
        return self.loss(fake, real)

    def on_validation_epoch_start(self) -> None:
        """Begin to measure."""
        self._psnrs = []
        encoder = _load_watcher(self.device.type)
        self._found, self._wanted = TextureStatistics(encoder), TextureStatistics(encoder)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Look at a whole picture, rounded to 8 bit as it would be saved."""
        target, restored = self.make(batch)
        restored = round_to_8_bit(restored)
        self._psnrs.append(compute_psnr(restored, target))
        self._found.update(restored)
        self._wanted.update(target)

    def on_validation_epoch_end(self) -> None:
        """Log the mean PSNR and how far the textures are from those of good pictures."""
        psnr = torch.stack(self._psnrs).mean()
        if self.started_from.isnan():
            self.started_from.copy_(psnr)
        # An average of weights that are no numbers is none either.
        distance = self._found.distance(self._wanted) if psnr.isfinite() else float("nan")
        self.log_dict({"valid_psnr": psnr, "valid_texture_distance": distance})
        if not psnr >= self.started_from - DIVERGED:
            self.collapse = f"the generator diverges, its valid PSNR is {float(psnr):.1f} dB"

    def may_deliver(self, metrics: Mapping[str, Tensor]) -> bool:
        """Say whether the PSNR has not fallen too far."""
        return bool(metrics["valid_psnr"] >= self.started_from - self._largest_loss)

    @torch.no_grad()
    def draw_sample(self) -> Image.Image:
        """Draw details of validation pictures: input, what the generator makes of it now, target."""
        rows = []
        for inputs, target in self._samples:
            made = self.network(scale_to_unit(inputs[None].to(self.device)))[0]
            rows.append((inputs, (round_to_8_bit(made) * 255).byte().cpu(), target))
        return draw_frame([[part.permute(1, 2, 0).numpy() for part in row] for row in rows])


@lru_cache(maxsize=1)
def _load_watcher(device: str) -> nn.Module:
    """Load the network that watches; no part of the learner, whose checkpoints it would be in."""
    return freeze(build_encoder(WATCHER, TEXTURE_STAGES)).to(device)


def _cut_sample(inputs: Tensor, target: Tensor, scale: int) -> Batch:
    """Cut the middle out of a picture."""
    side = min(SAMPLE_SIDE // scale, *inputs.shape[1:])
    top, left = ((length - side) // 2 for length in inputs.shape[1:])
    return (
        inputs[:, top : top + side, left : left + side],
        target[:, top * scale : (top + side) * scale, left * scale : (left + side) * scale],
    )
