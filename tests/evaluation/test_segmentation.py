"""The model beside what needs no network."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uncrappify.datasets import MaskedPictures
from uncrappify.evaluation.segmentation import MODEL, Scores, find_worst, fit_baselines
from uncrappify.pictures.masks import VOID, Labels

CLASSES = ["sky", "road"]


@pytest.fixture
def scores() -> Scores:
    truth = np.array([[0, 0, 1, VOID]], dtype=np.uint8)
    found = Scores(CLASSES)
    found.add("a", truth, {MODEL: truth, "most frequent class": np.zeros_like(truth)})
    found.add("b", truth, {MODEL: 1 - truth % 2, "most frequent class": np.zeros_like(truth)})
    return found


def test_the_headline_is_over_all_pixels(scores: Scores) -> None:
    assert scores.compute_metrics() == pytest.approx(
        {"miou": 0.325, "accuracy": 0.5, "iou_sky": 0.4, "iou_road": 0.25, "miou_most_frequent_class": 1 / 3}
    )


def test_the_model_comes_first(scores: Scores) -> None:
    table = scores.tabulate_methods()
    assert table["method"].tolist() == [MODEL, "most frequent class"]
    assert table["accuracy"].tolist() == pytest.approx([0.5, 2 / 3])


def test_a_class_says_what_it_is_mostly_taken_for(scores: Scores) -> None:
    table = scores.tabulate_classes()
    assert table["share"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert table["mostly_taken_for"].tolist() == ["road", "sky"]


def test_the_worst_picture_is_named_first(scores: Scores) -> None:
    assert [name for name, _, _ in find_worst(scores.tabulate_pictures(), 6)] == ["b", "a"]


def test_colour_and_place_tell_blue_sky_from_a_grey_road(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    mask = np.repeat(np.array([0, 1], dtype=np.uint8), 10)[:, None].repeat(30, axis=1)
    mask[0] = VOID
    colours = np.where(mask[..., None] == 1, 120, [90, 140, 230]) + random.normal(0, 8, (20, 30, 3))
    picture = Image.fromarray(colours.clip(0, 255).astype(np.uint8))
    Image.fromarray(mask).save(tmp_path / "mask.png")
    pictures = MaskedPictures(
        {"a": picture}, {"a": tmp_path / "mask.png"}, ["a"], Labels(classes=CLASSES, void=[VOID]), 600
    )
    methods = fit_baselines(pictures, 0)
    assert methods["most frequent class"](np.asarray(picture)).tolist() == np.ones((20, 30)).tolist()
    found = methods["colour and place"](np.asarray(picture))
    assert (found == mask)[1:].mean() > 0.99
