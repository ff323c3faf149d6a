"""The field's protocol, proved by figures that everybody publishes."""

import math

import numpy as np
import pytest

from uncrappify.evaluation import metrics
from uncrappify.evaluation.baselines import enlarge
from uncrappify.evaluation.protocol import luminance, psnr_y, ssim_y


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def bicubic(set5):
    return {
        scale: [(np.asarray(enlarge(small, good.size, "bicubic")), np.asarray(good), scale) for small, good in pairs]
        for scale, pairs in set5.items()
    }


def test_psnr_of_bicubic_on_set5_is_the_published_one(bicubic):
    means = {scale: np.mean([psnr_y(*pair) for pair in pairs]) for scale, pairs in bicubic.items()}
    assert [len(pairs) for pairs in bicubic.values()] == [5, 5, 5]
    assert means == pytest.approx({2: 33.67, 3: 30.40, 4: 28.43}, abs=0.03)


def test_ssim_of_bicubic_on_set5_is_the_published_one(bicubic):
    means = {scale: np.mean([ssim_y(*pair) for pair in pairs]) for scale, pairs in bicubic.items()}
    assert means == pytest.approx({2: 0.9299, 3: 0.8682, 4: 0.8104}, abs=0.001)


def test_luminance_goes_from_16_to_235_and_knows_green_as_bright():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)
    assert luminance(colours)[0].tolist() == pytest.approx([16, 235, 81.481, 144.553, 40.966], abs=2e-3)


def test_the_border_does_not_count():
    target = noise(30, 40)
    prediction = target.copy()
    prediction[:3] = prediction[-3:] = 0
    prediction[:, :3] = prediction[:, -3:] = 0
    assert psnr_y(prediction, target, 3) == 100
    assert ssim_y(prediction, target, 3) == pytest.approx(1, abs=1e-9)
    assert psnr_y(prediction, target, 2) < 30


def test_the_peak_is_255_although_luminance_spans_219():
    target = np.full((20, 20, 3), 100, dtype=np.uint8)
    step = (65.481 + 128.553 + 24.966) / 255
    assert psnr_y(target + np.uint8(1), target, 2) == pytest.approx(10 * math.log10(255**2 / step**2))


def test_ssim_is_the_same_however_the_picture_is_cut_into_strips(monkeypatch):
    first, second = noise(43, 37), noise(43, 37) // 2 + noise(43, 37, seed=1) // 2
    whole = ssim_y(first, second, 2)
    assert 0.3 < whole < 0.95
    monkeypatch.setattr(metrics, "PIXELS_AT_ONCE", 100)
    assert ssim_y(first, second, 2) == pytest.approx(whole, abs=1e-12)


def test_pictures_too_small_for_the_protocol_have_no_figure():
    assert math.isnan(psnr_y(noise(6, 30), noise(6, 30, 1), 3))
    assert math.isnan(ssim_y(noise(16, 30), noise(16, 30, 1), 3))
    assert not math.isnan(ssim_y(noise(17, 30), noise(17, 30, 1), 3))


@pytest.mark.parametrize("metric", [psnr_y, ssim_y])
def test_different_sizes_are_named(metric):
    with pytest.raises(ValueError, match=r"\(20, 30, 3\).*\(20, 31, 3\)"):
        metric(noise(20, 30), noise(20, 31), 2)
