"""Drawn streets are the same everywhere, have all classes, and cannot be solved by colour and place."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from uncrappify.scenes.canvas import Camera, Canvas, Plane
from uncrappify.scenes.streets import CLASSES, HEIGHT, WIDTH, draw_street

SCENES = 45
GREY, WHITE = np.full(3, 0.5), np.ones(3)


@lru_cache(maxsize=1)
def scenes() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    drawn = [draw_street(seed) for seed in range(SCENES)]
    return np.stack([np.asarray(picture) for picture, _ in drawn]), np.stack([np.asarray(mask) for _, mask in drawn])


def canvas() -> Canvas:
    return Canvas(40, 30, np.random.default_rng(0))


def camera() -> Camera:
    return Camera(canvas(), vanishing_point=(20.0, 10.0), height=2.0, focal=50.0, haze=0.0, haze_colour=WHITE)


def mask_of(drawn: Canvas) -> npt.NDArray[np.uint8]:
    return np.asarray(drawn.photograph()[1])


def iou(truth: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    confusion = np.bincount(truth * np.int64(len(CLASSES)) + predicted, minlength=len(CLASSES) ** 2)
    confusion = confusion.reshape(len(CLASSES), len(CLASSES))
    right = np.diag(confusion)
    return np.asarray(right / (confusion.sum(0) + confusion.sum(1) - right))


def test_the_same_seed_gives_the_same_bytes_whatever_was_drawn_before() -> None:
    first = [image.tobytes() for image in draw_street(7)]
    np.random.seed(3)
    draw_street(8)
    assert [image.tobytes() for image in draw_street(7)] == first


def test_another_seed_gives_another_street() -> None:
    pictures, masks = scenes()
    assert len({picture.tobytes() for picture in pictures}) == SCENES
    assert len({mask.tobytes() for mask in masks}) == SCENES


def test_a_scene_is_a_picture_and_a_class_for_each_of_its_pixels() -> None:
    picture, mask = draw_street(0)
    assert (picture.mode, picture.size) == ("RGB", (WIDTH, HEIGHT)) == ("RGB", (192, 144))
    assert (mask.mode, mask.size) == ("L", (192, 144))
    assert scenes()[1].max() < len(CLASSES) == 11


def test_every_class_is_in_most_scenes_and_large_enough_to_be_measured() -> None:
    masks = scenes()[1][:30]
    for number, name in enumerate(CLASSES):
        found = (masks == number).mean((1, 2))
        assert (found > 0).mean() >= 0.5, name
        assert found.mean() > 0.006, name


def test_colour_and_place_do_not_solve_it() -> None:
    pictures, masks = scenes()
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    places = np.broadcast_to(np.stack([columns, rows], axis=-1), (SCENES, HEIGHT, WIDTH, 2))
    pixels = np.concatenate([places, pictures], axis=-1)
    some = np.random.default_rng(0).permutation(30 * HEIGHT * WIDTH)[:2000]
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=60, tol=0.01))
    model.fit(pixels[:30].reshape(-1, 5)[some], masks[:30].reshape(-1)[some])
    unseen = iou(masks[30:].reshape(-1)[::5], model.predict(pixels[30:].reshape(-1, 5)[::5]))
    assert 0.2 < unseen.mean() < 0.45


def test_cars_stand_on_the_road() -> None:
    masks = scenes()[1]
    car, road, pavement = (CLASSES.index(name) for name in ("car", "road", "pavement"))
    below = masks[:, 1:][masks[:, :-1] == car]
    assert (below == pavement).sum() < 0.02 * (below == road).sum()


def test_a_shadow_changes_colours_and_no_classes() -> None:
    lit, shaded = canvas(), canvas()
    for drawn in (lit, shaded):
        drawn.fill_background(3, GREY, GREY, clouds=0.0)
        drawn.fill_polygon(8, [(10, 10), (20, 10), (20, 20), (10, 20)], WHITE)
    shaded.shade([(5, 5), (15, 5), (15, 15), (5, 15)], 0.5)
    (before, mask), (after, same_mask) = lit.photograph(), shaded.photograph()
    assert np.array_equal(mask, same_mask)
    darker = np.asarray(after).astype(int) - np.asarray(before)
    assert darker[7:14, 7:14].max() < -20
    assert abs(darker[20:, 25:]).max() == 0


def test_a_shape_outside_the_picture_leaves_no_trace() -> None:
    drawn = canvas()
    drawn.fill_background(3, GREY, GREY, clouds=0.0)
    for texture in (0.0, 0.5):
        drawn.fill_polygon(8, [(-30, -30), (-10, -30), (-10, -5)], WHITE, texture)
    drawn.shade([(50, 5), (60, 5), (60, 9)], 0.5)
    assert set(mask_of(drawn).ravel().tolist()) == {3}


def test_a_metre_is_half_as_large_twice_as_far_away() -> None:
    scene = camera()
    assert scene.project((0.0, 2.0, 7.0)) == (20.0, 10.0)
    assert scene.project((1.0, 0.0, 5.0)) == (30.0, 30.0)
    assert scene.project((1.0, 0.0, 10.0)) == (25.0, 20.0)


def test_haze_hides_colours_by_distance() -> None:
    hazy = Camera(canvas(), (20.0, 10.0), 2.0, 50.0, haze=0.8, haze_colour=WHITE)
    assert hazy.add_haze(GREY, 25.0) == pytest.approx(0.7)
    assert hazy.add_haze(GREY, 0.0) == pytest.approx(0.5)


def test_a_mirrored_flat_faces_the_other_way() -> None:
    masks = []
    for mirrored in (False, True):
        scene = camera()
        Plane(scene, 0.0, 5.0, mirrored=mirrored).fill_rectangle(5, (0.0, 1.0), (0.5, 1.5), WHITE)
        masks.append(mask_of(scene.canvas) == 5)
    assert masks[0][:, 21:29].any()
    assert not masks[0][:, :19].any()
    assert abs(int(masks[0].sum()) - int(masks[1].sum())) <= 10
    assert not masks[1][:, 21:].any()


def test_what_is_seen_through_a_rim_belongs_to_the_thing() -> None:
    drawn = canvas()
    drawn.fill_background(3, GREY, GREY, clouds=0.0)
    drawn.fill_ellipse(10, (20, 15), (10, 10), np.zeros(3), rim=2.0)
    picture, mask = drawn.photograph()
    assert mask.getpixel((20, 15)) == 10
    pixels = np.asarray(picture.convert("L")).astype(int)
    assert abs(pixels[15, 20] - pixels[15, 2]) < 40 < pixels[15, 20] - pixels[15, 11]
