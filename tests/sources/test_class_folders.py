"""The user's own pictures in class folders: the layouts that are known, and what is wrong with others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.sources import (
    ClassFoldersOptions,
    LabelledSource,
    PictureSource,
    assign_splits,
    check_classes,
    fetch,
    label_pictures,
    list_pictures,
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write pictures of 8x8, another content for each file, below a folder ``pets``."""
    random = np.random.default_rng(0)

    def write(**numbers: int) -> Path:
        for folder, number in numbers.items():
            place = tmp_path / "pets" / folder.replace("__", "/")
            place.mkdir(parents=True, exist_ok=True)
            for file in range(number):
                Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(place / f"{file}.png")
        return tmp_path / "pets"

    return write


def source_of(path: Path, test: Path | None = None) -> PictureSource:
    options = ClassFoldersOptions(path=str(path), test=test and str(test))
    return fetch(LabelledSource(kind="class_folders", class_folders=options), path / "raw")


def manifest_of(source: PictureSource) -> pd.DataFrame:
    manifest = label_pictures(source, list_pictures(source, smallest=4))
    check_classes(source, manifest)
    return manifest


def counts(source: PictureSource) -> dict[tuple[str, str], int]:
    manifest = manifest_of(source)
    found: dict[tuple[str, str], int] = (
        assign_splits(source, manifest[manifest["usable"]])[["label", "split"]].value_counts().to_dict()
    )
    return found


def told(path: Path, test: Path | None = None) -> str:
    with pytest.raises(UserError) as caught:
        manifest_of(source_of(path, test))
    return str(caught.value)


def test_each_folder_is_a_class_and_each_class_is_in_every_part(write: Write) -> None:
    source = source_of(write(cat=5, dog=3, dog__deeper=1))
    assert (source.root.name, source.own_split) == ("pets", {})
    found = counts(source)
    assert {key: number for key, number in found.items() if key[1] != "train"} == {
        ("cat", "test"): 1,
        ("cat", "valid"): 1,
        ("dog", "test"): 1,
        ("dog", "valid"): 1,
    }
    assert (found["cat", "train"], found["dog", "train"]) == (3, 2)


@pytest.mark.parametrize("valid", ["valid", "val"])
def test_a_folder_of_train_valid_and_test_is_a_split(write: Write, valid: str) -> None:
    numbers = {f"{part}__{name}": 2 for part in ("train", valid, "test") for name in ("cat", "dog")}
    found = counts(source_of(write(**numbers)))
    assert found == {(name, part): 2 for part in ("train", "valid", "test") for name in ("cat", "dog")}


def test_a_folder_of_train_and_test_validates_on_some_of_train(write: Write) -> None:
    found = counts(source_of(write(train__cat=4, train__dog=4, test__cat=1, test__dog=2)))
    assert (found["cat", "test"], found["dog", "test"]) == (1, 2)
    assert all(found[name, "valid"] == 1 and found[name, "train"] == 3 for name in ("cat", "dog"))


def test_folders_of_these_names_without_folders_in_them_are_classes(write: Write) -> None:
    assert set(manifest_of(source_of(write(train=3, test=3)))["label"]) == {"train", "test"}


def test_a_folder_beside_train_and_test_makes_them_classes(write: Write) -> None:
    found = manifest_of(source_of(write(train__ice=3, test__oral=3, plane=3)))
    assert set(found["label"]) == {"train", "test", "plane"}


@pytest.mark.parametrize(("train", "test"), [("training", "testing"), ("Train", "TEST"), ("training", "val")])
def test_parts_may_have_other_names_in_any_case(write: Write, train: str, test: str) -> None:
    root = write(**{f"{train}__cat": 12, f"{train}__dog": 12, f"{test}__cat": 1, f"{test}__dog": 2})
    found = counts(source_of(root))
    assert {label for label, _ in found} == {"cat", "dog"}
    part = "valid" if test == "val" else "test"
    assert (found["cat", part], found["dog", part]) == (1, 2)


def test_what_lies_beside_the_parts_of_the_data_is_named(write: Write) -> None:
    root = write(train__cat=3, train__dog=3, test__cat=1, test__dog=1, extra__cat=1)
    (root / "loose.png").touch()
    assert told(root) == (
        f"source.class_folders.path: extra, loose.png lies beside test and train in {root}. Where these two are the "
        f"parts of the data, move the rest elsewhere, or give one of them, such as {root / 'train'}."
    )


def test_another_folder_is_the_test(write: Write) -> None:
    root = write(a__cat=3, a__dog=3, b__cat=1, b__dog=2)
    source = source_of(root / "a", root / "b")
    found = counts(source)
    assert (found["cat", "test"], found["dog", "test"]) == (1, 2)
    assert sum(number for key, number in found.items() if key[1] != "test") == 6
    manifest = manifest_of(source).set_index("name")
    assert manifest.loc["test_source/dog/1", "label"] == "dog"


def test_the_same_name_in_two_forms_of_unicode_is_one_class(write: Write) -> None:
    root = write(**{"a__b\u00e9b\u00e9": 3, "a__dog": 3, "b__be\u0301be\u0301": 1, "b__dog": 1})
    assert counts(source_of(root / "a", root / "b"))["b\u00e9b\u00e9", "test"] == 1


def test_a_test_that_is_given_twice_is_refused(write: Write) -> None:
    root = write(a__train__cat=3, a__train__dog=3, a__test__cat=3, b__cat=1)
    assert told(root / "a", root / "b") == (
        f"source.class_folders.test: {root / 'a'} has a folder for the test already. Leave out "
        "source.class_folders.test, or give the folder for the training alone as source.class_folders.path."
    )


def test_loose_pictures_are_named(write: Write) -> None:
    root = write(cat=3, dog=3)
    for name in "abcde":
        (root / f"{name}.jpg").touch()
    (root / "notes.txt").touch()
    assert told(root) == (
        f"source.class_folders.path: pictures lie loose beside the class folders of {root}: a.jpg, b.jpg, c.jpg and 2 "
        "more. Put each into the folder of its class (cat, dog), or elsewhere."
    )


def test_a_test_without_classes_is_not_a_class(write: Write) -> None:
    root = write(train__cat=3, train__dog=3, test=3)
    assert told(root).startswith(f"source.class_folders.path: there is no class folder in {root / 'test'}. Put")


def test_a_folder_without_class_folders_says_what_to_do(write: Write) -> None:
    root = write(**{".": 3})
    assert told(root) == (
        f"source.class_folders.path: there is no class folder in {root}. Put the pictures of each class into a folder "
        "that is called as the class, such as cat and dog."
    )


def test_one_class_is_refused(write: Write) -> None:
    root = write(cat=3)
    assert told(root) == (
        f"source.class_folders.path: cat is the only class folder in {root}, so there is nothing to tell apart. Give a "
        "folder with a folder for each of two classes or more."
    )


def test_a_link_that_leads_nowhere_is_no_loose_picture(write: Write) -> None:
    root = write(cat=3, dog=3)
    (root / "fish").symlink_to(root / "unmounted")
    assert told(root) == (
        f"source.class_folders.path: in {root}, fish leads nowhere: a link to what is not there. Make it lead to the "
        "folder of a class, or remove it."
    )


def test_a_part_without_the_other_is_told(write: Write) -> None:
    root = write(**{"train/cat": 3, "train/dog": 3})
    assert told(root) == (
        f"source.class_folders.path: {root} has train alone. A part of the pictures wants the other beside it: train "
        f"and test, each with the classes' folders; or give {root / 'train'}, which is split then."
    )


def test_an_empty_class_folder_is_named(write: Write) -> None:
    root = write(cat=3, dog=3, fish=0)
    assert told(root) == (
        f"source.class_folders.path: in {root}, there is no picture in fish. Each folder is a class: put pictures of "
        "it there, or remove the folder."
    )


def test_a_class_without_a_usable_picture_says_what_is_wrong_with_them(write: Write) -> None:
    root = write(cat=3, dog=3, fish=0)
    (root / "fish/a.png").write_text("no picture")
    assert told(root) == (
        "source: no picture of the class fish can be used (the first of fish: not a picture). Put whole pictures "
        "there, or remove the folder."
    )


def test_a_class_of_one_or_two_pictures_is_too_few_for_three_parts(write: Write) -> None:
    assert told(write(bee=1, cat=3, dog=2)) == (
        "source: too few usable pictures of the class bee (1), dog (2). At least 3 different ones of each are needed, "
        "one each for training, validation, test; for a good model, hundreds."
    )


def test_beside_a_test_of_its_own_a_class_needs_two_pictures(write: Write) -> None:
    root = write(train__bee=1, train__cat=2, test__bee=1, test__cat=1)
    assert told(root) == (
        "source: too few usable pictures of the class bee (1). At least 2 different ones of each are needed, one each "
        "for training, validation; for a good model, hundreds."
    )


def test_two_files_that_differ_in_their_suffix_alone_count_once(write: Write) -> None:
    root = write(cat=3, dog=2)
    Image.open(root / "dog/1.png").save(root / "dog/1.jpg")
    assert "the class dog (2)" in told(root)


def test_a_class_in_the_test_alone_is_refused(write: Write) -> None:
    root = write(a__cat=3, a__dog=3, b__cat=1, b__wolf=1)
    assert told(root / "a", root / "b") == (
        "source: pictures of the class wolf are for the test or the validation, and none for the training. Put some "
        "there, or take the class out of the others."
    )


def test_a_class_in_the_training_alone_is_a_warning(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    root = write(a__cat=3, a__dog=3, b__cat=1)
    assert counts(source_of(root / "a", root / "b"))["cat", "test"] == 1
    assert "the test has no picture of dog" in caplog.messages


def test_the_same_picture_in_two_classes_is_used_once_and_counted(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    root = write(cat=4, dog=4)
    for file in ("dog/0.png", "cat/9.png"):
        (root / file).write_bytes((root / "cat/0.png").read_bytes())
    reasons = manifest_of(source_of(root)).set_index("name")["reason"]
    assert reasons[reasons != ""].to_dict() == {
        "cat/9": "same content as cat/0",
        "dog/0": "same content as cat/0, in another class",
    }
    assert "1 picture has the same content as one of another class, and was left out: dog/0" in caplog.messages


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    assert told(tmp_path / "gone").startswith(
        f"pictures (source.class_folders.path): there is no folder {tmp_path / 'gone'}."
    )
