"""Learning to tell good pictures from generated ones: the critic as an ordinary classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MeanMetric

from uncrappify.datasets import PicturePairs
from uncrappify.errors import UserError
from uncrappify.evaluation.sheet import draw_batch_sheet
from uncrappify.learners.restoration import Batch, scale_to_unit
from uncrappify.losses.adversarial import BCE, Judgement
from uncrappify.training.crops import PairCrops, PixelPairs, decode_alike
from uncrappify.training.learner import LEARNING_RATE, LOSS, Best, Learner, Panel
from uncrappify.training.parameters import CriticStage, CriticTraining

VALIDATION_BATCH = 32
MOST_CROPS = 400


class CriticLearner(Learner):
    """A critic that learns whether a picture is generated or good, by binary cross entropy of each part's logit.

    Args:
        network: (N, 3, H, W) in 0..1 to logits (N, h, w).
        training: As in :class:`~uncrappify.training.learner.Learner`.
    """

    panels = (LOSS, Panel("accuracy", {"valid_accuracy": "valid accuracy"}), LEARNING_RATE)
    bar = {"train_loss": "loss", "valid_accuracy": "accuracy"}
    # A critic that is sure of its few pictures has learned their noise.
    best = Best("valid_loss")

    def __init__(self, network: nn.Module, training: CriticTraining) -> None:
        super().__init__(network, training)
        self.valid_loss, self.valid_accuracy = MeanMetric(), MeanMetric()

    def example(self) -> Tensor:
        """Give a black crop of the stage's size: (1, 3, size, size)."""
        assert isinstance(self.stage, CriticStage)
        return torch.zeros(1, 3, self.stage.size, self.stage.size)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Give the loss of as many generated crops as good ones."""
        return self.log_loss(self._judge(batch).terms)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Measure the loss, and which share of the crops is taken for what it is."""
        judgement = self._judge(batch)
        self.valid_loss.update(judgement.loss, len(batch[0]))
        self.valid_accuracy.update(judgement.accuracy, len(batch[0]))

    def on_validation_epoch_end(self) -> None:
        """Log the means over all crops."""
        self.log_dict({"valid_loss": self.valid_loss.compute(), "valid_accuracy": self.valid_accuracy.compute()})
        self.valid_loss.reset()
        self.valid_accuracy.reset()

    def _judge(self, batch: Batch) -> Judgement:
        generated, good = (scale_to_unit(side) for side in batch)
        return BCE().judge(self.network, good, generated)


class CriticData:
    """Generated pictures, and the good ones of the same names and sizes.

    Args:
        train: Pairs of both to learn from, of scale 1.
        valid: Pairs to watch.
        training: Augmentation, variants, ``valid_crops`` and devices count.
        seed: Of the variants.
        fingerprint: Of the content of all these pictures.
    """

    def __init__(
        self, train: PicturePairs, valid: PicturePairs, training: CriticTraining, seed: int, fingerprint: str = ""
    ) -> None:
        self.train = train
        self.valid = valid
        self.fingerprint = fingerprint
        self._training, self._seed = training, seed

    def __len__(self) -> int:
        """Count the pictures of each kind."""
        return len(self.train)

    @cached_property
    def pixels(self) -> PixelPairs:
        """All training pictures, decoded, with their variants."""
        training = self._training
        return decode_alike(self.train, training.augment, training.variants, self._seed, training.processes)

    def batches(self, stage: CriticStage, seed: int) -> PairCrops:
        """Give crops of generated pictures and of the good ones, at the same places."""
        return PairCrops(self.train, self.pixels, stage, self._training.augment, seed)

    def validation(self) -> DataLoader[Batch]:
        """Give crops of the validation pictures, a quarter of a crop apart, evenly chosen where they are very many.

        Raises:
            UserError: If they are too few to say how good a critic is.
        """
        size, wanted = self._training.stages[-1].size, self._training.valid_crops
        pixels = {name: tuple(map(_to_tensor, self.valid[name])) for name in self.valid.names}
        places = [(name, *corner) for name, (good, _) in pixels.items() for corner in _find_corners(good, size)]
        if len(places) < wanted:
            raise UserError(
                f"critic: the validation pictures have {len(places)} crops of {size} pixels, a quarter of a crop "
                f"apart, and {wanted} are wanted to say how good the critic is. Give more pictures, take a smaller "
                "size (critic.training.stages), or be content with fewer (critic.training.valid_crops)."
            )
        chosen = np.linspace(0, len(places) - 1, min(len(places), max(wanted, MOST_CROPS))).round().astype(int)
        parts = [chosen[start : start + VALIDATION_BATCH] for start in range(0, len(chosen), VALIDATION_BATCH)]
        cut = [[_cut(pixels[name], corner, size) for name, *corner in map(places.__getitem__, part)] for part in parts]
        batches = [_stack(crops) for crops in cut]
        return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]

    def draw(self, batch: Batch) -> Image.Image:
        """Draw each generated crop above the good one."""
        return draw_batch_sheet(*(side.permute(0, 2, 3, 1).numpy() for side in batch))


class Targets(Mapping[str, Image.Image]):
    """The targets of pairs by their names, as they are brought to size there."""

    def __init__(self, pairs: PicturePairs) -> None:
        self._pairs = pairs

    def __getitem__(self, name: str) -> Image.Image:
        return self._pairs[name][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs.names)

    def __len__(self) -> int:
        return len(self._pairs)


def _to_tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def _find_corners(picture: Tensor, size: int) -> Iterator[tuple[int, int]]:
    """Give the corners of crops, a quarter of a crop apart."""
    rows, columns = (range(0, side - size + 1, size // 4) for side in picture.shape[1:])
    return product(rows, columns)


def _cut(pair: Iterable[Tensor], corner: Sequence[int], size: int) -> list[Tensor]:
    top, left = corner
    return [picture[:, top : top + size, left : left + size] for picture in pair]


def _stack(crops: Iterable[Iterable[Tensor]]) -> Batch:
    generated, good = (torch.stack(side) for side in zip(*crops, strict=True))
    return generated, good
