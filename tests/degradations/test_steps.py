import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFont
from pydantic import ValidationError

from uncrappify.degradations import GaussianBlur, GaussianNoise, Grey, Jpeg, Range, Recipe, Resize, Text
from uncrappify.degradations.resize import crop_to_multiple


def blank(width: int, height: int, value: int = 0) -> Image.Image:
    return Image.new("RGB", (width, height), (value, value, value))


def gradient_energy(picture: Image.Image) -> float:
    luma = np.asarray(picture.convert("L"), dtype=float)
    return float((np.diff(luma, axis=0) ** 2).sum() + (np.diff(luma, axis=1) ** 2).sum())


@pytest.mark.parametrize(
    ("size", "factor", "expected"),
    [((200, 151), 3, (66, 50)), ((200, 150), 2, (100, 75)), ((16, 17), 16, (1, 1)), ((200, 151), 2.5, (80, 60))],
)
def test_a_factor_divides_the_size(size, factor, expected):
    assert Resize.model_validate({"factor": factor}).apply(blank(*size), factor=factor).size == expected


def test_a_whole_factor_sees_only_the_pixels_of_the_cropped_picture(picture):
    cut = picture.crop((0, 0, 198, 150))
    step = Resize(factor=Range(3.0, 3.0))
    assert step.apply(picture, factor=3.0).tobytes() == cut.resize((66, 50), Image.Resampling.BICUBIC).tobytes()


def test_min_side_is_exact_where_the_lesson_truncated():
    step = Resize(min_side=Range(96, 96))
    for side in range(97, 1200, 53):
        assert step.apply(blank(1200, side), min_side=96).height == 96
        assert step.apply(blank(side, 1200), min_side=96).width == 96


def test_min_side_keeps_the_shape():
    assert Resize(min_side=Range(96, 96)).apply(blank(500, 375), min_side=96).size == (128, 96)


def test_min_side_never_enlarges(picture):
    assert Resize(min_side=Range(500, 500)).apply(picture, min_side=500) is picture


def test_the_kernel_is_the_one_asked_for(picture):
    nearest = Resize(min_side=Range(50, 50), resample="nearest").apply(picture, min_side=50)
    assert nearest.tobytes() == picture.resize(nearest.size, Image.Resampling.NEAREST).tobytes()


@pytest.mark.parametrize("options", [{}, {"factor": 2, "min_side": 96}, {"factor": 1}, {"factor": [1, 3]}])
def test_resize_takes_one_way_and_never_a_factor_of_1(options):
    with pytest.raises(ValidationError, match=r"either factor .* or min_side|factor should be above 1"):
        Resize.model_validate(options)


def test_a_multiple_is_not_cropped(picture):
    assert crop_to_multiple(picture, 3).size == (198, 150)
    assert crop_to_multiple(picture, 2).size == (200, 150)
    assert crop_to_multiple(picture, 1) is picture
    assert crop_to_multiple(blank(2, 7), 3).size == (2, 6)


def test_more_jpeg_quality_means_a_larger_file_and_a_smaller_error(picture, tmp_path):
    sizes, errors = [], []
    for quality in (10, 40, 70, 95):
        file = tmp_path / f"{quality}.jpg"
        picture.save(file, quality=quality)
        damaged = Jpeg(quality=Range(quality, quality)).apply(picture, quality=quality)
        assert damaged.tobytes() == Image.open(file).tobytes()
        sizes.append(file.stat().st_size)
        errors.append(np.abs(np.asarray(damaged, dtype=float) - np.asarray(picture)).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)


def write(picture: Image.Image, seed: int = 0, **drawn) -> Image.Image:
    return Text().apply(picture, random=np.random.default_rng(seed), **drawn)


def test_text_is_white_at_the_place_it_is_given():
    written = write(blank(120, 80), content="88", x=0.5, y=0.25, size=20)
    left, top, right, bottom = written.getbbox()
    assert written.getextrema() == ((0, 255), (0, 255), (0, 255))
    assert 60 <= left < 64
    assert 20 <= top < 28
    assert 15 <= right - left <= 30
    assert 10 <= bottom - top <= 20


def test_text_leaves_the_picture_it_was_given_as_it_was(picture):
    before = picture.tobytes()
    assert write(picture, content="43", x=0.1, y=0.1, size=12).tobytes() != before
    assert write(picture, content="43", size=12, coverage=0.1).tobytes() != before
    assert picture.tobytes() == before


def test_text_fills_in_the_draws_of_other_steps():
    content = Text(content="q{jpeg.quality} r{gaussian_blur.radius} {jpeg.applied}")
    draws = {"jpeg.quality": 43, "gaussian_blur.radius": 1.23456, "jpeg.applied": False}
    assert content.derive(draws) == {"content": "q43 r1.23 False"}


def test_text_without_coverage_is_what_it_was_before_there_was_any(picture):
    recipe = Recipe.model_validate([{"text": {"content": "43", "x": [0, 0.5], "size": [8, 20]}}])
    drawn = recipe.draw("cat", 42)
    # Written down: trained models and degraded pictures are known by these.
    assert recipe.fingerprint == "953729476d05066cc63af3f9725820895d42a6fd558af6ee2c7df8cfa443af29"
    assert drawn == {
        "text.x": 0.08766320050525572,
        "text.y": 0.48715099746931956,
        "text.size": 18,
        "text.content": "43",
    }
    by_hand = picture.copy()
    corner = (int(drawn["text.x"] * 200), int(drawn["text.y"] * 151))
    ImageDraw.Draw(by_hand).text(corner, "43", fill="white", font=ImageFont.load_default(drawn["text.size"]))
    assert recipe.degrade(picture, "cat", 42).tobytes() == by_hand.tobytes()


@pytest.mark.parametrize("size", [8, 12, 30])
@pytest.mark.parametrize("coverage", [0.0, 0.01, 0.25, 0.5, 0.9])
def test_text_covers_the_share_asked_for_and_at_most_one_text_more(size, coverage):
    touched = np.asarray(write(blank(200, 150), content="43", size=size, coverage=coverage)).any(axis=-1)
    alone = np.asarray(write(blank(99, 99), content="43", size=size)).any(axis=-1)
    assert coverage <= touched.mean() <= coverage + alone.sum() / touched.size


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 30),
    st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)).map(sorted),
    st.integers(0, 99),
)
def test_more_coverage_writes_on_with_the_same_texts(width, height, size, coverages, seed):
    less, more = (
        np.asarray(write(blank(width, height), seed, content="7", size=size, coverage=coverage))
        for coverage in coverages
    )
    assert less.shape == more.shape == (height, width, 3)
    assert np.all(less <= more)
    assert (more > 0).mean() >= coverages[1]


def test_text_that_covers_a_share_is_spread_evenly_up_to_the_edges():
    touched = sum(
        np.asarray(write(blank(64, 48), seed, content="43", size=12, coverage=0.25)).any(axis=-1).astype(int)
        for seed in range(200)
    )
    parts = [touched[:4], touched[-4:], touched[:, :4], touched[:, -4:], touched[12:36, 16:48]]
    assert [part.mean() / 200 for part in parts] == pytest.approx([0.26] * 5, abs=0.03)


def test_text_without_ink_covers_nothing():
    assert write(blank(20, 20), content=" ", size=12, coverage=0.5) == blank(20, 20)


def test_the_coverage_is_drawn_in_the_place_of_a_place():
    recipe = Recipe.model_validate([{"text": {"coverage": [0.05, 0.25]}}, {"jpeg": {"quality": [10, 70]}}])
    drawn = [recipe.draw(str(index), 42) for index in range(200)]
    assert set(drawn[0]) == {"text.size", "text.coverage", "text.content", "jpeg.quality"}
    coverages = [each["text.coverage"] for each in drawn]
    assert 0.05 <= min(coverages) < 0.06
    assert 0.24 < max(coverages) <= 0.25
    twins = [recipe.degrade(blank(90, 60), name, 42).tobytes() for name in ("a", "a", "b")]
    assert twins[0] == twins[1] != twins[2]


@pytest.mark.parametrize("sigma", [2.0, 10.0, 30.0])
def test_the_noise_has_the_sigma_asked_for(sigma):
    noisy = GaussianNoise(sigma=Range(sigma, sigma)).apply(blank(200, 200, 128), sigma, np.random.default_rng(0))
    noise = np.asarray(noisy, dtype=float) - 128
    # Rounding to 8 bits adds a variance of 1/12.
    assert noise.std() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.02)
    assert abs(noise.mean()) < 0.05 * sigma
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.03


def test_noise_clips_instead_of_wrapping():
    noisy = GaussianNoise(sigma=Range(50.0, 50.0)).apply(blank(64, 64, 255), 50.0, np.random.default_rng(0))
    assert np.mean(np.asarray(noisy) == 255) == pytest.approx(0.5, abs=0.02)


def test_more_blur_means_less_gradient_energy(picture):
    blurred = [GaussianBlur(radius=Range(r, r)).apply(picture, radius=r) for r in (0.0, 1.0, 3.0)]
    energies = [gradient_energy(each) for each in blurred]
    assert blurred[0].tobytes() == picture.tobytes()
    assert energies[0] > 1.1 * energies[1]
    assert energies[1] > 1.5 * energies[2]


def test_grey_has_three_equal_channels_with_pillows_luma(picture):
    red, green, blue = Grey().apply(picture).split()
    assert ImageChops.difference(red, green).getbbox() is None
    assert ImageChops.difference(red, blue).getbbox() is None
    exact = np.asarray(picture, dtype=float) @ [0.299, 0.587, 0.114]
    assert np.abs(np.asarray(red) - exact).max() <= 0.51
