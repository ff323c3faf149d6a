"""Batches of pictures with masks: alike for both, and the same for the same seed and step."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from uncrappify.datasets import MaskedPictures
from uncrappify.pictures.masks import VOID, Labels
from uncrappify.training.masked_crops import MaskedCrops, decode_masked
from uncrappify.training.parameters import SegmentationStage

ALL = ["flip", "zoom", "rotate", "light"]


@pytest.fixture
def pictures(tmp_path: Path) -> MaskedPictures:
    """Five pictures whose red says the class, and one of which has void."""
    found, masks = {}, {}
    for number, name in enumerate("abcde"):
        mask = (
            np.random.default_rng(number).integers(0, 3, (6, 8), dtype=np.uint8).repeat(10, axis=0).repeat(10, axis=1)
        )
        picture = np.stack([mask * 100, np.full_like(mask, 40 * number), mask], axis=-1)
        found[name] = Image.fromarray(picture)
        masks[name] = tmp_path / f"{name}.png"
        Image.fromarray(mask).save(masks[name])
    labels = Labels(classes=["a", "b", "c"])
    return MaskedPictures(found, masks, list(found), labels, 5 * 60 * 80)


def crops(
    pictures: MaskedPictures, augment: Sequence[str], size: tuple[int, int] = (32, 48), seed: int = 1
) -> MaskedCrops:
    stage = SegmentationStage(size=size, batch_size=4, steps=1)
    return MaskedCrops(pictures, decode_masked(pictures), stage, augment, seed)


def test_a_batch_depends_on_seed_and_step_alone(pictures: MaskedPictures) -> None:
    first, again = crops(pictures, ALL), crops(pictures, ALL)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    batches = [first[3], (again[0], again[3])[1]]
    assert all(torch.equal(a, b) for a, b in zip(*batches, strict=True))
    assert not torch.equal(first[3][0], first[4][0])
    assert not torch.equal(first[3][0], crops(pictures, ALL, seed=2)[3][0])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_has_the_size_of_its_stage(pictures: MaskedPictures) -> None:
    for augment in ([], ALL):
        inputs, masks = crops(pictures, augment)[0]
        assert (tuple(inputs.shape), inputs.dtype) == ((4, 3, 32, 48), torch.uint8)
        assert (tuple(masks.shape), masks.dtype) == ((4, 32, 48), torch.uint8)


@pytest.mark.parametrize("augment", [["flip"], ["zoom"], ["rotate"], ["flip", "zoom", "rotate"]])
def test_picture_and_mask_stay_together(pictures: MaskedPictures, augment: list[str]) -> None:
    inputs, masks = crops(pictures, augment, size=(60, 80))[0]
    known = masks != VOID
    # The picture is interpolated at the edges of a class, and the mask is not.
    right = (inputs[:, 0].float() / 100 - masks).abs()[known] < 0.5
    assert right.float().mean() > 0.9


def test_only_the_light_of_the_picture_changes(pictures: MaskedPictures) -> None:
    plain, lit = crops(pictures, [])[0], crops(pictures, ["light"])[0]
    assert torch.equal(plain[1], lit[1])
    assert not torch.equal(plain[0], lit[0])


def test_what_a_rotation_brings_in_is_void(pictures: MaskedPictures) -> None:
    masks = torch.cat([crops(pictures, ["rotate"])[step][1] for step in range(5)])
    assert (masks == VOID).any()
    assert not (crops(pictures, ["zoom"])[0][1] == VOID).any()


def test_without_zoom_nothing_is_cut_off(pictures: MaskedPictures) -> None:
    plain = crops(pictures, [], size=(60, 40))
    picture, mask = plain.transform(*plain._sample("a"))
    assert np.array_equal(mask[:, 0].numpy(), np.asarray(pictures["a"][1])[:, 1])
    assert np.array_equal(mask[:, -1].numpy(), np.asarray(pictures["a"][1])[:, -1])
    assert tuple(picture.shape) == (3, 60, 40)


def test_an_epoch_has_every_picture_once(pictures: MaskedPictures) -> None:
    batches = crops(pictures, [])
    greens = torch.cat([batches[step][0][:, 1, 0, 0] for step in range(5)])
    assert sorted((greens / 40).round().tolist()) == sorted([0, 1, 2, 3, 4] * 4)
    assert len({int(green) for green in greens[:5]}) == 5


def test_pictures_that_do_not_fit_into_memory_are_read_each_time(pictures: MaskedPictures) -> None:
    held = crops(pictures, ALL)
    read = MaskedCrops(pictures, {}, SegmentationStage(size=(32, 48), batch_size=4, steps=1), ALL, 1)
    assert all(torch.equal(a, b) for a, b in zip(held[2], read[2], strict=True))
    assert read.workers > 0
