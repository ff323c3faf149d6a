"""Perceptual metrics: distances between activations of a classifier, and LPIPS where its weights are available.

The classifier is not part of any model or loss: training against a network makes its metric meaningless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import cycle, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uncrappify.evaluation.metrics import Pixels, check

if TYPE_CHECKING:
    from torch import Tensor, nn

    from uncrappify.evaluation.texture import TextureStatistics

JUDGE = "efficientnet_lite1"
LARGEST_TILE = 1024
#: SqueezeNet halves a picture four times, and its trunk comes from torchvision under this name.
SMALLEST_LPIPS_SIDE = 32
LPIPS_TRUNK = "squeezenet1_1-b8a52dc0.pth"


def feature_distances(
    predictions: Sequence[Pixels], target: Pixels, textures: Sequence[TextureStatistics] = ()
) -> list[float]:
    """The metric ``feature_distance``: how different pictures look to a classifier; lower is better.

    Mean over the five stages of EfficientNet-Lite1 (ImageNet weights) of the squared distance between the activations
    of prediction and target, each position's channels normalised to length 1, summed over channels, mean over
    positions: LPIPS (Zhang et al. 2018) without its learned weights. A picture of more than 1024 pixels a side is
    judged in equal tiles of at most that size, and the mean weighted by area is taken.
    The metric of a run is the mean over pictures.

    Several predictions of one target are judged together, so that the target's activations are computed once.

    Args:
        predictions: Pictures to judge, uint8 (H, W, 3) each.
        target: What they should be, uint8 (H, W, 3).
        textures: Statistics of the target and of each prediction (:func:`create_textures`) that the pictures are
            counted into, so that the classifier need not look at them again.

    Returns:
        Each prediction's distance, 0 (the same) to 4.

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    from uncrappify.evaluation.texture import TEXTURE_STAGES
    from uncrappify.models.encoders import MEAN, STD

    encoder = _load_judge()

    # A tile at a time, that of the target first.
    turns = cycle(textures)

    def look(tile: Tensor) -> list[Tensor]:
        stages: list[Tensor] = encoder((tile - MEAN) / STD)
        if textures:
            next(turns).add([stages[stage] for stage in TEXTURE_STAGES])
        return stages

    return _average_over_tiles(predictions, target, look, _stage_distance)


def create_textures(number: int) -> list[TextureStatistics]:
    """Create statistics for the metric ``texture_distance``: how real pictures look to the judge; lower is better.

    The Frechet distance between the activations of EfficientNet-Lite1's stages 1 and 2 (24 and 40 channels, ImageNet
    weights, every position a sample, large pictures tiled as in :func:`feature_distances`) on all restored and on all
    good test pictures, mean of the two stages (:meth:`TextureStatistics.distance`). Where ``feature_distance`` asks
    whether the right detail is at the right place, this one asks whether it looks like detail of good pictures.

    Args:
        number: How many sets of pictures there are.
    """
    from uncrappify.evaluation.texture import TEXTURE_STAGES, TextureStatistics

    judge = _load_judge()

    def see_texture(pictures: Tensor) -> list[Tensor]:
        stages = judge(pictures)
        return [stages[stage] for stage in TEXTURE_STAGES]

    return [TextureStatistics(see_texture) for _ in range(number)]


def lpips_distances(predictions: Sequence[Pixels], target: Pixels) -> list[float]:
    """The metric ``lpips`` (Zhang et al. 2018, SqueezeNet trunk, torchmetrics); lower is better.

    Tiled as in :func:`feature_distances`. Figures depend on the trunk's file: that in half precision differs a little.

    Args:
        predictions: Pictures to judge, uint8 (H, W, 3) each.
        target: What they should be, uint8 (H, W, 3).

    Returns:
        Each prediction's distance, 0 (the same) to about 1; NaN for pictures of less than 32 pixels a side. An empty
        list if torchvision's ``squeezenet1_1`` is not in TORCH_HOME.

    Raises:
        ValueError: If the shapes differ or are not (H, W, 3), or the values are not uint8.
    """
    measure = _load_lpips()
    if measure is None:
        return []
    if min(target.shape[:2]) < SMALLEST_LPIPS_SIDE:
        return [float("nan")] * len(predictions)
    return _average_over_tiles(predictions, target, lambda tile: [tile], lambda a, b: measure(a[0], b[0]))


def _average_over_tiles(
    predictions: Sequence[Pixels],
    target: Pixels,
    look: Callable[[Tensor], list[Tensor]],
    distance: Callable[[list[Tensor], list[Tensor]], Tensor],
) -> list[float]:
    """Return each prediction's mean distance over tiles, weighted by area; ``look`` sees a target's tile once."""
    import torch

    for prediction in predictions:
        check(prediction, target)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sums = [0.0] * len(predictions)
    with torch.inference_mode():
        for rows, columns in _cut_tiles(*target.shape[:2]):
            cut = [
                torch.from_numpy(picture[rows, columns].copy()).to(device).permute(2, 0, 1)[None].float() / 255
                for picture in (target, *predictions)
            ]
            wanted = look(cut[0])
            area = cut[0].shape[-2] * cut[0].shape[-1]
            for index, tile in enumerate(cut[1:]):
                sums[index] += area * float(distance(look(tile), wanted))
    return [total / (target.shape[0] * target.shape[1]) for total in sums]


def _cut_tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Cut a picture into tiles of nearly equal size."""
    rows, columns = (np.linspace(0, side, -(-side // LARGEST_TILE) + 1).round().astype(int) for side in (height, width))
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            yield slice(top, bottom), slice(left, right)


def _stage_distance(mine: list[Tensor], theirs: list[Tensor]) -> Tensor:
    import torch
    import torch.nn.functional as F  # noqa: N812

    pairs = zip(mine, theirs, strict=True)
    return torch.stack([(F.normalize(a) - F.normalize(b)).square().sum(dim=1).mean() for a, b in pairs]).mean()


@lru_cache(maxsize=1)
def _load_judge() -> nn.Module:
    import torch

    from uncrappify.models.encoders import build_encoder, freeze

    return freeze(build_encoder(JUDGE)).to("cuda" if torch.cuda.is_available() else "cpu")


@lru_cache(maxsize=1)
def _load_lpips() -> Callable[[Tensor, Tensor], Tensor] | None:
    import torch

    if not (Path(torch.hub.get_dir()) / "checkpoints" / LPIPS_TRUNK).is_file():
        return None
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    device = "cuda" if torch.cuda.is_available() else "cpu"
    metric = LearnedPerceptualImagePatchSimilarity(net_type="squeeze", normalize=True).to(device).eval()
    measure: Callable[[Tensor, Tensor], Tensor] = metric.forward
    return measure
