"""Network input and target fit together, or the pair is named."""

import numpy as np
import pytest
from PIL import Image

from uncrappify.datasets import PicturePairs
from uncrappify.datasets.pairs import fit_sizes
from uncrappify.degradations import Recipe
from uncrappify.errors import UserError
from uncrappify.evaluation.metrics import psnr


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_at_scale_3_the_target_is_cropped_right_and_bottom() -> None:
    small, target = noise(20, 16), noise(62, 50)
    degraded, cropped = fit_sizes(small, target, 3, "a")
    assert degraded is small
    assert cropped.size == (60, 48)
    assert np.array_equal(cropped, np.asarray(target)[:48, :60])


def test_a_target_that_fits_is_left_alone() -> None:
    target = noise(60, 48)
    assert fit_sizes(noise(20, 16), target, 3, "a")[1] is target


def test_at_scale_1_the_input_is_enlarged_with_pillows_bicubic() -> None:
    small, target = noise(20, 16), noise(62, 50)
    degraded, same = fit_sizes(small, target, 1, "a")
    assert same is target
    assert np.array_equal(degraded, small.resize((62, 50), Image.Resampling.BICUBIC))


def test_at_scale_1_an_input_of_the_targets_size_is_left_alone() -> None:
    same = noise(62, 50)
    assert fit_sizes(same, noise(62, 50), 1, "a")[0] is same


@pytest.mark.parametrize("size", [(59, 48), (60, 47), (66, 48), (60, 54)])
def test_a_mismatch_names_the_pair_and_both_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(UserError) as caught:
        fit_sizes(noise(20, 16), noise(*size), 3, "holiday/a")
    assert str(caught.value) == (
        f"holiday/a: the target has {size[0]}x{size[1]} pixels and the degraded picture 20x16; "
        "a model of scale 3 needs 60x48."
    )


def test_pairs_are_decoded_by_name_and_counted() -> None:
    pairs = PicturePairs({"a": noise(20, 16), "b": noise(5, 5)}, {"a": noise(61, 48), "b": noise(15, 15)}, ["a"], 3, 0)
    assert len(pairs) == 1
    assert [side.size for side in pairs["a"]] == [(20, 16), (60, 48)]


@pytest.mark.parametrize("steps", [[{"resize": {"factor": 3}}], [{"resize": {"factor": 2}}, {"resize": {"factor": 2}}]])
def test_at_scale_1_an_enlarged_input_lies_on_its_target(steps: list[dict[str, dict[str, int]]]) -> None:
    recipe = Recipe.model_validate(steps)
    smooth = noise(9, 9).resize((101, 101), Image.Resampling.BICUBIC)
    degraded = {"a": recipe.degrade(smooth, "a", 1)}
    pairs = PicturePairs(degraded, {"a": smooth}, ["a"], 1, 0, recipe, 1)
    inputs, target = (np.asarray(side) for side in pairs["a"])
    assert inputs.shape == target.shape == (99, 99, 3) if len(steps) == 1 else (100, 100, 3)
    # A target that kept the border that the recipe cut off would be stretched against its input: 28 dB.
    assert psnr(inputs, target) > 38
