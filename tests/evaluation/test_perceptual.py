"""The judge prefers what people prefer, and is nobody's teacher."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from skimage import data

from uncrappify.evaluation import perceptual
from uncrappify.evaluation.metrics import psnr
from uncrappify.evaluation.perceptual import JUDGE, feature_distances, lpips_distances
from uncrappify.losses.parameters import FeatureOptions
from uncrappify.models.encoders import build_encoder


@pytest.fixture(scope="module")
def cat():
    return np.array(data.chelsea()[60:188, 100:260])


@pytest.fixture
def forget_lpips():
    perceptual._load_lpips.cache_clear()
    yield
    perceptual._load_lpips.cache_clear()


def blurred(picture, radius):
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def test_the_same_picture_has_no_distance_and_more_blur_has_more(cat):
    distances = feature_distances([cat, *(blurred(cat, radius) for radius in (0.5, 1, 2, 4))], cat)
    assert distances[0] == pytest.approx(0, abs=1e-9)
    assert distances == sorted(distances)
    assert distances[-1] < 4


def test_a_picture_moved_by_a_pixel_is_nearer_than_a_blurred_one_of_higher_psnr(cat):
    moved, blurry = np.roll(cat, 1, axis=1), blurred(cat, 2)
    assert psnr(blurry, cat) > psnr(moved, cat)
    near, far = feature_distances([moved, blurry], cat)
    assert near < 0.7 * far


def test_the_distance_is_that_of_its_definition(cat):
    blurry = blurred(cat, 1)
    encoder = build_encoder("efficientnet_lite1").eval()
    with torch.inference_mode():
        sides = [encoder(torch.from_numpy(side.copy()).permute(2, 0, 1)[None] / 127.5 - 1) for side in (cat, blurry)]
    stages = []
    for stage in zip(*sides, strict=True):
        a, b = (side / side.square().sum(dim=1, keepdim=True).sqrt() for side in stage)
        stages.append(float((a - b).square().sum(dim=1).mean()))
    assert len(stages) == 5
    assert feature_distances([blurry], cat) == pytest.approx([np.mean(stages)], rel=1e-4)


def test_a_large_picture_is_judged_in_tiles_whose_mean_by_area_is_taken(cat, monkeypatch):
    wide = np.concatenate([cat, np.roll(cat[:, :159], 50, axis=0)], axis=1)
    blurry = blurred(wide, 1)
    monkeypatch.setattr(perceptual, "LARGEST_TILE", 200)
    parts = [feature_distances([blurry[:, part]], wide[:, part])[0] for part in (slice(160), slice(160, None))]
    assert feature_distances([blurry], wide) == pytest.approx([(160 * parts[0] + 159 * parts[1]) / 319], rel=1e-5)


def test_tiny_pictures_are_judged_too(cat):
    assert 0 < feature_distances([cat[5:21, 5:21]], cat[:16, :16])[0] < 4


def test_no_loss_can_be_trained_against_the_judge():
    assert JUDGE not in get_args(FeatureOptions.model_fields["backend"].annotation)


@pytest.mark.usefixtures("forget_lpips")
def test_lpips_is_left_out_where_its_weights_are_not_at_hand(cat, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert lpips_distances([cat], cat) == []


@pytest.mark.usefixtures("forget_lpips")
@pytest.mark.filterwarnings("ignore")
def test_lpips_grows_with_blur_where_its_weights_are_at_hand(cat, shared, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(shared / "data" / "weights"))
    same, sharp, blurry = lpips_distances([cat, blurred(cat, 1), blurred(cat, 3)], cat)
    assert same == pytest.approx(0, abs=1e-6)
    assert 0.02 < sharp < blurry < 1
    assert math.isnan(lpips_distances([cat[:16, :16]], cat[:16, :16])[0])


def test_different_sizes_are_named(cat):
    with pytest.raises(ValueError, match="sizes must be equal"):
        feature_distances([cat[1:]], cat)
