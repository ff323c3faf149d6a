"""Test pictures that are damaged again and again, and what comes of it."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from uncrappify.datasets import PicturePairs
from uncrappify.degradations import Recipe
from uncrappify.evaluation.restoration import damage_again, derive_seed, evaluate_models

TEXT = {"content": "{jpeg.quality}", "x": [0.0, 0.5], "y": [0.0, 0.5], "size": 14}
RECIPE = Recipe.model_validate([{"resize": {"factor": 3}}, {"text": TEXT}, {"jpeg": {"quality": [10, 70]}}])


@pytest.fixture(autouse=True)
def _no_lpips(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


@pytest.fixture
def written(pairs):
    """The four pictures, of sizes that 3 does not divide, with text."""
    targets = {name: picture.resize((122, 97)) for name, picture in pairs.targets.items()}
    degraded = {name: RECIPE.degrade(picture, name, 7) for name, picture in targets.items()}
    return PicturePairs(degraded, targets, list(targets), 3, 1, recipe=RECIPE, seed=7)


def bicubic(picture):
    return picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.BICUBIC)


def test_the_first_draw_is_the_degraded_twin_and_the_others_follow_from_seed_and_name(written):
    damaged = list(damage_again(replace(written, names=["a", "b"]), 3))
    assert [(picture.name, picture.draw) for picture in damaged] == [(n, d) for n in "ab" for d in range(3)]
    assert damaged[0].degraded is written.degraded["a"]
    assert damaged[0].seed == 7
    assert damaged[1].seed == damaged[4].seed == derive_seed(7, 1) != 7
    assert damaged[1].degraded == RECIPE.degrade(written.targets["a"], "a", derive_seed(7, 1))
    assert damaged[1].drawn == RECIPE.draw("a", derive_seed(7, 1))
    assert len({picture.degraded.tobytes() for picture in damaged}) == 6
    (alone, *_) = damage_again(replace(written, names=["b"]), 1)
    assert alone.degraded == damaged[3].degraded


def test_no_two_draws_of_neighbouring_seeds_are_the_same():
    assert len({derive_seed(seed, draw) for seed in range(50) for draw in range(20)}) == 1000


def test_the_mask_has_the_targets_size_and_covers_whole_degraded_pixels(written):
    for picture in damage_again(written, 2):
        assert picture.target.size == (120, 96)
        assert picture.text.shape == (96, 120)
        blocks = picture.text.reshape(32, 3, 40, 3)
        assert (blocks == blocks[:, :1, :, :1]).all()
        assert (blocks[:, 0, :, 0] == RECIPE.mark_text((122, 97), picture.name, picture.seed)).all()


def test_text_that_is_removed_is_gained_inside_and_not_outside(written):
    clean = {name: written.targets[name].crop((0, 0, 120, 96)) for name in written.names}
    masks = iter([(picture.name, picture.text) for picture in damage_again(written, 3)])

    def remove_text(small):
        name, mask = next(masks)
        mended = np.array(bicubic(small))
        mended[mask] = np.asarray(clean[name])[mask]
        return Image.fromarray(mended)

    scores, _ = evaluate_models({"model": remove_text}, written, repeats=3)
    model = scores.by_picture.query("method == 'model'")
    assert model["psnr_in_text"].tolist() == [100.0] * 4
    assert model["gain_outside_text"].tolist() == [0.0] * 4
    assert (model["gain_in_text"] > 70).all()
    assert model["gain_over_bicubic"].between(0.5, 30).all()


def test_every_draw_is_kept_with_its_scores_by_model(written):
    scores, sheet = evaluate_models(
        {"generator": bicubic, "gan": lambda small: bicubic(small).point(lambda value: value // 2)},
        written,
        repeats=5,
        sheet_rows=2,
        columns={"pixel loss": "generator", "GAN": "gan"},
    )
    table = scores.by_draw
    assert len(table) == 4 * 5 * 6
    assert not table[["picture", "draw", "method", "psnr", "psnr_in_text", "jpeg.quality"]].isna().any(axis=None)
    qualities = table.drop_duplicates(["picture", "draw"])["jpeg.quality"]
    assert qualities.between(10, 70).all()
    assert qualities.nunique() > 10
    assert table["text.content"].tolist() == table["jpeg.quality"].map(str).tolist()
    means = scores.by_picture.groupby("method")["gain_over_bicubic"].mean()
    assert means["generator"] == 0
    assert means["gan"] < -5
    both = evaluate_models({"model": bicubic}, written, sheet_rows=1)[1].height
    assert sheet.width == 1600
    assert sheet.height > both


def test_pictures_are_damaged_only_when_it_is_their_turn(written):
    targets = dict(written.targets)
    stream = damage_again(replace(written, targets=targets), 2)
    next(stream)
    targets.clear()
    assert next(stream).name == "a"
    with pytest.raises(KeyError, match="b"):
        next(stream)


def test_at_scale_1_baselines_enlarge_the_degraded_picture_and_models_get_it_enlarged(written):
    seen = []

    def look(picture):
        seen.append(picture.size)
        return picture

    scores, _ = evaluate_models({"model": look}, replace(written, scale=1, names=["a"]), repeats=2)
    assert seen == [(120, 96)] * 2
    levels = scores.by_picture.set_index("method")["psnr"]
    assert levels["model"] == levels["bicubic"]
    assert levels["nearest"] != levels["bicubic"]
