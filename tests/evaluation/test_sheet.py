"""The sheets: what is on them, for pictures of every shape."""

import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PIL import Image

from uncrappify.evaluation import sheet
from uncrappify.evaluation.page import FRAME, GAIN_COLOURS
from uncrappify.evaluation.scores import ScoredPicture
from uncrappify.evaluation.sheet import draw_batch_sheet, draw_comparison_sheet, draw_damage_sheet


def picture(width, height, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def compared(width=90, height=60, scale=3, name="cat"):
    target = picture(width, height)
    degraded = target.resize((max(1, width // scale), max(1, height // scale)), Image.Resampling.BICUBIC)
    return ScoredPicture(name, degraded, {"model": target}, target)


def count(shown, colour):
    return int((np.asarray(shown) == Image.new("RGB", (1, 1), colour).getpixel((0, 0))).all(axis=2).sum())


def test_pictures_of_every_shape_and_scale_are_compared_on_1600_pixels():
    for size, scale in product([(90, 60), (60, 90), (300, 20), (20, 300), (7, 5), (1, 1)], (1, 3)):
        shown = draw_comparison_sheet([compared(*size, scale=scale)])
        assert (shown.mode, shown.width) == ("RGB", 1600), (size, scale)
        assert 300 < shown.height < 900, (size, scale)


def test_no_more_pictures_are_read_than_rows_are_drawn():
    def endless():
        for seed in range(2):
            yield compared(name=str(seed))
        pytest.fail("read a third")

    assert draw_comparison_sheet(endless(), rows=2).height > draw_comparison_sheet([compared()]).height


def test_the_target_on_the_sheet_is_the_target():
    target = picture(368, 200)
    shown = draw_comparison_sheet(
        [ScoredPicture("cat", target.resize((92, 50)), {"model": target.point(lambda value: value // 2)}, target)]
    )
    top = 40 + 30 + 28 + sheet.TITLE
    columns = [np.asarray(shown.crop((x, top, x + 368, top + 200))) for x in (808, 1192)]
    same = (columns[1] == np.asarray(target)).all(axis=2).mean()
    assert 0.9 < same < 1.0  # all but the frame of the detail
    assert (columns[0] == np.asarray(target) // 2).all(axis=2).mean() > 0.9


def test_the_detail_is_where_prediction_and_bicubic_differ_most():
    target = Image.new("RGB", (400, 300), (90, 90, 90))
    pixels = np.asarray(target).copy()
    pixels[200:210, 310:330] = 250
    (region,) = sheet._choose_details(target, [Image.fromarray(pixels)], target)
    assert region[0] <= 310
    assert region[1] <= 200
    assert region[2] >= 330
    assert region[3] >= 210


def test_the_frame_is_drawn_on_all_four_overviews():
    shown = draw_comparison_sheet([compared(400, 300)])
    framed = [count(shown.crop((x, 0, x + 368, shown.height)), FRAME) for x in (40, 424, 808, 1192)]
    assert framed[0] > 300
    assert framed == [framed[0]] * 4


def test_a_gain_is_green_a_loss_is_red_and_no_difference_is_neither():
    picture = compared()
    bicubic = picture.degraded.resize(picture.target.size, Image.Resampling.BICUBIC)
    worse = picture.target.point(lambda value: 255 - value)
    for shown, sign in ((picture.target, 1), (worse, -1), (bicubic, 0)):
        drawn = draw_comparison_sheet([replace(picture, predictions={"model": shown})])
        chip = drawn.crop((1064, drawn.height - 72, 1176, drawn.height - 40))
        assert [s for s in GAIN_COLOURS if count(chip, GAIN_COLOURS[s][1]) > 1000] == [sign]


def test_a_prediction_of_another_size_is_an_error():
    with pytest.raises(ValueError, match=r"\(9, 9\).*\(90, 60\)"):
        draw_comparison_sheet([ScoredPicture("cat", picture(30, 20), {"model": picture(9, 9)}, picture(90, 60))])


def two_models(width=368, height=200):
    """One model is right but for a black patch at the left, the other but for a grey one at the right."""
    target = picture(width, height)
    first, second = target.copy(), target.copy()
    first.paste("black", (20, 20, 60, 50))
    second.paste("grey", (300, 150, 340, 180))
    degraded = target.resize((width // 4, height // 4), Image.Resampling.BICUBIC)
    return ScoredPicture("cat", degraded, {"generator": first, "gan": second}, target)


def test_several_models_stand_side_by_side_under_the_heads_that_are_asked_for():
    pixel_and_gan = {"pixel loss": "generator", "GAN": "gan"}
    shown = draw_comparison_sheet([two_models()], columns=pixel_and_gan)
    top = 40 + 30 + 28 + sheet.TITLE
    for x, model in ((424, "generator"), (808, "gan")):
        drawn = np.asarray(shown.crop((x, top, x + 368, top + 200)))
        assert (drawn == np.asarray(two_models().predictions[model])).all(axis=2).mean() > 0.9
    swapped = draw_comparison_sheet([two_models()], columns={"pixel loss": "gan", "GAN": "generator"})
    assert shown.crop((424, top, 792, top + 200)).tobytes() == swapped.crop((808, top, 1176, top + 200)).tobytes()
    # Both are worse than bicubic enlargement, by their patches.
    losses = [count(shown.crop((x, 0, x + 368, shown.height)), GAIN_COLOURS[-1][1]) for x in (40, 424, 808, 1192)]
    assert losses[0] == losses[3] == 0
    assert min(losses[1:3]) > 1000


def test_of_several_models_a_second_detail_shows_where_they_differ():
    target = Image.new("RGB", (400, 300), (90, 90, 90))
    degraded, first, second = target.copy(), target.copy(), target.copy()
    degraded.paste("white", (20, 20, 60, 50))
    second.paste((120, 120, 120), (300, 200, 340, 230))
    removed, apart = sheet._choose_details(degraded, [first, second], target)
    assert removed[0] <= 20 < 60 <= removed[2]
    assert apart[0] <= 300 < 340 <= apart[2]
    one = replace(compared(400, 300), predictions={"model": first}, target=target)
    two = replace(one, predictions={"model": first, "gan": second})
    more = draw_comparison_sheet([two]).height - draw_comparison_sheet([one]).height
    assert more == sheet.DETAIL_GAP + sheet.DETAIL[1]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6])
def test_any_number_of_columns_fits_and_none_runs_into_the_next(number):
    methods = ["bicubic", "generator", "gan", "generator", "lanczos", "gan"][:number]
    columns = {f"{place} {method} of a long name": method for place, method in enumerate(methods)}
    shown = draw_comparison_sheet([two_models()], columns=columns)
    assert shown.width == 1600
    width = (1600 - 80 - (number + 1) * 16) // (number + 2)
    for column in range(1, number + 2):
        right = 40 + column * (width + 16)
        # A frame may reach over the edge by a pixel.
        gap = np.asarray(shown.crop((right - 12, 0, right - 4, shown.height)))
        # But the line above the picture's name.
        assert (gap < 255).any(axis=(1, 2)).sum() <= 2


@pytest.mark.parametrize(
    "draw", [draw_comparison_sheet, draw_damage_sheet, lambda empty: draw_batch_sheet(empty, empty)]
)
def test_nothing_to_draw_is_an_error(draw):
    with pytest.raises(ValueError, match="there are no"):
        draw([])


def test_the_damage_of_six_pictures_at_most_is_shown_two_a_line():
    def pairs(number, draws):
        return [("cat", picture(90, 60), picture(30, 20), draws)] * number

    heights = [draw_damage_sheet(pairs(number, {"jpeg.quality": 43})).height for number in (1, 2, 3, 6, 9)]
    assert heights[0] == heights[1] < heights[2] < heights[3] == heights[4]
    many = {f"step{number}.value": number / 3 for number in range(40)}
    assert draw_damage_sheet(pairs(1, many)).size == (1600, heights[0] + 26)


def test_what_was_drawn_is_written_below_the_picture():
    shown = [draw_damage_sheet([("cat", picture(90, 60), picture(30, 20), {"jpeg.quality": q})]) for q in (43, 44, 43)]
    assert shown[0].tobytes() != shown[1].tobytes()
    assert shown[0].tobytes() == shown[2].tobytes()


def test_every_pixel_of_a_crop_is_a_square_of_whole_pixels():
    inputs = np.random.default_rng(0).integers(0, 256, (10, 24, 24, 3), dtype=np.uint8)
    shown = np.asarray(draw_batch_sheet(inputs, inputs.repeat(3, axis=1).repeat(3, axis=2)))
    enlarged = inputs[0].repeat(6, axis=0).repeat(6, axis=1)
    top = 40 + 28 + 20
    assert (shown[top : top + 144, 40:184] == enlarged).all()
    assert (shown[top + 148 : top + 292, 40:184] == enlarged).all()
    assert shown.shape[1] == 2 * 40 + 8 * 160 - 16


def test_crops_of_several_and_of_large_sizes_fit():
    crops = [np.zeros((side, side + 3, 3), np.uint8) for side in (1, 24, 500, 90)]
    assert draw_batch_sheet(crops, crops).width <= 1600
    big = np.zeros((1, 2000, 10, 3), np.uint8)
    assert draw_batch_sheet(big, big).height > 4000


def test_inputs_without_targets_are_an_error():
    with pytest.raises(ValueError, match="shorter"):
        draw_batch_sheet(np.zeros((2, 4, 4, 3), np.uint8), np.zeros((1, 4, 4, 3), np.uint8))


def test_the_package_loads_no_heavy_library():
    heavy = "{'torch', 'torchmetrics', 'matplotlib', 'plotly', 'skimage', 'sklearn'}"
    code = (
        "import sys, uncrappify.evaluation.sheet, uncrappify.evaluation.scores;"
        f"assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
