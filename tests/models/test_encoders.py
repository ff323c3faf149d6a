"""Pretrained encoders have their weights in the right places and give the stages that are asked for."""

import numpy as np
import pytest
import timm
import torch
from skimage import data

from uncrappify.models import encoders
from uncrappify.models.encoders import ENCODERS, MEAN, STD, build_encoder, freeze

EGYPTIAN_CAT, ESPRESSO = 285, 967


@pytest.mark.parametrize("name", ENCODERS)
def test_the_weights_know_a_cat_and_an_espresso(name):
    classifier = timm.create_model(ENCODERS[name][0]).eval()
    classifier.load_state_dict(encoders._load_imagenet_weights(*ENCODERS[name]))
    for picture, label in ((data.chelsea(), EGYPTIAN_CAT), (data.coffee(), ESPRESSO)):
        inputs = (torch.from_numpy(np.array(picture[:300, :400])).permute(2, 0, 1)[None] / 255 - MEAN) / STD
        with torch.inference_mode():
            assert int(classifier(inputs).argmax()) == label


@pytest.mark.parametrize("name", ENCODERS)
def test_the_five_stages_have_the_known_channels_and_strides(name):
    encoder = build_encoder(name).eval()
    with torch.inference_mode():
        stages = encoder(torch.zeros(1, 3, 50, 70))
    assert [tuple(stage.shape[1:]) for stage in stages] == [
        (16, 25, 35),
        (24, 13, 18),
        (40, 7, 9),
        (112, 4, 5),
        (320, 2, 3),
    ]
    assert encoder.feature_info.channels() == [16, 24, 40, 112, 320]
    assert encoder.feature_info.reduction() == [2, 4, 8, 16, 32]


def test_what_lies_behind_the_last_stage_is_cut_off_and_changes_nothing():
    whole, part = build_encoder("efficientnet_lite0").eval(), build_encoder("efficientnet_lite0", [0, 2]).eval()
    inputs = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        expected, found = whole(inputs), part(inputs)
    assert len(found) == 2
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[2])
    assert sum(p.numel() for p in part.parameters()) < 0.05 * sum(p.numel() for p in whole.parameters())


@pytest.mark.parametrize("name", ENCODERS)
def test_a_frozen_encoder_sees_the_same_without_normalisation_layers(name):
    encoder, frozen = build_encoder(name).eval(), freeze(build_encoder(name))
    pictures = [torch.linspace(-1, 1, 3 * 40 * 48).sin().reshape(1, 3, 40, 48).requires_grad_() for _ in range(2)]
    stages = [network(picture) for network, picture in zip((encoder, frozen), pictures, strict=True)]
    for expected, found in zip(*stages, strict=True):
        assert float((expected - found).abs().max().detach()) < 1e-4 * float(expected.abs().max().detach())
    for outputs in stages:
        sum(stage.mean() for stage in outputs).backward()
    expected, found = (picture.grad for picture in pictures)
    assert float((expected - found).abs().max()) < 1e-3 * float(expected.abs().max())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in frozen.modules())
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


def test_weights_of_another_network_are_refused(monkeypatch):
    monkeypatch.setitem(ENCODERS, "mixed", (ENCODERS["efficientnet_lite0"][0], ENCODERS["efficientnet_lite1"][1]))
    with pytest.raises(RuntimeError, match=r"lite1.*does not hold the weights of tf_efficientnet_lite0"):
        build_encoder("mixed")
