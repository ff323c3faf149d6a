"""The texture distance: its values for known Gaussians, and what it notices in pictures."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from scipy.linalg import sqrtm
from skimage import data

from uncrappify.evaluation.texture import TEXTURE_STAGES, TextureStatistics
from uncrappify.models.encoders import build_encoder, freeze


@pytest.fixture(scope="module")
def encoder():
    return freeze(build_encoder("efficientnet_lite0", TEXTURE_STAGES))


@pytest.fixture(scope="module")
def photographs():
    """Six parts of two photographs, 96 pixels a side."""
    pictures = [data.chelsea(), data.astronaut()]
    return [picture[60:156, left : left + 96] for picture in pictures for left in (40, 140, 240)]


def as_batch(pictures):
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255


def blur(picture, radius):
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def count(encoder, *batches):
    statistics = TextureStatistics(encoder)
    for batch in batches:
        statistics.update(batch)
    return statistics


def draw_samples(mean, covariance, seed, number=60):
    """Samples with exactly this mean and covariance, as activations (5, C, 3, number / 15)."""
    white = np.random.default_rng(seed).standard_normal((number, len(mean)))
    white = np.linalg.qr(white - white.mean(0))[0] * np.sqrt(number - 1)
    samples = white @ np.linalg.cholesky(covariance).T + mean
    return torch.from_numpy(samples.reshape(5, 3, -1, len(mean))).permute(0, 3, 1, 2)


def test_the_distance_of_two_gaussians_is_the_closed_formula_and_the_mean_over_stages():
    covariances = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.0, -0.8], [-0.8, 3.0]])
    means = np.array([1.0, -2.0]), np.array([4.0, 2.0])
    first, second = TextureStatistics(list), TextureStatistics(list)
    first.add([draw_samples(means[0], covariances[0], 0), draw_samples([0.0], [[4.0]], 1)])
    second.add([draw_samples(means[1], covariances[1], 2), draw_samples([1.0], [[9.0]], 3)])
    root = sqrtm(covariances[0] @ covariances[1]).real
    two_channels = 25 + np.trace(covariances[0] + covariances[1] - 2 * root)
    one_channel = 1 + (3 - 2) ** 2
    assert first.distance(second) == pytest.approx((two_channels + one_channel) / 2, rel=1e-9)
    assert second.distance(first) == pytest.approx(first.distance(second), rel=1e-9)


def test_a_small_variance_beside_a_large_mean_is_kept():
    first, second = TextureStatistics(list), TextureStatistics(list)
    first.add([draw_samples([5000.0], [[1e-4]], 0).float()])
    second.add([draw_samples([5000.0], [[4.0]], 1).float()])
    assert first.distance(second) == pytest.approx((2 - 0.01) ** 2, rel=1e-3)


def test_the_same_pictures_in_another_order_and_in_other_batches_have_no_distance(encoder, photographs):
    batch = as_batch(photographs)
    turned = count(encoder, *(batch[[number]] for number in (3, 1, 5, 0, 2, 4)))
    assert count(encoder, batch).distance(turned) == pytest.approx(0, abs=1e-6)


def test_more_blur_is_farther_and_mirrored_pictures_are_nearer_than_blurred_ones(encoder, photographs):
    good = count(encoder, as_batch(photographs))
    distances = [
        count(encoder, as_batch([blur(picture, radius) for picture in photographs])).distance(good)
        for radius in (0.5, 1, 2)
    ]
    assert 0 < distances[0] < distances[1] < distances[2]
    # Detail that looks right and is at wrong places, where any comparison by pixel would be worst.
    mirrored = count(encoder, as_batch(photographs).flip(3))
    assert mirrored.distance(good) < distances[1] / 3


def test_values_beyond_a_picture_are_clipped_and_mixed_precision_changes_nothing(encoder, photographs):
    batch = as_batch(photographs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        beyond = count(encoder, torch.where(batch > 0.8, batch + 5, batch))
    within = count(encoder, torch.where(batch > 0.8, torch.ones(()), batch))
    assert beyond.distance(within) == pytest.approx(0, abs=1e-6)


def test_no_pictures_are_an_error(encoder):
    with pytest.raises(ValueError, match="no pictures"):
        TextureStatistics(encoder).distance(count(encoder, torch.rand(1, 3, 32, 32)))
