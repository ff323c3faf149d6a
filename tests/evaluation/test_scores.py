"""The score table and what is concluded from it."""

import numpy as np
import pytest
from PIL import Image

from uncrappify.evaluation.protocol import psnr_y, ssim_y
from uncrappify.evaluation.scores import compute_metrics, score_pictures, summarise

METRICS = ["psnr", "ssim", "psnr_y", "ssim_y", "gradient_energy_ratio", "feature_distance"]


@pytest.fixture(autouse=True)
def _no_lpips(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


def scored(name, seed=0, prediction=None):
    """A smooth random target, its half, and a prediction (the target with an error of 2 steps, if none is given)."""
    coarse = np.random.default_rng(seed).integers(20, 230, (6, 8, 3), dtype=np.uint8)
    target = Image.fromarray(coarse).resize((32, 24), Image.Resampling.BICUBIC)
    near = Image.fromarray(np.clip(np.asarray(target).astype(int) + 2, 0, 255).astype(np.uint8))
    return name, target.resize((16, 12), Image.Resampling.BICUBIC), prediction or near, target


def test_each_picture_is_scored_by_the_model_and_by_every_baseline():
    scores = score_pictures(scored(name, seed) for seed, name in enumerate(["a", "b"]))
    assert list(scores.columns) == ["picture", "method", *METRICS]
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

    assert len(score_pictures(stream())) == 15


def test_the_comparison_is_the_mean_over_pictures_with_the_model_first():
    scores = score_pictures(scored(name, seed) for seed, name in enumerate(["a", "b", "c"]))
    comparison = summarise(scores)
    assert comparison["method"].tolist() == ["model", "nearest", "bilinear", "bicubic", "lanczos"]
    nearest = scores.loc[scores["method"] == "nearest", "psnr"]
    assert comparison.loc[1, "psnr"] == pytest.approx(nearest.mean())
    assert comparison.loc[1, "psnr"] < comparison.loc[3, "psnr"]
    assert comparison.loc[0, "gain_over_bicubic"] == pytest.approx(compute_metrics(scores)["psnr_gain_over_bicubic"])
    assert comparison.loc[3, "gain_over_bicubic"] == 0


def test_the_worst_gain_shows_the_one_picture_that_got_worse():
    black = Image.new("RGB", (32, 24))
    scores = score_pictures([scored("good"), scored("bad", 1, prediction=black)])
    bad = scores[scores["picture"] == "bad"].set_index("method")["psnr"]
    figures = compute_metrics(scores)
    assert figures["psnr_gain_over_bicubic_worst"] == pytest.approx(bad["model"] - bad["bicubic"])
    assert figures["psnr_gain_over_bicubic_worst"] < -5
    assert figures["psnr_gain_over_bicubic"] == pytest.approx(figures["psnr"] - figures["psnr_bicubic"])
    assert set(figures) == {
        *METRICS,
        *(f"{metric}_bicubic" for metric in METRICS),
        "psnr_gain_over_bicubic",
        "psnr_gain_over_bicubic_worst",
    }


def test_the_fields_protocol_takes_the_scale_from_the_sizes():
    name, degraded, prediction, target = scored("a")
    figures = compute_metrics(score_pictures([(name, degraded, prediction, target)]))
    arrays = np.asarray(prediction), np.asarray(target)
    assert figures["psnr_y"] == psnr_y(*arrays, scale=2)
    assert figures["ssim_y"] == ssim_y(*arrays, scale=2)
    bicubic = np.asarray(degraded.resize(target.size, Image.Resampling.BICUBIC))
    assert figures["psnr_y_bicubic"] == psnr_y(bicubic, arrays[1], scale=2)


def test_a_metric_that_no_picture_has_is_left_out():
    grey = Image.new("RGB", (32, 24), "grey")
    figures = compute_metrics(score_pictures([("flat", grey.resize((16, 12)), grey, grey)]))
    assert not {"gradient_energy_ratio", "gradient_energy_ratio_bicubic"} & set(figures)
    assert figures["psnr"] == 100


def test_a_model_that_does_what_bicubic_does_gains_nothing():
    name, degraded, _, target = scored("a")
    bicubic = degraded.resize(target.size, Image.Resampling.BICUBIC)
    assert compute_metrics(score_pictures([(name, degraded, bicubic, target)]))["psnr_gain_over_bicubic"] == 0.0


def test_a_prediction_of_another_size_names_the_picture():
    with pytest.raises(ValueError, match=r"^cat\.jpg: .*\(5, 5\).*\(32, 24\)"):
        score_pictures([scored("cat.jpg", prediction=Image.new("RGB", (5, 5)))])


def test_no_pictures_are_an_error():
    with pytest.raises(ValueError, match="no pictures"):
        score_pictures([])
