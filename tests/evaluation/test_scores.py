"""The score table and what is concluded from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from uncrappify.evaluation.perceptual import create_textures
from uncrappify.evaluation.protocol import psnr_y, ssim_y
from uncrappify.evaluation.scores import ScoredPicture, compute_metrics, score_pictures, summarise

METRICS = ["psnr", "ssim", "psnr_y", "ssim_y", "gradient_energy_ratio", "feature_distance"]
COLUMNS = ["psnr", "gain_over_bicubic", *METRICS[1:]]


@pytest.fixture(autouse=True)
def _no_lpips(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


def scored(name, seed=0, prediction=None):
    """A smooth random target, its half, and a prediction (the target with an error of 2 steps, if none is given)."""
    coarse = np.random.default_rng(seed).integers(20, 230, (6, 8, 3), dtype=np.uint8)
    target = Image.fromarray(coarse).resize((32, 24), Image.Resampling.BICUBIC)
    near = Image.fromarray(np.clip(np.asarray(target).astype(int) + 2, 0, 255).astype(np.uint8))
    degraded = target.resize((16, 12), Image.Resampling.BICUBIC)
    return ScoredPicture(name, degraded, {"model": prediction or near}, target)


def draws_of(name, offsets, seed=0, text=None):
    """A picture with one draw for each offset: the prediction is off by so many steps."""
    first = scored(name, seed)
    for number, offset in enumerate(offsets):
        prediction = Image.fromarray(np.clip(np.asarray(first.target).astype(int) + offset, 0, 255).astype(np.uint8))
        drawn = {"jpeg.quality": 10 * number}
        yield replace(first, predictions={"model": prediction}, text=text, draw=number, seed=number + 7, drawn=drawn)


def test_each_picture_is_scored_by_the_model_and_by_every_baseline():
    scores = score_pictures(scored(name, seed) for seed, name in enumerate(["a", "b"])).by_picture
    assert list(scores.columns) == ["picture", "method", *COLUMNS]
    assert scores["picture"].tolist() == ["a"] * 5 + ["b"] * 5
    assert scores["method"].tolist() == ["model", "nearest", "bilinear", "bicubic", "lanczos"] * 2
    assert scores.loc[scores["method"] == "model", "psnr"].tolist() == pytest.approx([42.11] * 2, abs=0.1)


def test_pictures_are_taken_one_after_the_other():
    alive = []

    def stream():
        for seed in range(3):
            alive.append(seed)
            yield scored(str(seed), seed)
            assert alive[-1] == seed

    assert len(score_pictures(stream()).by_draw) == 15


def test_the_comparison_is_the_mean_over_pictures_with_the_model_first():
    scores = score_pictures(scored(name, seed) for seed, name in enumerate(["a", "b", "c"]))
    comparison = summarise(scores)
    assert comparison["method"].tolist() == ["model", "nearest", "bilinear", "bicubic", "lanczos"]
    nearest = scores.by_picture.query("method == 'nearest'")["psnr"]
    assert comparison.loc[1, "psnr"] == pytest.approx(nearest.mean())
    assert comparison.loc[1, "psnr"] < comparison.loc[3, "psnr"]
    assert comparison.loc[0, "gain_over_bicubic"] == pytest.approx(compute_metrics(scores)["psnr_gain_over_bicubic"])
    assert comparison.loc[3, "gain_over_bicubic"] == 0


def test_the_worst_gain_shows_the_one_picture_that_got_worse():
    black = Image.new("RGB", (32, 24))
    scores = score_pictures([scored("good"), scored("bad", 1, prediction=black)])
    bad = scores.by_picture.query("picture == 'bad'").set_index("method")["psnr"]
    figures = compute_metrics(scores)
    assert figures["psnr_gain_over_bicubic_worst"] == pytest.approx(bad["model"] - bad["bicubic"])
    assert figures["psnr_gain_over_bicubic_worst"] < -5
    assert figures["psnr_gain_over_bicubic"] == pytest.approx(figures["psnr"] - figures["psnr_bicubic"])
    assert set(figures) == {
        *(f"{metric}{suffix}" for metric in (*METRICS, "texture_distance") for suffix in ("", "_bicubic")),
        "psnr_gain_over_bicubic",
        "psnr_gain_over_bicubic_worst",
        "psnr_standard_error",
        "psnr_gain_over_bicubic_standard_error",
    }


def test_the_fields_protocol_takes_the_scale_from_the_sizes():
    picture = scored("a")
    prediction, target = picture.predictions["model"], picture.target
    figures = compute_metrics(score_pictures([picture]))
    arrays = np.asarray(prediction), np.asarray(target)
    assert figures["psnr_y"] == psnr_y(*arrays, scale=2)
    assert figures["ssim_y"] == ssim_y(*arrays, scale=2)
    bicubic = np.asarray(picture.degraded.resize(target.size, Image.Resampling.BICUBIC))
    assert figures["psnr_y_bicubic"] == psnr_y(bicubic, arrays[1], scale=2)


def test_a_metric_that_no_picture_has_is_left_out():
    grey = Image.new("RGB", (32, 24), "grey")
    figures = compute_metrics(score_pictures([ScoredPicture("flat", grey.resize((16, 12)), {"model": grey}, grey)]))
    assert not {"gradient_energy_ratio", "gradient_energy_ratio_bicubic"} & set(figures)
    assert figures["psnr"] == 100


def test_a_model_that_does_what_bicubic_does_gains_nothing():
    picture = scored("a")
    bicubic = picture.degraded.resize(picture.target.size, Image.Resampling.BICUBIC)
    scores = score_pictures([replace(picture, predictions={"model": bicubic})])
    assert compute_metrics(scores)["psnr_gain_over_bicubic"] == 0.0
    assert scores.texture_distances["model"] == pytest.approx(scores.texture_distances["bicubic"], rel=1e-6)


def test_a_prediction_of_another_size_names_the_picture():
    with pytest.raises(ValueError, match=r"^cat\.jpg: .* of model is \(5, 5\).*\(32, 24\)"):
        score_pictures([scored("cat.jpg", prediction=Image.new("RGB", (5, 5)))])


def test_no_pictures_are_an_error():
    with pytest.raises(ValueError, match="no pictures"):
        score_pictures([])


def test_several_models_stand_side_by_side_and_each_has_its_own_metrics():
    first = scored("a")
    scores = score_pictures([replace(first, predictions={"good": first.target, "bad": Image.new("RGB", (32, 24))})])
    assert summarise(scores)["method"].tolist()[:3] == ["good", "bad", "nearest"]
    good, bad = compute_metrics(scores, "good"), compute_metrics(scores, "bad")
    assert good["psnr"] == 100
    assert good["texture_distance"] == pytest.approx(0, abs=1e-6)
    assert bad["psnr_gain_over_bicubic"] < 0 < good["psnr_gain_over_bicubic"]
    assert bad["texture_distance"] > bad["texture_distance_bicubic"] == good["texture_distance_bicubic"] > 0


def test_the_texture_distance_is_that_of_all_pictures_together():
    pictures = [scored(name, seed) for seed, name in enumerate(["a", "b"])]
    together = score_pictures(pictures).texture_distances["bicubic"]
    restored, good = create_textures(2)
    for picture in pictures:
        bicubic = np.asarray(picture.degraded.resize((32, 24), Image.Resampling.BICUBIC))
        for texture, pixels in ((restored, bicubic), (good, np.asarray(picture.target))):
            texture.update(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255)
    assert together == pytest.approx(restored.distance(good), rel=1e-4)


def test_scores_are_means_over_pictures_of_the_mean_over_draws_with_both_errors():
    offsets = {"a": [1, 2], "b": [2, 4], "c": [8, 4]}
    pictures = [draws for seed, (name, steps) in enumerate(offsets.items()) for draws in draws_of(name, steps, seed)]
    scores = score_pictures(pictures)
    levels = scores.by_draw.query("method == 'model'").pivot(index="picture", columns="draw", values="psnr").to_numpy()
    assert levels[0] == pytest.approx(20 * np.log10([255, 127.5]), abs=0.05)
    figures = compute_metrics(scores)
    assert figures["psnr"] == pytest.approx(levels.mean())
    means = levels.mean(axis=1)
    assert figures["psnr_standard_error"] == pytest.approx(means.std(ddof=1) / np.sqrt(3))
    over_draws = np.sqrt((levels.var(axis=1, ddof=1) / 2).sum()) / 3
    assert figures["psnr_standard_error_draws"] == pytest.approx(over_draws)
    # Bicubic enlargement is the same in each draw here.
    assert figures["psnr_gain_over_bicubic_standard_error_draws"] == pytest.approx(over_draws)


def test_what_takes_long_is_measured_for_the_first_draw_alone_and_the_draws_are_kept():
    scores = score_pictures(draws_of("a", [2, 9, 9]))
    table = scores.by_draw
    assert table["draw"].tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert table["seed"].tolist() == [7] * 5 + [8] * 5 + [9] * 5
    assert table["jpeg.quality"].tolist() == [0] * 5 + [10] * 5 + [20] * 5
    assert table.loc[table["draw"] > 0, "ssim"].isna().all()
    once = score_pictures(draws_of("a", [2]))
    assert scores.texture_distances == once.texture_distances
    assert compute_metrics(scores)["ssim"] == compute_metrics(once)["ssim"]
    assert compute_metrics(scores)["psnr"] < compute_metrics(once)["psnr"] - 5


def test_inside_and_outside_of_the_text_are_told_apart():
    text = np.zeros((24, 32), bool)
    text[2:8, 4:20] = True
    picture = scored("a")
    pixels = np.asarray(picture.target).astype(int) + 1
    pixels[text] += 9
    prediction = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    figures = compute_metrics(score_pictures([replace(picture, predictions={"model": prediction}, text=text)]))
    assert figures["psnr_in_text"] == pytest.approx(20 * np.log10(25.5), abs=0.01)
    assert figures["psnr_outside_text"] == pytest.approx(20 * np.log10(255), abs=0.01)
    for part in ("in", "outside"):
        gain = figures[f"psnr_{part}_text"] - figures[f"psnr_{part}_text_bicubic"]
        assert figures[f"psnr_gain_{part}_text"] == pytest.approx(gain)


def test_a_draw_without_text_does_not_count_where_text_is_judged():
    text = np.zeros((24, 32), bool)
    text[2:8, 4:20] = True
    with_text, without = draws_of("a", [2, 8])
    figures = compute_metrics(
        score_pictures([replace(with_text, text=text), replace(without, text=np.zeros_like(text))])
    )
    assert figures["psnr_in_text"] == pytest.approx(20 * np.log10(127.5), abs=0.01)
    assert figures["psnr_outside_text"] == pytest.approx(20 * np.log10([127.5, 255 / 8]).mean(), abs=0.05)


def test_a_recipe_without_text_has_no_metric_of_text():
    figures = compute_metrics(score_pictures(draws_of("a", [2, 3])))
    assert not [name for name in figures if "in_text" in name or "outside_text" in name]
