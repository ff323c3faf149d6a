"""Batches of labelled pictures: every picture once an epoch, cut and turned by the seed and the step alone."""

import numpy as np
import pytest
import torch

from uncrappify.training.labelled import LabelledBatches, warp
from uncrappify.training.parameters import Affine, ClassificationStage, ClassificationTraining

pytestmark = pytest.mark.usefixtures("one_thread")
PIXELS = torch.arange(10 * 1 * 6 * 4, dtype=torch.uint8).view(10, 1, 6, 4) + 1
LABELS = torch.arange(10)


def make(seed: int = 0, batch_size: int = 4, **changes: object) -> LabelledBatches:
    stage = ClassificationStage(batch_size=batch_size, steps=10)
    training = ClassificationTraining.model_validate({"stages": [stage], "padding": 0} | changes)
    return LabelledBatches(PIXELS, LABELS, stage, training, seed)


def test_an_epoch_has_every_picture_once_and_the_next_another_order() -> None:
    batches = make()
    seen = torch.cat([batches[step][1] for step in range(5)]).tolist()
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


def test_a_batch_depends_on_the_seed_and_the_step_alone() -> None:
    first, second, other = make(padding=2), make(padding=2), make(seed=1, padding=2)
    for step in (0, 7):
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(first[step], second[step], strict=True))
        assert not torch.equal(first[step][0], other[step][0])


def test_without_changes_a_picture_is_the_one_that_its_class_says() -> None:
    pictures, labels = make()[0]
    assert torch.equal(pictures, PIXELS[labels])


def test_a_padding_crop_is_a_part_of_the_picture_with_black_around_it_at_every_place() -> None:
    batches = make(padding=1)
    places = set()
    for step in range(60):
        for picture, label in zip(*batches[step], strict=True):
            padded = torch.nn.functional.pad(PIXELS[label], (1, 1, 1, 1))
            found = [
                (top, left)
                for top in range(3)
                for left in range(3)
                if torch.equal(padded[:, top : top + 6, left : left + 4], picture)
            ]
            assert len(found) == 1
            places.update(found)
    assert len(places) == 9


def test_half_of_the_pictures_are_mirrored() -> None:
    batches = make(flip=True)
    mirrored = [
        torch.equal(picture, PIXELS[label].flip(-1))
        for step in range(100)
        for picture, label in zip(*batches[step], strict=True)
    ]
    assert 0.4 < np.mean(mirrored) < 0.6


def test_no_warping_leaves_pictures_as_they_are() -> None:
    none = Affine(degrees=0, shift=0, zoom=0, shear=0)
    assert torch.equal(warp(PIXELS, none, np.random.default_rng(0)), PIXELS)


class Extreme:
    """Draws the largest value of everything, or the middle where another is named."""

    def __init__(self, place: int) -> None:
        self.place = place

    def uniform(self, low: float, high: float, shape: tuple[int, int]) -> np.ndarray:
        drawn = np.full(shape, (low + high) / 2)
        drawn[self.place] = high
        return drawn


def test_pixels_move_by_the_share_of_the_size_that_is_said() -> None:
    affine = Affine(degrees=0, shift=0.5, zoom=0, shear=0)
    moved = warp(PIXELS, affine, Extreme(3))  # type: ignore[arg-type]
    assert torch.equal(moved[..., :2], PIXELS[..., 2:])
    assert not moved[..., 2:].any()


def test_a_quarter_turn_is_a_quarter_turn_also_of_a_picture_that_is_no_square() -> None:
    picture = torch.zeros(1, 1, 5, 9, dtype=torch.uint8)
    picture[0, 0, 2, 3:6] = 200
    turned = warp(picture, Affine(degrees=90, shift=0, zoom=0, shear=0), Extreme(0))  # type: ignore[arg-type]
    expected = torch.zeros_like(picture)
    expected[0, 0, 1:4, 4] = 200
    assert (turned.int() - expected.int()).abs().max() <= 1


def test_a_picture_is_magnified_by_the_share_that_is_said() -> None:
    picture = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    picture[..., 3:5, 3:5] = 240
    larger = warp(picture, Affine(degrees=0, shift=0, zoom=0.5, shear=0), Extreme(2))  # type: ignore[arg-type]
    # Half as large again: 2.25 times the brightness in all.
    assert larger.sum().item() == pytest.approx(2.25 * picture.sum().item(), rel=0.1)
