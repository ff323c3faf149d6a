"""The metrics' values, against hand-computed ones and torchmetrics."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from uncrappify.evaluation import metrics
from uncrappify.evaluation.metrics import gradient_energy, gradient_energy_ratio, psnr, psnr_by_part, ssim


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flat(value, height=20, width=30):
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_psnr_of_a_picture_that_is_five_steps_off_everywhere_is_34_15():
    assert psnr(flat(100), flat(105)) == pytest.approx(10 * math.log10(255**2 / 25), abs=1e-4)


def test_psnr_counts_the_border_and_every_channel_alike():
    target, prediction = flat(100), flat(100)
    prediction[0, 0, 2] = 200
    assert psnr(prediction, target) == pytest.approx(10 * math.log10(255**2 / (100**2 / 1800)), abs=1e-4)


def test_black_against_white_is_0_decibels():
    assert psnr(flat(0), flat(255)) == pytest.approx(0.0, abs=1e-6)


def test_identical_pictures_have_100_decibels_so_that_a_mean_stays_finite():
    assert psnr(noise(9, 9), noise(9, 9)) == 100.0


def test_psnr_by_part_is_the_psnr_of_each_part_alone(monkeypatch):
    prediction, target, inside = noise(30, 40), noise(30, 40, 1), np.zeros((30, 40), bool)
    inside[4:20, 8:] = True
    whole = psnr_by_part(prediction, target, inside)
    parts = [psnr(prediction[part][None], target[part][None]) for part in (inside, ~inside)]
    assert whole == pytest.approx(parts, abs=1e-4)
    monkeypatch.setattr(metrics, "STRIP", 7)
    assert psnr_by_part(prediction, target, inside) == whole


def test_a_part_that_is_right_has_100_decibels_and_one_without_pixels_none():
    inside = np.zeros((20, 30), bool)
    inside[0] = True
    prediction = flat(100)
    prediction[1:] = 110
    assert psnr_by_part(prediction, flat(100), inside) == pytest.approx((100, 10 * math.log10(255**2 / 100)))
    everywhere = psnr_by_part(prediction, flat(100), np.ones((20, 30), bool))
    assert everywhere[0] == pytest.approx(psnr(prediction, flat(100)), abs=1e-4)
    assert math.isnan(everywhere[1])
    with pytest.raises(ValueError, match=r"mask is \(30, 20\)"):
        psnr_by_part(prediction, flat(100), inside.T)


def test_identical_pictures_have_an_ssim_of_1():
    assert ssim(noise(40, 30), noise(40, 30)) == pytest.approx(1.0, abs=1e-6)


def test_ssim_of_flat_pictures_is_its_luminance_term():
    c1 = (0.01 * 255) ** 2
    assert ssim(flat(100), flat(150)) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), abs=1e-9)


@pytest.mark.parametrize("pixels_at_once", [1, 37 * 7, 1 << 20])
def test_ssim_is_torchmetrics_value_however_the_picture_is_cut_into_strips(monkeypatch, pixels_at_once):
    monkeypatch.setattr(metrics, "PIXELS_AT_ONCE", pixels_at_once)
    first, second = noise(23, 37), noise(23, 37) // 2 + noise(23, 37, seed=1) // 2
    tensors = [torch.from_numpy(picture).permute(2, 0, 1)[None].double() for picture in (first, second)]
    expected = float(structural_similarity_index_measure(*tensors, data_range=255.0))
    assert 0.3 < expected < 0.9
    assert ssim(first, second) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (1, 30)])
def test_ssim_is_defined_for_pictures_smaller_than_its_window(size):
    assert ssim(noise(*size), noise(*size)) == pytest.approx(1.0, abs=1e-9)
    assert ssim(noise(*size), noise(*size, seed=1)) < 0.9


def test_gradient_energy_is_at_the_edge():
    pixels = flat(0, 10, 12)
    pixels[:, 6:] = 100
    energy = gradient_energy(pixels)
    assert energy.shape == (10, 12)
    assert energy[:, 5].tolist() == [10000.0] * 10
    assert energy.sum() == 100000.0


def test_half_the_contrast_is_a_quarter_of_the_gradient_energy():
    target, prediction = flat(50), flat(50)
    target[:, 10:] = 150
    prediction[:, 10:] = 100
    assert gradient_energy_ratio(prediction, target) == 0.25
    assert gradient_energy_ratio(target, target) == 1.0


def test_gradient_energy_does_not_ask_where_the_detail_is():
    assert gradient_energy_ratio(noise(30, 40, seed=1), noise(30, 40)) == pytest.approx(1, abs=0.1)
    assert math.isnan(gradient_energy_ratio(noise(20, 30), flat(7)))


@pytest.mark.parametrize("metric", [psnr, ssim, gradient_energy_ratio])
def test_different_sizes_are_named(metric):
    with pytest.raises(ValueError, match=r"\(20, 30, 3\).*\(20, 31, 3\)"):
        metric(flat(0), flat(0, width=31))


@pytest.mark.parametrize("metric", [psnr, ssim, gradient_energy_ratio])
def test_pictures_that_are_not_8_bit_rgb_are_refused(metric):
    with pytest.raises(ValueError, match="8-bit"):
        metric(flat(0).astype(np.float32), flat(0).astype(np.float32))
    with pytest.raises(ValueError, match="RGB"):
        metric(flat(0)[..., 0], flat(0)[..., 0])
