"""A trained model says which class every pixel belongs to."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import uncrappify
from uncrappify.datasets import RestorationDescription, SegmentationDescription, TrainedModel, Weights
from uncrappify.errors import UserError
from uncrappify.inference import Segmenter
from uncrappify.inference.segmenter import working_size
from uncrappify.models import build

OPTIONS = {"encoder": "test_resnet", "pretrained": False, "bottleneck": True}
DESCRIPTION = SegmentationDescription.model_validate(
    {
        "model": "unet",
        "options": OPTIONS,
        "labels": {"classes": ["dark", "light"], "colours": [[0, 0, 90], [255, 255, 0]], "void": []},
        "size": [32, 48],
    }
)


class Brightness(nn.Module):
    """The class is the brightness; ``seen`` are the sizes of what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape))
        light = (x.mean(1, keepdim=True) - 0.5) * self.scale
        return torch.cat([-light, light], dim=1)


@pytest.fixture
def picture() -> Image.Image:
    pixels = np.zeros((64, 96, 3), dtype=np.uint8)
    pixels[:, 48:] = 255
    return Image.fromarray(pixels)


def test_a_picture_becomes_one_of_classes_in_its_own_size(picture: Image.Image) -> None:
    network = Brightness()
    classes = Segmenter(network, DESCRIPTION)(picture)
    assert network.seen == [(1, 3, 32, 48)]
    assert (classes.size, classes.mode) == ((96, 64), "P")
    assert classes.convert("RGB").getpixel((90, 5)) == (255, 255, 0)
    values = np.asarray(classes)
    assert values[:, :46].max() == 0
    assert values[:, 50:].min() == 1


def test_an_array_becomes_an_array(picture: Image.Image) -> None:
    segment = Segmenter(Brightness(), DESCRIPTION)
    assert np.array_equal(segment(np.asarray(picture)), np.asarray(segment(picture)))


def test_probabilities_sum_to_one(picture: Image.Image) -> None:
    for flip in (False, True):
        found = Segmenter(Brightness(), DESCRIPTION, flip).probabilities(picture)
        assert tuple(found.shape) == (2, 64, 96)
        assert found.sum(0).numpy() == pytest.approx(1, abs=1e-5)


def test_with_flip_a_mirrored_picture_gives_the_mirrored_answer() -> None:
    torch.manual_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    mirrored = Image.fromarray(np.ascontiguousarray(pixels[:, ::-1]))
    network = build("segmentation", "unet", OPTIONS | {"out_channels": 2})
    plain, flipped = (
        [Segmenter(network, DESCRIPTION, flip).probabilities(one) for one in (Image.fromarray(pixels), mirrored)]
        for flip in (False, True)
    )
    assert (plain[0] - plain[1].flip(-1)).abs().max() > 1e-3
    assert (flipped[0] - flipped[1].flip(-1)).abs().max() < 1e-5


def test_the_area_is_that_of_the_training_and_the_shape_that_of_the_picture() -> None:
    assert working_size((480, 360), (360, 480)) == (480, 360)
    assert working_size((4000, 3000), (360, 480)) == (480, 360)
    width, height = working_size((1000, 250), (360, 480))
    assert width * height == pytest.approx(360 * 480, rel=0.01)
    assert width / height == pytest.approx(4, rel=0.01)


def test_the_weights_of_a_segmentation_are_loaded_as_what_they_are(tmp_path: Path, picture: Image.Image) -> None:
    file = tmp_path / "model.safetensors"
    network = build("segmentation", "unet", OPTIONS | {"out_channels": 2})
    Weights(filepath=str(file)).save(TrainedModel(network.state_dict(), DESCRIPTION))
    segment = uncrappify.load(file)
    assert repr(segment) == "Segmenter(unet, 2 classes)"
    assert np.array_equal(np.asarray(segment(picture)), np.asarray(Segmenter(network, DESCRIPTION)(picture)))


def test_an_unknown_model_says_what_to_do() -> None:
    with pytest.raises(UserError, match=r"'transformer', which this version .* \(it has unet\)\. Update"):
        Segmenter.from_trained(TrainedModel({}, DESCRIPTION.model_copy(update={"model": "transformer"})))


def test_weights_of_another_kind_say_which_and_where_to_go() -> None:
    other = RestorationDescription(model="upscaler", options={}, scale=2, recipe=[])
    with pytest.raises(UserError, match=r"These weights restore pictures, and Segmenter takes some that segment"):
        Segmenter.from_trained(TrainedModel({}, other))
