"""A source of its own for the test split."""

from pathlib import Path

import pandas as pd
import pytest

from uncrappify.sources import (
    FolderOptions,
    PictureSource,
    Source,
    assign_splits,
    fetch,
    list_pictures,
    with_test_source,
)


@pytest.fixture
def folder(tmp_path: Path, make):
    def folder(name: str, *numbers: int) -> PictureSource:
        (tmp_path / name).mkdir()
        for number in numbers:
            (tmp_path / name / f"{number}.png").write_bytes(make["picture"](number))
        return fetch(Source(kind="folder", folder=FolderOptions(path=str(tmp_path / name))), tmp_path / "raw")

    return folder


def split_of(source: PictureSource) -> pd.Series:
    manifest = list_pictures(source)
    return assign_splits(source, manifest[manifest["usable"]]).set_index("name")["split"]


def test_all_its_pictures_and_no_others_are_tested(folder):
    source = with_test_source(folder("train", *range(30)), folder("test", 100, 101))
    split = split_of(source)
    assert split.index[split == "test"].tolist() == ["test_source/100", "test_source/101"]
    counts = split.value_counts()
    assert (counts["train"] + counts["valid"], counts["test"]) == (30, 2)
    assert 1 <= counts["valid"] <= 6


def test_its_files_are_found_from_the_root_of_the_source(folder, tmp_path):
    source = with_test_source(folder("train", 0, 1, 2), folder("test", 100))
    manifest = list_pictures(source).set_index("name")
    assert source.root / manifest.loc["test_source/100", "file"] == tmp_path / "test/100.png"
    assert source.root / manifest.loc["1", "file"] == tmp_path / "train/1.png"


def test_a_picture_in_both_is_tested_and_not_trained_on(folder):
    source = with_test_source(folder("train", *range(10)), folder("test", 3, 100))
    manifest = list_pictures(source).set_index("name")
    assert manifest.loc["3", "reason"] == "same content as test_source/3"
    assert manifest.loc["test_source/3", "usable"]


def test_what_the_source_would_test_on_is_trained_on(folder):
    source = folder("train", *range(6)).model_copy(update={"own_split": {"valid": ["0"], "test": ["1", "2"]}})
    split = split_of(with_test_source(source, folder("test", 100)))
    assert split.to_dict() == {"test_source/100": "test", "0": "valid", **dict.fromkeys("12345", "train")}


def test_pairs_in_the_test_source_alone_leave_the_others_to_the_recipe(folder, tmp_path, make):
    test = folder("test", 100)
    (tmp_path / "bad.png").write_bytes(make["picture"](100, 24, 18))
    test = test.model_copy(update={"degraded": {"100": "../bad.png"}})
    manifest = list_pictures(with_test_source(folder("train", 0, 1), test)).set_index("name")
    assert manifest["degraded"].to_dict() == {"0": "", "1": "", "test_source/100": str(tmp_path / "test/../bad.png")}
    assert manifest["degraded_width"].to_dict() == {"0": 0, "1": 0, "test_source/100": 24}


def test_a_source_with_its_test_source_survives_being_written_down(folder):
    source = with_test_source(folder("train", 0, 1), folder("test", 100))
    assert PictureSource.model_validate_json(source.model_dump_json()) == source


@pytest.mark.parametrize(("named", "by_hash"), [("valid", "test"), ("test", "valid")])
def test_a_split_that_a_source_does_not_name_is_taken_from_the_others_by_hash(named: str, by_hash: str):
    pictures = pd.DataFrame({"name": [str(number) for number in range(2000)]})
    own = [str(number) for number in range(1000)]
    source = PictureSource(name="n", root=Path("/"), licence="none", own_split={named: own})
    split = assign_splits(source, pictures).set_index("name")["split"]
    assert (split[own] == named).all()
    assert 70 <= (split == by_hash).sum() <= 130
    more = assign_splits(source, pd.DataFrame({"name": [*pictures["name"], *"abcdef"]})).set_index("name")["split"]
    assert (more[split.index] == split).all()
