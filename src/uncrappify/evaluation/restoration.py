"""Models that undo damage, judged on pictures that are damaged once or many times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncrappify.datasets import PicturePairs
from uncrappify.datasets.pairs import fit_sizes
from uncrappify.degradations import Draw
from uncrappify.evaluation.scores import ScoredPicture, Scores, score_pictures
from uncrappify.evaluation.sheet import COLUMNS, draw_comparison, stack_comparisons
from uncrappify.progress import track

Restore = Callable[[Image.Image], Image.Image]
"""From a model's input, RGB, to a picture of the target's size."""


@dataclass(frozen=True)
class DamagedPicture:
    """A test picture under one draw of its recipe.

    Args:
        name: Of the picture.
        draw: Number of the draw; the first, 0, is that of the files.
        seed: Of the draw.
        drawn: What each step drew.
        degraded: The damaged picture.
        input: What the network gets: at scale 1 enlarged to the target's size.
        target: What it should give.
        text: (H, W) of the target, where there is text; None for a recipe without.
    """

    name: str
    draw: int
    seed: int
    drawn: Mapping[str, Draw]
    degraded: Image.Image
    input: Image.Image
    target: Image.Image
    text: NDArray[np.bool_] | None


def damage_again(pairs: PicturePairs, repeats: int) -> Iterator[DamagedPicture]:
    """Damage each picture anew, one at a time.

    Args:
        pairs: The pictures, with the recipe and seed of their degraded twins.
        repeats: How many draws of each picture there are; the first is the degraded twin itself.

    Yields:
        All draws of a picture, then those of the next.

    Raises:
        UserError: The sizes do not fit the scale, or a file has changed since it was listed.
    """
    for name in pairs.names:
        good, stem = pairs.targets[name], pairs.stems.get(name, name)
        for draw in range(repeats):
            seed = derive_seed(pairs.seed, draw)
            degraded = pairs.recipe.degrade(good, stem, seed) if draw else pairs.degraded[name]
            source, target = fit_sizes(degraded, pairs.recipe.crop_target(good, stem, seed), pairs.scale, name)
            text = pairs.recipe.mark_text(good.size, stem, seed)
            drawn = pairs.recipe.draw(stem, seed)
            yield DamagedPicture(name, draw, seed, drawn, degraded, source, target, _enlarge_mask(text, target.size))


def derive_seed(seed: int, draw: int) -> int:
    """Derive the seed of a draw: the pipeline's own for the first, and others that no neighbouring seed has."""
    return int(np.random.SeedSequence([seed, draw]).generate_state(1)[0]) if draw else seed


def _enlarge_mask(mask: NDArray[np.bool_] | None, size: tuple[int, int]) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(size, Image.Resampling.NEAREST), dtype=np.bool_)


def evaluate_models(
    models: Mapping[str, Restore],
    pairs: PicturePairs,
    *,
    repeats: int = 1,
    sheet_rows: int = 6,
    columns: Mapping[str, str] = COLUMNS,
) -> tuple[Scores, Image.Image]:
    """Score models and baselines on test pictures, and draw the first of these; one picture is in memory at a time.

    Args:
        models: Name to what restores a picture; all of one scale.
        pairs: The test pictures.
        repeats: How often each is damaged.
        sheet_rows: Pictures on the sheet at most.
        columns: What the sheet shows, as in :data:`~uncrappify.evaluation.sheet.COLUMNS`.

    Returns:
        The scores, and the sheet.

    Raises:
        ValueError: There are no pictures, or a model gives one of another size than its target.
    """
    shown: list[Image.Image] = []

    def restore_all() -> Iterator[ScoredPicture]:
        total = len(pairs) * repeats
        for damaged in track(damage_again(pairs, repeats), "evaluating", total):
            picture = ScoredPicture(
                damaged.name,
                # The baselines enlarge the degraded picture itself, also where the models get it enlarged already.
                damaged.degraded,
                {name: restore(damaged.input) for name, restore in models.items()},
                damaged.target,
                damaged.text,
                damaged.draw,
                damaged.seed,
                damaged.drawn,
            )
            if damaged.draw == 0 and len(shown) < sheet_rows:
                shown.append(draw_comparison(picture, columns))
            yield picture

    scores = score_pictures(restore_all())
    return scores, stack_comparisons(shown, columns)
