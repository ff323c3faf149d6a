"""Tiles give what the whole picture gives."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from uncrappify.errors import UserError
from uncrappify.inference.tiled import Picture, predict, predict_picture, round_to_bytes


class Network(nn.Module):
    """Zero-padded convolutions and a pixel shuffle; notes the largest input."""

    def __init__(self, scale=2, layers=3):
        super().__init__()
        torch.manual_seed(0)
        self.scale, self.receptive_radius, self.largest = scale, layers, 0
        channels = [3, *[8] * (layers - 1), 3 * scale**2]
        convolutions = [nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(channels)]
        self.body = nn.Sequential(*(layer for conv in convolutions for layer in (conv, nn.Tanh())))

    def forward(self, x):
        self.largest = max(self.largest, *x.shape[2:])
        return nn.functional.pixel_shuffle(self.body(3 * x) + 0.5, self.scale)


class Bicubic(nn.Module):
    """No weights, and in float32 exactly nearest enlargement."""

    scale, receptive_radius = 2, 0

    def forward(self, x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


class Forgetful(Network):
    """Runs out of memory above a given input side."""

    def __init__(self, limit, error):
        super().__init__()
        self.limit, self.error, self.tries = limit, error, []

    def forward(self, x):
        self.tries.append(max(x.shape[2:]))
        if self.tries[-1] > self.limit:
            raise self.error
        return super().forward(x)


def picture(width, height):
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


def largest_difference(first, second):
    assert first.size == second.size
    return int(np.abs(np.asarray(first).astype(int) - np.asarray(second).astype(int)).max())


@pytest.mark.parametrize("scale", [1, 3])
def test_the_tiled_picture_is_the_whole_one_bit_for_bit(scale):
    network = Network(scale).double()
    for width, height in ((33, 17), (32, 16), (7, 50), (16, 16), (5, 3), (1, 1), (49, 48)):
        whole = predict_picture(network, picture(width, height), tile=1000)
        assert whole.size == (width * scale, height * scale)
        assert np.asarray(whole).std() > 5
        assert predict_picture(network, picture(width, height), tile=16).tobytes() == whole.tobytes(), whole.size


def test_in_single_precision_no_value_is_further_off_than_a_rounding():
    network, good = Network(3), picture(50, 33)
    assert largest_difference(predict_picture(network, good, tile=16), predict_picture(network, good)) <= 1


def test_a_halo_that_is_too_small_would_be_seen():
    network, good = Network().double(), picture(40, 40)
    whole = predict_picture(network, good)
    network.receptive_radius -= 1
    assert largest_difference(predict_picture(network, good, tile=16), whole) > 1


def test_the_whole_picture_never_reaches_the_network():
    network = Network()
    predict_picture(network, picture(100, 90), tile=16)
    assert network.largest == 16 + 2 * network.receptive_radius


def test_a_network_that_repeats_pixels_gives_back_every_value():
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("RGB")
    restored = np.asarray(predict_picture(Bicubic(), grey, tile=5))
    assert (restored == np.asarray(grey).repeat(2, 0).repeat(2, 1)).all()


def test_values_beyond_black_and_white_are_clamped():
    network = Network(1)
    network.forward = lambda x: 3 * x - 1
    pixels = np.array([[[0, 85, 127], [128, 170, 255]]], np.uint8)
    assert np.asarray(predict_picture(network, Image.fromarray(pixels))).tolist() == [[[0, 0, 126], [129, 255, 255]]]


def test_the_network_is_applied_in_eval_mode():
    network = Network(1)
    network.body.append(nn.Dropout(0.9))
    good = picture(20, 20)
    assert predict_picture(network.train(), good).tobytes() == predict_picture(network, good).tobytes()


class Global(Network):
    """Sees everything: adds a picture's mean to it, so that every tile says something else."""

    receptive_radius = None

    def __init__(self):
        super().__init__(scale=2)
        self.receptive_radius = None

    def forward(self, x):
        self.largest = max(self.largest, *x.shape[2:])
        return (0.5 * x + 0.5 * x.mean(dim=(2, 3), keepdim=True)).repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_tiles_of_a_network_that_sees_everything_are_blended_without_a_seam():
    # From black to white: the mean of a tile differs from the next one's by much more than neighbours do.
    ramp = np.repeat(np.linspace(0, 255, 600).astype(np.uint8)[None], 300, axis=0)
    good = Image.fromarray(ramp).convert("RGB")
    restored = np.asarray(predict_picture(Global(), good, tile=128)).astype(int)
    assert restored.shape == (600, 1200, 3)
    assert np.abs(np.diff(restored, axis=1)).max() <= 2
    assert np.abs(np.diff(restored, axis=0)).max() <= 1


def test_a_picture_of_one_tile_is_done_whole():
    network, good = Global(), picture(100, 90)
    expected = network(torch.from_numpy(np.asarray(good).copy()).permute(2, 0, 1)[None].float() / 255)
    whole = np.asarray(predict_picture(network, good, tile=128))
    assert (whole == expected[0].permute(1, 2, 0).mul(255).round().numpy()).all()


def test_blended_tiles_agree_where_the_network_sees_little():
    network, good = Network(3), picture(300, 200)
    exact = predict_picture(network, good)
    network.receptive_radius = None
    assert largest_difference(predict_picture(network, good, tile=64), exact) <= 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 88 bytes."),
        MemoryError(),
    ],
)
def test_tiles_are_halved_when_memory_ends(error):
    network = Forgetful(limit=120, error=error).double()
    restored = predict_picture(network, picture(300, 80), tile=256)
    assert network.tries[:3] == [259, 131, 67]
    assert restored.tobytes() == predict_picture(Network().double(), picture(300, 80)).tobytes()


def test_memory_that_does_not_suffice_for_the_smallest_tile_is_said_in_a_sentence():
    network = Forgetful(limit=10, error=torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(UserError, match="tiles of 64 pixels"):
        predict_picture(network, picture(200, 200), tile=200)
    assert network.tries == [200, 103, 67]


def test_any_other_error_in_a_tile_comes_out():
    with pytest.raises(RuntimeError, match="expected scalar type"):
        predict_picture(Forgetful(limit=10, error=RuntimeError("expected scalar type")), picture(20, 20))


def test_an_output_of_another_size_than_promised_is_an_error():
    network = Network(2)
    network.scale = 3
    with pytest.raises((ValueError, RuntimeError)):
        predict_picture(network, picture(8, 8))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_output_that_is_not_a_number_is_an_error_and_no_black_spot(value):
    network = Network(1)

    def forward(x):
        output = x.clone()
        output[0, 1, 5, 6] = value
        return output

    network.forward = forward
    with pytest.raises(UserError, match="not numbers"):
        predict_picture(network, picture(8, 8))


def test_a_picture_that_is_not_rgb_is_refused():
    with pytest.raises(ValueError, match="RGBA"):
        predict_picture(Network(), Image.new("RGBA", (8, 8)))


class Lopsided(Network):
    """Sees a picture otherwise when it is turned."""

    def forward(self, x):
        self.seen = getattr(self, "seen", 0) + 1
        return super().forward(x) + torch.linspace(0, 0.2, 2 * x.shape[3])


def test_tta_is_the_mean_over_eight_ways_to_lay_the_picture():
    network, good = Lopsided().double(), picture(20, 12)
    restored = np.asarray(predict_picture(network, good, tta=True))
    assert network.seen == 8
    # Whatever way the picture is laid, the result is laid the same way.
    for turn in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE):
        turned = predict_picture(network, good.transpose(turn), tta=True)
        assert largest_difference(turned, Image.fromarray(restored).transpose(turn)) <= 1
    assert largest_difference(predict_picture(network, good), Image.fromarray(restored)) > 5


@pytest.mark.parametrize("radius", [3, None])
def test_rows_come_from_the_top_down_and_each_once(radius):
    network, good = Network(2), picture(100, 400)
    network.receptive_radius = radius
    pixels, came = np.asarray(good), []

    def put(top, rows):
        came.append((top, len(rows)))

    source = Picture(100, 400, lambda rows, columns: pixels[rows, columns], round_to_bytes)
    assert predict(network, source, put, tile=64) == 64
    assert [top for top, _ in came] == [0, *np.cumsum([number for _, number in came])[:-1]]
    assert sum(number for _, number in came) == 800
    # No more than a row of tiles, and what it shares with the next, is kept at once.
    assert max(number for _, number in came) <= 2 * (64 + 96)


def test_floats_and_16_bits_are_taken_as_they_are():
    network, seen = Bicubic(), []
    source = np.linspace(0, 65535, 3 * 16 * 16).astype(np.uint16).reshape(16, 16, 3)
    for pixels in (source, (source / np.float32(65535)).astype(np.float32)):
        found = []
        given = Picture(16, 16, lambda rows, columns, of=pixels: of[rows, columns], lambda values: values.numpy())
        predict(network, given, lambda _, rows, to=found: to.append(rows))
        seen.append(np.concatenate(found)[::2, ::2])
    assert np.abs(seen[0] * 65535 - source).max() < 0.01
    assert np.abs(seen[0] - seen[1]).max() < 1e-6
