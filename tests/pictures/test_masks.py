"""What the pixels of a mask mean."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pydantic import ValidationError

from uncrappify.errors import UserError
from uncrappify.pictures.mask_codes import UnlistedValue
from uncrappify.pictures.mask_file import convert_pixels
from uncrappify.pictures.masks import VOID, Labels, as_picture, read_mask

VALUES = Labels(classes=["sky", "road", "tree"], void=[11])
COLOURS = Labels(classes=["sky", "road"], colours=[(128, 128, 128), (128, 64, 128)], void=[(0, 0, 0)])


def mask(values: list[list[int]], mode: str = "L") -> Image.Image:
    return Image.fromarray(np.array(values, dtype=np.uint8), mode=mode)


def test_a_value_is_the_place_of_its_class_and_void_is_void() -> None:
    assert VALUES.decode(mask([[0, 1], [2, 11]])).tolist() == [[0, 1], [2, VOID]]


def test_of_a_palette_the_places_count_and_not_the_colours() -> None:
    picture = mask([[0, 2]], mode="P")
    picture.putpalette([200, 0, 0] * 256)
    assert VALUES.decode(picture).tolist() == [[0, 2]]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, bool])
def test_values_of_other_depths_are_values_too(dtype: type) -> None:
    assert VALUES.decode(Image.fromarray(np.array([[0, 1]], dtype=dtype))).tolist() == [[0, 1]]


def test_grey_that_was_saved_as_colour_is_as_good_as_grey() -> None:
    assert VALUES.decode(mask([[0, 11], [2, 1]]).convert("RGB")).tolist() == [[0, VOID], [2, 1]]


def test_a_value_that_is_not_listed_is_told_with_its_place() -> None:
    assert VALUES.decode(mask([[0, 1, 7], [7, 7, 2]])) == UnlistedValue("value 7", 2, 0, 3)


def test_no_colour_passes_for_a_class_where_values_are_expected() -> None:
    picture = Image.new("RGB", (2, 1), (0, 0, 2))
    assert VALUES.decode(picture) == UnlistedValue("colour [0, 0, 2]", 0, 0, 2)


def test_colours_become_classes() -> None:
    pixels = np.array([[[128, 128, 128], [128, 64, 128], [0, 0, 0]]], dtype=np.uint8)
    assert COLOURS.decode(Image.fromarray(pixels)).tolist() == [[0, 1, VOID]]


def test_a_colour_one_step_off_is_not_listed() -> None:
    assert COLOURS.decode(Image.new("RGB", (1, 1), (128, 64, 129))) == UnlistedValue("colour [128, 64, 129]", 0, 0, 1)


def test_each_class_needs_a_colour_where_there_are_colours() -> None:
    with pytest.raises(ValidationError, match="3 classes and 1 colours"):
        Labels(classes=["a", "b", "c"], colours=[(0, 0, 0)])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"void": [0]}, "0 is a class already"),
        ({"void": [(0, 0, 11)]}, r"\[0, 0, 11\] is not of the kind that the masks have: give values"),
        ({"colours": [(1, 1, 1), (2, 2, 2)], "void": [255]}, "255 is not of the kind .* give colours"),
        ({"colours": [(1, 1, 1), (1, 1, 1)]}, "two classes have the same colour"),
        ({"colours": [(1, 1, 1), (2, 2, 2)], "void": [(2, 2, 2)]}, r"\[2, 2, 2\] is a class already"),
        ({"void": [-1]}, "expected a value, a whole number from 0 to 65535, .* got -1"),
        ({"void": [True]}, "got true"),
        ({"void": ["white"]}, r'write "white" as \[255, 255, 255\]'),
        ({"colours": ["#00a000", "red"]}, r'write "#00a000" as \[0, 160, 0\]'),
        ({"colours": [None, None]}, "in YAML, a # begins a comment"),
        ({"colours": [0, 255]}, r"write the value 255 as \[255, 255, 255\]"),
        ({"colours": [(0, 0, 0), (0, 65536, 0)]}, r"\[red, green, blue\], whole numbers from 0, got \[0, 65536, 0\]"),
        ({"classes": ["a", "sky & sea"]}, '"sky & sea" has "&"'),
        ({"classes": ["a", "road/kerb"]}, 'consists of letters, digits, spaces, .* "road/kerb" has "/"'),
        ({"classes": ["a", " b"]}, 'begins with a letter, a digit or "_"; " b" does not'),
        ({"classes": [False, True]}, 'Write a class\'s name in quotes: "no"'),
        ({"classes": [1, 2]}, 'Write a class\'s name in quotes: "1"'),
        ({"classes": [None, "a"]}, 'in quotes if it is "null"'),
    ],
)
def test_labels_that_contradict_themselves_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Labels.model_validate({"classes": ["a", "b"]} | changes)


@pytest.mark.parametrize("value", [-1, 2**31 - 1, 3])
def test_no_value_outside_the_list_passes_however_odd(value: int) -> None:
    found = VALUES.decode(Image.fromarray(np.array([[0, value]], dtype=np.int32)))
    assert found == UnlistedValue(f"value {value}", 1, 0, 1)


def test_a_fraction_is_no_class() -> None:
    fractions = Image.fromarray(np.array([[1.0, 0.9]], dtype=np.float32))
    assert VALUES.decode(fractions) == UnlistedValue("value 0.9", 1, 0, 1)


def test_a_number_that_is_none_is_no_class() -> None:
    numbers = Image.fromarray(np.array([[1.0, np.nan, np.inf, np.nan]], dtype=np.float32))
    assert VALUES.decode(numbers) == UnlistedValue("value nan", 1, 0, 2, others=1)


def test_a_value_over_255_is_not_the_colour_white() -> None:
    labels = Labels(classes=["a", "b"], colours=[(0, 0, 0), (255, 255, 255)])
    for dtype in (np.uint16, np.int32, np.float32):
        found = labels.decode(Image.fromarray(np.array([[0, 1000, 2000]], dtype=dtype)))
        assert found == UnlistedValue("colour [1000, 1000, 1000]", 1, 0, 1, others=1)


def test_sixteen_bits_of_grey_may_be_classes_as_colours() -> None:
    labels = Labels(classes=["a", "b", "c"], colours=[(0, 0, 0), (1000, 1000, 1000), (2000, 2000, 2000)])
    assert labels.decode(Image.fromarray(np.array([[2000, 0, 1000]], dtype=np.uint16))).tolist() == [[2, 0, 1]]
    assert len(set(labels.palette)) == 3
    assert max(value for colour in labels.palette for value in colour) <= 255
    as_picture(np.array([[0, VOID]], dtype=np.uint8), labels)


def test_blended_edges_are_told_from_a_class_that_is_missing() -> None:
    labels = Labels(classes=["a", "b"], colours=[(0, 0, 0), (0, 160, 0)])
    large = Image.new("RGB", (80, 60))
    ImageDraw.Draw(large).ellipse((15, 9, 61, 47), fill=(0, 160, 0))
    blended = labels.decode(large.resize((40, 30), Image.Resampling.BILINEAR))
    assert blended.blended
    assert blended.others >= 5
    areas = Image.new("RGB", (40, 30))
    for place in range(4):
        areas.paste((0, 30 * place, 0), (10 * place, 0, 10 * place + 10, 30))
    assert labels.decode(areas) == UnlistedValue("colour [0, 30, 0]", 10, 0, 300, others=2)


def test_what_is_unlisted_is_counted_over_the_whole_of_a_large_mask() -> None:
    values = np.zeros((1300, 1000), dtype=np.uint8)
    values[10, 5] = values[1290, 7] = 9
    values[1291, 8] = 10
    assert VALUES.decode(Image.fromarray(values)) == UnlistedValue("value 9", 5, 10, 2, others=1)


def test_classes_in_the_alpha_channel_are_seen() -> None:
    pixels = np.full((2, 2, 4), 255, dtype=np.uint8)
    pixels[0, 0, 3] = 0
    assert VALUES.has_classes_in_alpha(convert_pixels(Image.fromarray(pixels)))
    pixels[0, 0, :3] = 1
    assert not VALUES.has_classes_in_alpha(convert_pixels(Image.fromarray(pixels)))
    assert not VALUES.has_classes_in_alpha(convert_pixels(mask([[0, 1]])))


def test_a_class_is_there_once() -> None:
    with pytest.raises(ValidationError, match="more than once"):
        Labels(classes=["a", "a"])


def test_thirty_classes_have_thirty_colours_to_be_shown_in() -> None:
    palette = Labels(classes=[str(number) for number in range(30)]).palette
    assert len(set(palette)) == 30
    assert COLOURS.palette == [(128, 128, 128), (128, 64, 128)]


def test_a_picture_of_classes_has_them_as_values_and_shows_void_black(tmp_path: Path) -> None:
    classes = np.array([[0, 1], [2, VOID]], dtype=np.uint8)
    as_picture(classes, VALUES).save(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as picture:
        assert np.asarray(picture).tolist() == classes.tolist()
        assert picture.convert("RGB").getpixel((1, 1)) == (0, 0, 0)
        assert picture.convert("RGB").getpixel((1, 0)) == VALUES.palette[1]


def test_void_is_shown_in_its_own_colour_or_in_one_that_no_class_has() -> None:
    own = Labels(classes=["a", "b"], colours=[(0, 0, 0), (9, 9, 9)], void=[(255, 0, 0), (7, 7, 7)])
    assert own.void_colour == (255, 0, 0)
    assert as_picture(np.array([[VOID]], dtype=np.uint8), own).convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    none = Labels(classes=["a", "b"], colours=[(0, 0, 0), (255, 255, 255)])
    assert none.void_colour == (128, 128, 128)


def test_a_mask_that_has_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.png: the mask cannot be read .* gone or changed since it was listed"):
        read_mask(tmp_path / "gone.png", VALUES)
