"""All pictures of a split as one array: its order, its channels, and what does not fit into it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.pictures import fit_picture
from uncrappify.sources import PictureSource, decode_pictures, list_pictures

RANDOM = np.random.default_rng(0)


def noise(*shape: int) -> Image.Image:
    return Image.fromarray(RANDOM.integers(0, 256, shape, dtype=np.uint8))


def listed(root: Path) -> tuple[PictureSource, pd.DataFrame]:
    source = PictureSource(name="test", root=root, licence="none")
    return source, list_pictures(source, smallest=4)


def test_rows_are_in_the_order_of_the_split_and_have_one_channel_if_all_are_grey(tmp_path: Path) -> None:
    for name in "abc":
        noise(6, 9).save(tmp_path / f"{name}.png")
    Image.fromarray(RANDOM.integers(0, 65536, (6, 9), dtype=np.uint16)).save(tmp_path / "deep.png")
    noise(6, 9).point(lambda value: value > 127, "1").save(tmp_path / "bits.png")
    Image.merge("LA", (noise(6, 9), Image.new("L", (9, 6), 255))).save(tmp_path / "alpha.png")
    source, manifest = listed(tmp_path)
    rows = manifest.sort_values("name", ascending=False)
    pixels = decode_pictures(source, rows, None)
    assert (pixels.shape, pixels.dtype) == ((6, 1, 6, 9), np.uint8)
    for row, name in zip(pixels, rows["name"], strict=True):
        if name in "abc":
            np.testing.assert_array_equal(row[0], np.asarray(Image.open(tmp_path / f"{name}.png")))


def test_one_colour_picture_gives_all_three_channels(tmp_path: Path) -> None:
    noise(6, 9).save(tmp_path / "grey.png")
    noise(6, 9, 3).save(tmp_path / "red.png")
    source, manifest = listed(tmp_path)
    grey, red = decode_pictures(source, manifest, None)
    assert (grey == grey[0]).all()
    np.testing.assert_array_equal(red.transpose(1, 2, 0), np.asarray(Image.open(tmp_path / "red.png")))


def test_pictures_of_two_sizes_are_named(tmp_path: Path) -> None:
    noise(6, 9).save(tmp_path / "a.png")
    noise(9, 6).save(tmp_path / "b.png")
    source, manifest = listed(tmp_path)
    with pytest.raises(UserError) as caught:
        decode_pictures(source, manifest, None)
    assert str(caught.value) == (
        "size: the pictures have 2 different sizes, such as a 9x6 and b 6x9 pixels. Give the size (height, width) that "
        "all are brought to, such as size: [64, 64]."
    )
    assert decode_pictures(source, manifest, (5, 4)).shape == (2, 1, 5, 4)


def test_more_than_half_of_the_memory_says_how_large_the_size_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        noise(6, 9, 3).save(tmp_path / f"{name}.png")
    source, manifest = listed(tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=2 * 2 * 3 * 50 * 100))
    assert decode_pictures(source, manifest, (50, 100)).shape == (2, 3, 50, 100)
    with pytest.raises(UserError) as caught:
        decode_pictures(source, manifest, (100, 200))
    assert str(caught.value) == (
        "size: 2 pictures of 200x100 pixels and 3 channels need 0.0 GB, more than half of this machine's memory "
        "(0.0 GB). At most size: [50, 100] is possible."
    )


def test_a_picture_that_has_changed_since_it_was_listed_is_refused(tmp_path: Path) -> None:
    noise(6, 9).save(tmp_path / "a.png")
    source, manifest = listed(tmp_path)
    noise(6, 9).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="has changed since it was listed"):
        decode_pictures(source, manifest, None)


def test_a_wide_picture_is_scaled_and_its_middle_cut_out() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 200, 100, 50
    fitted = fit_picture(Image.fromarray(pixels), (10, 10), 3)
    assert fitted.shape == (3, 10, 10)
    # The filter looks half a pixel over the edge.
    assert [set(channel[:, 1:-1].ravel().tolist()) for channel in fitted] == [{200}, {100}, {50}]
    assert fitted[0].min() > 150


def test_a_picture_of_its_own_size_is_not_touched_and_grey_is_its_luma() -> None:
    picture = noise(8, 8, 3)
    np.testing.assert_array_equal(fit_picture(picture, (8, 8), 3), np.asarray(picture).transpose(2, 0, 1))
    grey = fit_picture(picture, None, 1)
    luma = np.asarray(picture) @ [0.299, 0.587, 0.114]
    assert grey.shape == (1, 8, 8)
    np.testing.assert_allclose(grey[0], luma, atol=0.51)


def test_reducing_averages_and_enlarging_is_smooth() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    picture = Image.fromarray(stripes).convert("RGB")
    middle = fit_picture(picture, (8, 8), 1)[0, :, 1:-1]
    assert np.abs(middle.astype(int) - 127.5).max() < 3
    ramp = Image.fromarray(np.tile(np.arange(0, 256, 32, dtype=np.uint8), (8, 1))).convert("RGB")
    enlarged = fit_picture(ramp, (28, 28), 1)[0, 14].astype(int)
    assert (np.diff(enlarged) >= 0).all()
    assert np.diff(enlarged).max() < 12
