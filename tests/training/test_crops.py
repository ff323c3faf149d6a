"""Crops are drawn evenly over pictures, lie at the same place on both sides, and depend on seed and step alone."""

import os
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from uncrappify.datasets import PicturePairs
from uncrappify.degradations import Recipe
from uncrappify.training import crops
from uncrappify.training.crops import Pair, PairCrops, PixelPairs, decode_alike, decode_pairs
from uncrappify.training.parameters import RestorationStage

SCALE = 3
BOTH = ["flip", "turn"]
RECIPE = Recipe.model_validate([{"resize": {"factor": SCALE}}, {"jpeg": {"quality": [20, 90]}}])


def stage(size: int = 24, batch_size: int = 16) -> RestorationStage:
    return RestorationStage(size=size, batch_size=batch_size, steps=1)


def enlarged(picture: Tensor) -> Tensor:
    """Every pixel becomes a square of three by three."""
    return picture.repeat_interleave(SCALE, -2).repeat_interleave(SCALE, -1)


def coordinates(width: int, height: int) -> np.ndarray:
    """Red is x, green is y, blue is 250."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x, y, np.full_like(x, 250)], axis=-1).astype(np.uint8)


def coded(*sizes: tuple[int, int]) -> PicturePairs:
    """Pictures of given width and height whose target says which input pixel it belongs to."""
    inputs = {str(number): coordinates(*size) for number, size in enumerate(sizes)}
    degraded = {name: Image.fromarray(pixels) for name, pixels in inputs.items()}
    targets = {name: Image.fromarray(np.kron(pixels, np.ones((3, 3, 1), np.uint8))) for name, pixels in inputs.items()}
    return PicturePairs(degraded, targets, list(inputs), SCALE, 0)


def in_memory(pairs: PicturePairs) -> PixelPairs:
    return decode_pairs(pairs, RECIPE, [], 0, 0)


def cut(pairs: PicturePairs, stage: RestorationStage, augment: Sequence[str], seed: int = 0) -> PairCrops:
    return PairCrops(pairs, in_memory(pairs), stage, augment, seed)


def distinct(batch: Tensor) -> int:
    return len({crop.numpy().tobytes() for crop in batch})


def test_a_batch_has_the_stages_size_and_bytes() -> None:
    inputs, targets = cut(coded((40, 30)), stage(24, 5), BOTH)[0]
    assert (inputs.shape, inputs.dtype) == ((5, 3, 8, 8), torch.uint8)
    assert (targets.shape, targets.dtype) == ((5, 3, 24, 24), torch.uint8)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    pairs = coded((40, 30), (60, 50))
    first, second = cut(pairs, stage(), BOTH, 7), cut(pairs, stage(), BOTH, 7)
    for step in range(4):
        first[step]
    assert all(torch.equal(a, b) for a, b in zip(first[5], second[5], strict=True))
    assert not torch.equal(first[5][0], first[6][0])
    assert not torch.equal(first[5][0], cut(pairs, stage(), BOTH, 8)[5][0])


def test_pictures_that_do_not_fit_in_memory_give_the_same_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = coded((40, 30), (60, 50))
    kept = cut(pairs, stage(), BOTH, 7)
    monkeypatch.setattr(crops, "pixels_that_fit", lambda: 0)
    assert in_memory(pairs) == {}
    on_demand = cut(pairs, stage(), BOTH, 7)
    assert kept.workers == 0
    assert on_demand.workers >= 1
    assert all(torch.equal(a, b) for a, b in zip(kept[3], on_demand[3], strict=True))


def test_a_tiny_picture_is_drawn_as_often_as_a_huge_one() -> None:
    sizes = [(8, 8), (200, 150), (16, 9), (60, 50)]
    colours = [0, 80, 160, 240]
    degraded = {
        str(n): Image.new("RGB", size, (c, c, c)) for n, (size, c) in enumerate(zip(sizes, colours, strict=True))
    }
    targets = {name: picture.resize([3 * side for side in picture.size]) for name, picture in degraded.items()}
    drawn = cut(PicturePairs(degraded, targets, list(degraded), SCALE, 0), stage(24, 1000), [])[0][0][:, 0, 0, 0]
    counts = [int((drawn == colour).sum()) for colour in colours]
    assert sum(counts) == 1000
    # Four standard deviations of 1000 fair draws among four.
    assert all(abs(count - 250) < 4 * (1000 * 0.25 * 0.75) ** 0.5 for count in counts)


def test_the_target_is_exactly_where_the_input_is() -> None:
    inputs, targets = cut(coded((40, 30), (23, 90)), stage(24, 64), [])[0]
    assert torch.equal(targets, enlarged(inputs))
    assert (inputs[:, 2] == 250).all()
    assert (inputs[:, 0, :, 1:].int() - inputs[:, 0, :, :-1].int() == 1).all()


def test_every_place_of_a_picture_is_drawn() -> None:
    inputs, _ = cut(coded((10, 9)), stage(24, 400), [])[0]
    corners = {(int(crop[0, 0, 0]), int(crop[1, 0, 0])) for crop in inputs}
    assert corners == {(x, y) for x in range(3) for y in range(2)}


def test_augmentation_is_the_same_on_both_sides() -> None:
    inputs, targets = cut(coded((40, 30)), stage(24, 64), BOTH)[0]
    assert torch.equal(targets, enlarged(inputs))


@pytest.mark.parametrize(
    ("augment", "variants"),
    [([], 1), (["flip"], 2), (["turn"], 4), (BOTH, 8)],
)
def test_augmentation_makes_so_many_pictures_of_one(augment: Sequence[str], variants: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    pairs = PicturePairs({"a": picture}, {"a": picture.resize((24, 24))}, ["a"], SCALE, 0)
    inputs, targets = cut(pairs, stage(24, 200), augment)[0]
    assert distinct(inputs) == variants
    assert distinct(targets) == variants


@pytest.mark.parametrize("size", [(5, 20), (20, 5), (5, 5)])
def test_pictures_smaller_than_the_crop_are_mirrored_on_both_sides(size: tuple[int, int]) -> None:
    inputs, targets = cut(coded(size), stage(24, 4), [])[0]
    assert inputs.shape == (4, 3, 8, 8)
    assert torch.equal(targets, enlarged(inputs))
    for side, channel in zip(size, (0, 1), strict=True):
        along = inputs[0, channel, 0, :] if channel == 0 else inputs[0, channel, :, 0]
        if side == 5:
            assert along.tolist() == [0, 1, 2, 3, 4, 4, 3, 2]


def written_upon() -> PicturePairs:
    """Black pictures, which white text makes the only ones that are bright anywhere."""
    recipe = Recipe.model_validate([{"resize": {"factor": SCALE}}, {"text": {"content": "HI", "size": 12}}])
    targets = {name: Image.new("RGB", (240, 180)) for name in "ab"}
    degraded = {name: recipe.degrade(target, name, 0) for name, target in targets.items()}
    return PicturePairs(degraded, targets, list(targets), SCALE, 0, recipe)


@pytest.mark.parametrize("kept", [True, False], ids=["in memory", "decoded for each crop"])
def test_crops_are_cut_where_there_is_text(kept: bool) -> None:
    pairs = written_upon()
    pixels = decode_pairs(pairs, pairs.recipe, [], 8, 0) if kept else {}

    def share(on_text: float) -> float:
        crops = PairCrops(pairs, pixels, stage(48, 400), [], 0, on_text)[0][0]
        return float((crops.amax((1, 2, 3)) > 128).float().mean())

    by_chance = share(0)
    assert 0.05 < by_chance < 0.5
    # A corner of the box may have no ink.
    assert share(1) > 0.9
    assert share(0.5) == pytest.approx((share(1) + by_chance) / 2, abs=0.08)


def test_crops_on_text_lie_at_the_same_place_of_input_and_target() -> None:
    marked = coded((40, 30))
    recipe = Recipe.model_validate([{"resize": {"factor": SCALE}}, {"text": {"content": "HI", "size": 5}}])
    pairs = PicturePairs(marked.degraded, marked.targets, marked.names, SCALE, 0, recipe)
    inputs, targets = PairCrops(pairs, {}, stage(24, 50), BOTH, 0, 1.0)[0]
    assert torch.equal(targets, enlarged(inputs))
    assert distinct(inputs) > 20


def test_crops_larger_than_twice_the_picture_are_filled_too() -> None:
    inputs, targets = cut(coded((3, 3)), stage(48, 2), [])[0]
    assert inputs[0, 0, 0].tolist() == [0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2]
    assert torch.equal(targets, enlarged(inputs))


def test_pictures_are_decoded_once_with_so_many_variants_as_are_asked_for(pairs: PicturePairs) -> None:
    pixels = decode_pairs(pairs, RECIPE, ["gamma"], 11, 0)
    assert {name: len(variants) for name, variants in pixels.items()} == dict.fromkeys("abcd", 1 + 11 // 4)
    for name, variants in pixels.items():
        for side, picture in zip(variants[0][:2], pairs[name], strict=True):
            assert np.array_equal(side, picture)
        assert len({pair.target.tobytes() for pair in variants}) == 3


def test_a_set_of_more_pictures_than_variants_gets_none(pairs: PicturePairs) -> None:
    assert {len(variants) for variants in decode_pairs(pairs, RECIPE, ["gamma"], 3, 0).values()} == {1}


def test_a_variant_is_the_degraded_twin_of_its_own_target(pairs: PicturePairs) -> None:
    pixels = decode_pairs(pairs, RECIPE, ["zoom", "permute_channels"], 8, 5)
    for name, variants in pixels.items():
        for number, (bad, good, _) in enumerate(variants[1:], 1):
            assert good.shape[:2] == tuple(SCALE * side for side in bad.shape[:2])
            assert 0.6 * 48 - 3 <= good.shape[0] <= 48
            twin = RECIPE.degrade(Image.fromarray(good), f"{name} {number}", 5)
            assert np.array_equal(bad, twin)


def test_variants_depend_on_the_seed_and_not_on_the_number_of_cores(
    pairs: PicturePairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def content(cores: int, seed: int) -> list[bytes]:
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        pixels = decode_pairs(pairs, RECIPE, ["gamma", "saturation"], 8, seed)
        return [side.tobytes() for variants in pixels.values() for pair in variants for side in pair[:2]]

    assert content(1, 0) == content(3, 0)
    assert content(1, 0) != content(1, 1)


def test_variants_that_do_not_fit_in_memory_are_left_out(pairs: PicturePairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "pixels_that_fit", lambda: 2 * pairs.pixels)
    assert {len(variants) for variants in decode_pairs(pairs, RECIPE, ["gamma"], 40, 0).values()} == {2}
    monkeypatch.setattr(crops, "pixels_that_fit", lambda: pairs.pixels)
    assert {len(variants) for variants in decode_pairs(pairs, RECIPE, ["gamma"], 40, 0).values()} == {1}


def test_every_variant_is_drawn(pairs: PicturePairs) -> None:
    names = [f"v{number}" for number in range(4)]
    grey = {
        name: Pair(np.full((8, 8, 3), n, np.uint8), np.full((24, 24, 3), n, np.uint8)) for n, name in enumerate(names)
    }
    drawn = PairCrops(PicturePairs({}, {}, ["a"], SCALE, 0), {"a": list(grey.values())}, stage(24, 100), [], 0)[0][0]
    assert set(drawn.flatten().tolist()) == {0, 1, 2, 3}


def test_both_of_a_pair_are_varied_alike(pairs: PicturePairs) -> None:
    same = PicturePairs(pairs.targets, pairs.targets, pairs.names, 1, pairs.pixels)
    decoded = decode_alike(same, ["permute_channels", "gamma", "saturation"], variants=8, seed=0)
    for name in pairs.names:
        kept, *varied = decoded[name]
        assert len(varied) == 2
        assert np.array_equal(kept[0], np.asarray(pairs.targets[name]))
        assert all(np.array_equal(one, other) for one, other, _ in varied)
        assert not np.array_equal(varied[0][0], varied[1][0])
        assert not np.array_equal(varied[0][0], kept[0])
