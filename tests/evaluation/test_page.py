"""Where the magnified detail is, and what fits."""

import numpy as np
import pytest
from PIL import Image

from uncrappify.evaluation import page


def test_the_strongest_region_holds_the_energy_and_stays_inside():
    energy = np.zeros((40, 60))
    energy[33:38, 50:57] = 1.0
    left, top, right, bottom = page.find_strongest_region(energy, (10, 8))
    assert energy[top:bottom, left:right].sum() == 35
    assert (right - left, bottom - top) == (10, 8)
    assert right <= 60
    assert bottom <= 40


@pytest.mark.parametrize("picture", [(1, 1), (3, 200), (36, 24), (451, 300), (4000, 6000)])
def test_the_detail_is_a_part_of_the_picture_magnified_four_times_or_more(picture):
    width, height = page.detail_size(picture, (368, 232))
    assert 1 <= width <= (picture[0] + 1) // 2
    assert 1 <= height <= (picture[1] + 1) // 2
    assert width <= 368 / page.DETAIL_ZOOM
    assert height <= 232 / page.DETAIL_ZOOM


def test_a_picture_is_shown_whole_in_the_middle_of_its_panel():
    sheet, _ = page.create_sheet(100, 60)
    page.place(sheet, Image.new("RGB", (5, 10), "red"), (10, 10, 90, 50))
    red = (np.asarray(sheet) == (255, 0, 0)).all(axis=2)
    assert red.sum() == 20 * 40
    assert np.argwhere(red).min(axis=0).tolist() == [10, 40]
    assert sheet.getpixel((11, 11)) == (243, 244, 246)
    assert sheet.getpixel((90, 50)) == (255, 255, 255)


def test_a_long_name_keeps_its_beginning_and_its_end():
    short = page.shorten("holiday " * 30 + "1999.jpg", 300)
    assert short.startswith("holiday")
    assert short.endswith("1999.jpg")
    assert page.load_font(20).getlength(short) <= 300
    assert page.shorten("short.jpg", 300) == "short.jpg"


def test_letters_beyond_ascii_are_drawn_and_not_boxed():
    missing = bytes(page.load_font(20).getmask("\U0010ffff"))
    for letter in "äß\u0416\u00d7\u2212\u2026":
        assert bytes(page.load_font(20).getmask(letter)) != missing
