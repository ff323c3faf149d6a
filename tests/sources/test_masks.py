"""Pictures with masks: matched by name, and every mask looked at once."""

import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.pictures import read_picture
from uncrappify.pictures.masks import Labels, read_mask
from uncrappify.scenes.streets import CLASSES, draw_street
from uncrappify.sources import (
    MaskedFolderOptions,
    MaskedSource,
    PictureSource,
    StreetsOptions,
    examine_masks,
    fetch,
    list_pictures,
)

LABELS = Labels(classes=["road", "sky"], void=[9])
Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a picture and its mask, whose upper half has one value and whose lower half another."""

    def write(name: str, values: tuple[int, int] = (0, 1), size: tuple[int, int] = (32, 20)) -> None:
        random = np.random.default_rng(list(name.encode()))
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 32, 3), dtype=np.uint8)).save(tmp_path / f"images/{name}.png")
        mask = np.repeat(np.array(values, dtype=np.uint8), size[1] // 2)[:, None].repeat(size[0], axis=1)
        Image.fromarray(mask).save(tmp_path / f"masks/{name}.png")

    return write


def source(tmp_path: Path) -> PictureSource:
    options = MaskedFolderOptions(path=str(tmp_path))
    return fetch(MaskedSource(kind="masked_folder", masked_folder=options), tmp_path / "raw")


def examined(tmp_path: Path, labels: Labels = LABELS) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = source(tmp_path)
    return examine_masks(found, list_pictures(found), labels)


def failure(tmp_path: Path, labels: Labels = LABELS) -> str:
    with pytest.raises(UserError) as caught:
        examined(tmp_path, labels)
    return str(caught.value)


def test_masks_are_used_where_they_are(tmp_path: Path, write: Write) -> None:
    write("a")
    found = source(tmp_path)
    assert found.root == tmp_path / "images"
    assert found.masks == {"a": str(tmp_path / "masks/a.png")}


def test_the_pixels_of_every_class_are_counted(tmp_path: Path, write: Write) -> None:
    write("a")
    write("b", (9, 1))
    manifest, pixels = examined(tmp_path)
    assert manifest["usable"].all()
    assert manifest["mask_sha256"].str.len().tolist() == [64, 64]
    assert pixels.to_dict("list") == {"name": ["a", "b"], "road": [320, 0], "sky": [320, 320]}


def test_a_mask_that_is_void_everywhere_makes_its_picture_unusable(tmp_path: Path, write: Write) -> None:
    write("a")
    write("b", (9, 9))
    manifest, pixels = examined(tmp_path)
    assert manifest["reason"].tolist() == ["", "mask is void everywhere"]
    assert manifest["usable"].tolist() == [True, False]
    assert pixels["name"].tolist() == ["a"]


def test_masks_that_are_all_void_are_a_mistake(tmp_path: Path, write: Write) -> None:
    write("a", (9, 9))
    assert failure(tmp_path) == (
        f"none of the 1 masks can be used. The first is {tmp_path}/masks/a.png: mask is void everywhere. "
        "labels.void takes out 9."
    )


def test_masks_of_one_class_have_nothing_to_tell_apart(tmp_path: Path, write: Write) -> None:
    write("a", (9, 1))
    assert "labels.classes: no mask has a pixel of road, so there is nothing to tell apart" in failure(tmp_path)


def test_a_class_without_pixels_is_told(tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("a")
    examined(tmp_path, Labels(classes=["road", "sky", "tree"]))
    assert "no mask has a pixel of tree" in caplog.text


def test_a_broken_mask_makes_its_picture_unusable(tmp_path: Path, write: Write) -> None:
    write("a")
    write("b")
    file = tmp_path / "masks/b.png"
    file.write_bytes(file.read_bytes()[:40])
    manifest, _ = examined(tmp_path)
    assert manifest["usable"].tolist() == [True, False]
    assert manifest["reason"][1].startswith("mask cannot be read")


def test_a_value_that_is_not_listed_is_named_with_its_file_and_place(tmp_path: Path, write: Write) -> None:
    write("a", (0, 7))
    assert failure(tmp_path) == (
        f"{tmp_path}/masks/a.png: the mask has value 7 at x 0, y 10 (such pixels: 320); labels have the values 0 road, "
        "1 sky, and void 9. Say in conf/local/parameters.yml what your masks hold: a class more in labels.classes, or "
        "a value more in labels.void; values that are no places in a list go into labels.colours, as [7, 7, 7]. If 0, "
        "7 are the classes in their order: colours: [[0, 0, 0], [7, 7, 7]]."
    )


def test_a_colour_that_is_not_listed_is_named(tmp_path: Path, write: Write) -> None:
    write("a")
    Image.new("RGB", (32, 20), (128, 64, 1)).save(tmp_path / "masks/a.png")
    assert "the mask has colour [128, 64, 1] at x 0, y 0" in failure(tmp_path)
    assert failure(tmp_path).endswith("what your masks hold: the colour of each class goes into labels.colours.")
    labels = Labels(classes=["road", "sky"], colours=[(128, 64, 0), (1, 1, 1)])
    assert failure(tmp_path, labels) == (
        f"{tmp_path}/masks/a.png: the mask has colour [128, 64, 1] at x 0, y 0 (such pixels: 640); labels have the "
        "colours road [128, 64, 0], sky [1, 1, 1], and void none. Say in conf/local/parameters.yml what your masks "
        "hold: a class more in labels.classes with its colour in labels.colours, or a colour more in labels.void."
    )


def test_a_mask_of_another_size_is_named(tmp_path: Path, write: Write) -> None:
    write("a", size=(16, 10))
    assert "masks/a.png: the mask has 16x10 pixels and its picture 32x20" in failure(tmp_path)


def test_a_jpeg_is_no_mask(tmp_path: Path, write: Write) -> None:
    write("a")
    (tmp_path / "masks/a.png").rename(tmp_path / "masks/a.jpg")
    assert "a mask has to keep every value, which a .jpg file does not" in failure(tmp_path)


def tagged(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_a_mask_is_turned_as_its_own_exif_says(tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("a")
    for file in ("images/a.png", "masks/a.png"):
        Image.open(tmp_path / file).save(tmp_path / file, exif=tagged(8))
    manifest, _ = examined(tmp_path)
    assert manifest[["width", "height"]].values.tolist() == [[20, 32]]
    classes = read_mask(tmp_path / "masks/a.png", LABELS)
    # The upper half, which is road, lies on the left once it is turned against the clock.
    assert classes.tolist() == [[0] * 10 + [1] * 10] * 32
    assert "orientation" not in caplog.text


@pytest.mark.parametrize(("picture", "mask"), [(3, 1), (1, 3), (2, 4)])
def test_a_picture_and_a_mask_that_are_turned_differently_are_told(
    tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture, picture: int, mask: int
) -> None:
    write("a")
    for file, orientation in (("images/a.png", picture), ("masks/a.png", mask)):
        Image.open(tmp_path / file).save(tmp_path / file, exif=tagged(orientation))
    manifest, _ = examined(tmp_path)
    assert manifest["usable"].all()
    assert "the orientation in EXIF turns these pictures and not their masks in the same way" in caplog.text


def test_a_mask_drawn_on_the_turned_picture_is_as_it_should_be(
    tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("a", size=(20, 32))
    Image.open(tmp_path / "images/a.png").save(tmp_path / "images/a.png", exif=tagged(6))
    assert examined(tmp_path)[0]["usable"].all()
    assert "orientation" not in caplog.text


def test_a_mask_drawn_on_the_picture_as_it_is_stored_is_told_why_it_does_not_fit(tmp_path: Path, write: Write) -> None:
    write("a")
    Image.open(tmp_path / "images/a.png").save(tmp_path / "images/a.png", exif=tagged(6))
    assert "the mask has 32x20 pixels and its picture 20x32" in failure(tmp_path)
    assert "stored with the same size, but the orientation of their EXIF turns them differently" in failure(tmp_path)


def test_names_in_two_forms_of_unicode_are_the_same(tmp_path: Path, write: Write) -> None:
    write("Stra\u00dfe \u00e9\u00e8")
    (tmp_path / "masks/Stra\u00dfe \u00e9\u00e8.png").rename(tmp_path / "masks/Stra\u00dfe e\u0301e\u0300.png")
    assert examined(tmp_path)[0]["usable"].tolist() == [True]


def test_a_mask_of_another_size_is_not_decoded(tmp_path: Path, write: Write) -> None:
    write("a", size=(16, 10))
    file = tmp_path / "masks/a.png"
    file.write_bytes(with_broken_pixels(file.read_bytes()))
    assert "the mask has 16x10 pixels and its picture 32x20" in failure(tmp_path)


def with_broken_pixels(content: bytes) -> bytes:
    """Give a PNG whose checksums are right and whose pixels cannot be inflated."""
    start = content.index(b"IDAT")
    length = int.from_bytes(content[start - 4 : start])
    data = b"IDAT" + bytes(length)
    return content[:start] + data + zlib.crc32(data).to_bytes(4) + content[start + 8 + length :]


def test_the_class_void_that_hides_another_is_told(tmp_path: Path, write: Write) -> None:
    write("a", (0, 255))
    assert failure(tmp_path, Labels(classes=["background", "leaf"], void=[255])) == (
        "labels.classes: no mask has a pixel of leaf, so there is nothing to tell apart; labels.void takes out 255, "
        "50.0% of the pixels. If that is a class, take it out of labels.void, and say which values the classes have, "
        "as colours: [[0, 0, 0], [255, 255, 255]]."
    )


def test_classes_in_the_alpha_channel_are_told(tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("a")
    alpha = Image.open(tmp_path / "masks/a.png").point(lambda value: 255 * value)
    for colour, labels in ((7, LABELS), (1, LABELS), (9, LABELS)):
        picture = Image.merge("LA", (Image.new("L", (32, 20), colour), alpha))
        picture.save(tmp_path / "masks/a.png")
        assert "the classes seem to be in it. Save masks without alpha" in failure(tmp_path, labels)


def test_an_alpha_channel_that_is_passed_over_is_told(
    tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("a")
    mask = Image.open(tmp_path / "masks/a.png")
    mask.putalpha(Image.linear_gradient("L").resize(mask.size))
    mask.save(tmp_path / "masks/a.png")
    assert examined(tmp_path)[1].drop(columns="name").values.tolist() == [[320, 320]]
    assert "the alpha channel of these masks is not read" in caplog.text


LABELS_OF_CASES = Labels(classes=["background", "leaf", "stem"])
DRAWN = [(0, 0, 0), (0, 160, 0), (120, 80, 40)]
GREYS = [[value] * 3 for value in (0, 1000, 2000)]


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> Path:
    """Masks that people have brought, of a disc and a bar."""
    folder = request.config.rootpath.parent / "shared/cases/masks"
    if not folder.is_dir():
        pytest.skip("the cases are not there")
    return folder


@pytest.mark.parametrize(("case", "colours"), [("exif3_tagged", []), ("sixteen_big", GREYS)])
def test_the_disc_and_the_bar_have_their_classes(cases: Path, case: str, colours: list[list[int]]) -> None:
    labels = Labels(classes=LABELS_OF_CASES.classes, colours=colours)
    manifest, pixels = examined(cases / case, labels)
    assert manifest["usable"].all()
    assert pixels.iloc[0].tolist() == ["p0", 2740, 272, 60]
    picture = np.asarray(read_picture(cases / case / "images/p0.jpg")).astype(int)
    classes = read_mask(next((cases / case / "masks").glob("p0.*")), labels)
    background, leaf = (picture[classes == number].mean(axis=0) for number in (0, 1))
    # The disc is green where the mask says so: it lies on the right and not, as its mirror image would, on the left.
    assert np.abs(leaf - background).max() > 30
    assert np.abs(picture[classes[::-1, ::-1] == 1].mean(axis=0) - background).max() < 10


@pytest.mark.parametrize(
    ("case", "labels", "said"),
    [
        ("pages", LABELS_OF_CASES, "p0.tif: the mask has 3 pages, .* a page for each class is not supported"),
        ("sixteen_big", LABELS_OF_CASES, r"If 0, 1000, 2000 are the classes in their order: colours: \[\[0, 0, 0\], "),
        ("jpegaspng", LABELS_OF_CASES, "p0.png: the mask is a JPEG, whatever its name says"),
        (
            "antialias",
            Labels(classes=LABELS_OF_CASES.classes, colours=DRAWN),
            "and 43 other colours that labels do not have.* the edges are blended .* without antialiasing",
        ),
        ("bin255", Labels(classes=["a", "b"]), r"If 0, 255 are .*: colours: \[\[0, 0, 0\], \[255, 255, 255\]\]"),
        ("bin255", Labels(classes=["a", "b"], void=[255]), "no mask has a pixel of b.* labels.void takes out 255, "),
        ("alpha_only", LABELS_OF_CASES, "the classes seem to be in it"),
    ],
)
def test_a_mask_that_cannot_be_meant_stops_the_run_with_its_remedy(
    cases: Path, case: str, labels: Labels, said: str
) -> None:
    assert re.search(said, failure(cases / case, labels))


def test_a_picture_without_a_mask_is_named(tmp_path: Path, write: Write) -> None:
    write("a")
    write("b")
    (tmp_path / "masks/b.png").unlink()
    assert failure(tmp_path) == (
        f"source.masked_folder ({tmp_path}/images and {tmp_path}/masks): no mask belongs to b.png. Each picture needs "
        "one mask."
    )


def test_a_folder_without_masks_says_how_it_should_look(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    assert "source.masked_folder.masks: there is no folder masks in" in failure(tmp_path)
    assert "a mask of the same name for each in masks/" in failure(tmp_path)


def test_a_folder_that_is_not_there_says_how_it_should_look(tmp_path: Path) -> None:
    assert f"there is no folder {tmp_path / 'nowhere'}. Give a folder with your pictures" in failure(
        tmp_path / "nowhere"
    )


def test_pictures_left_out_are_named_with_every_reason_once(
    tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    for name, values in (("a", (0, 1)), ("b", (9, 9)), ("c", (9, 9))):
        write(name, values)
    examined(tmp_path)
    assert "left out for the mask: b, c (mask is void everywhere)" in caplog.text


def test_streets_are_drawn_once_and_those_of_the_test_have_seeds_of_their_own(tmp_path: Path) -> None:
    streets = MaskedSource(streets=StreetsOptions(train=2, valid=1, test=1))
    found = fetch(streets, tmp_path)
    manifest, pixels = examine_masks(found, list_pictures(found), Labels(classes=list(CLASSES)))
    assert manifest["name"].tolist() == [
        f"images/{part}_0000{number}" for part, number in (("test", 0), ("train", 0), ("train", 1), ("valid", 0))
    ]
    assert found.own_split == {"valid": ["images/valid_00000"], "test": ["images/test_00000"]}
    assert pixels[list(CLASSES)].sum(axis=1).tolist() == [192 * 144] * 4
    drawn = Image.open(found.root / "images/test_00000.png")
    assert drawn.tobytes() == draw_street(2_000_000)[0].tobytes()
    before = [file.stat().st_mtime_ns for file in sorted(found.root.rglob("*.png"))]
    assert len(fetch(MaskedSource(streets=StreetsOptions(train=1, valid=1, test=1)), tmp_path).good) == 3
    assert [file.stat().st_mtime_ns for file in sorted(found.root.rglob("*.png"))] == before


def test_a_raw_file_beside_a_picture_takes_it_not_from_its_mask(tmp_path: Path, write: Write) -> None:
    write("a")
    (tmp_path / "images" / "a.nef").write_bytes(b"not read")
    manifest, counts = examined(tmp_path)
    assert manifest.set_index("file")["usable"].to_dict() == {"a.nef": False, "a.png": True}
    assert counts[["road", "sky"]].to_numpy().tolist() == [[320, 320]]
