"""Pictures that are degraded already, each beside its target: matched by name, checked by size, passed through."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from uncrappify.datasets import FolderReference
from uncrappify.errors import UserError
from uncrappify.sources import (
    PairsOptions,
    PictureSource,
    Source,
    check_sizes,
    fetch,
    find_given_pairs,
    list_pictures,
)
from uncrappify.sources.folder import find_folder


@pytest.fixture
def write(tmp_path: Path, make):
    """Write pictures of given sizes, each with another content."""

    def write(sizes: dict[str, tuple[int, int]]) -> None:
        for number, (name, (width, height)) in enumerate(sizes.items()):
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(make["picture"](number, width, height, "JPEG" if file.suffix == ".jpg" else "PNG"))

    return write


def pairs(tmp_path: Path) -> PictureSource:
    options = PairsOptions(degraded=str(tmp_path / "bad"), target=str(tmp_path / "good"))
    return fetch(Source(kind="pairs", pairs=options), tmp_path / "raw")


def failure(tmp_path: Path) -> str:
    with pytest.raises(UserError) as caught:
        pairs(tmp_path)
    return str(caught.value)


def test_pairs_are_used_where_they_are(tmp_path, write):
    sizes = {"bad/a.jpg": (20, 16), "good/a.png": (40, 32), "bad/sub/b.png": (24, 16), "good/sub/b.png": (48, 32)}
    write(sizes)
    source = pairs(tmp_path)
    assert (source.name, source.root) == ("good", tmp_path / "good")
    assert source.degraded == {"a": str(tmp_path / "bad/a.jpg"), "sub/b": str(tmp_path / "bad/sub/b.png")}
    assert not (tmp_path / "raw").exists()


def test_a_picture_without_a_twin_is_named_on_either_side(tmp_path, write):
    write({"bad/a.png": (20, 16), "good/a.png": (40, 32), "bad/b.png": (20, 16), "good/c.png": (40, 32)})
    assert failure(tmp_path) == (
        "source.pairs: no degraded picture belongs to c.png; no target belongs to b.png. "
        "Each target needs one degraded picture."
    )


def test_of_many_pictures_without_a_twin_three_are_named(tmp_path, write):
    write({"bad/a.png": (20, 16), **{f"good/{name}.png": (40, 32) for name in "abcdef"}})
    assert "no degraded picture belongs to b.png, c.png, d.png and 2 more." in failure(tmp_path)


def test_two_pictures_of_one_name_are_named(tmp_path, write):
    write({"bad/a.png": (20, 16), "bad/a.jpg": (20, 16), "good/a.png": (40, 32)})
    assert "several files have the same name a.jpg and a.png." in failure(tmp_path)


def test_a_folder_that_is_missing_is_named_by_its_parameter(tmp_path, write):
    write({"bad/a.png": (20, 16)})
    assert failure(tmp_path).startswith(f"source.pairs.target: there is no folder {tmp_path / 'good'}.")


def test_one_folder_cannot_be_both(tmp_path, write):
    write({"bad/a.png": (20, 16)})
    (tmp_path / "good").symlink_to(tmp_path / "bad")
    options = PairsOptions(degraded=str(tmp_path / "bad"), target=str(tmp_path / "bad"))
    with pytest.raises(UserError, match="degraded and target are the same folder"):
        fetch(Source(kind="pairs", pairs=options), tmp_path)


def test_the_manifest_describes_both_pictures_of_a_pair(tmp_path, write):
    write({"bad/a.png": (20, 16), "good/a.png": (40, 32)})
    (row,) = list_pictures(pairs(tmp_path)).to_dict("records")
    assert (row["name"], row["width"], row["height"]) == ("a", 40, 32)
    assert (row["degraded"], row["degraded_width"], row["degraded_height"]) == (str(tmp_path / "bad/a.png"), 20, 16)
    assert len(row["degraded_sha256"]) == 64
    assert row["degraded_sha256"] != row["sha256"]


def test_a_pair_with_a_broken_picture_is_not_usable(tmp_path, write):
    write({f"{side}/{name}.png": (40, 32) for name in "abc" for side in ("bad", "good")})
    (tmp_path / "bad/a.png").write_text("no picture")
    (tmp_path / "good/b.png").write_bytes(b"")
    manifest = list_pictures(pairs(tmp_path)).set_index("name")
    assert manifest["reason"].to_dict() == {"a": "degraded picture: not a picture", "b": "0 bytes", "c": ""}


def test_a_pair_gives_its_pictures_as_they_are(tmp_path, write):
    write({"bad/a.png": (20, 16), "good/a.png": (40, 32)})
    source = pairs(tmp_path)
    pair = find_given_pairs(source, list_pictures(source))["a"]
    assert (pair().size, pair.read_good().size) == ((20, 16), (40, 32))
    assert np.ptp(np.asarray(pair())) > 0
    before = pair.key
    write({"good/a.png": (40, 32), "bad/a.png": (20, 16)})
    assert find_given_pairs(source, list_pictures(source))["a"].key != before


def table(degraded: tuple[int, int], target: tuple[int, int]) -> pd.DataFrame:
    sizes = {"degraded_width": degraded[0], "degraded_height": degraded[1], "width": target[0], "height": target[1]}
    return pd.DataFrame([{"name": "x", "file": "x.png", "degraded": "y.png", "degraded_sha256": "", **sizes}])


@pytest.mark.parametrize(
    ("degraded", "target", "scale"),
    [
        ((20, 16), (60, 48), 3),
        ((20, 16), (62, 50), 3),
        ((20, 16), (20, 16), 1),
        ((20, 16), (61, 47), 1),
        ((96, 128), (301, 401), 1),
    ],
)
def test_sizes_that_fit_the_scale_pass(degraded, target, scale):
    check_sizes(table(degraded, target), scale)


@pytest.mark.parametrize(
    ("degraded", "target", "scale"),
    [
        ((20, 16), (40, 32), 3),
        ((20, 16), (60, 47), 3),
        ((20, 16), (66, 48), 3),
        ((16, 20), (60, 48), 3),
        ((21, 16), (20, 16), 1),
        ((16, 20), (60, 48), 1),
    ],
)
def test_a_pair_whose_sizes_do_not_fit_the_scale_is_named(degraded, target, scale):
    with pytest.raises(UserError, match=rf"do not fit: x \(degraded {degraded[0]}x.*model's scale is {scale}:"):
        check_sizes(table(degraded, target), scale)


def test_pictures_that_a_recipe_degrades_have_no_sizes_to_check():
    check_sizes(pd.DataFrame([{"name": "x", "width": 10, "height": 10}]), 3)
    unpaired = table((1, 1), (100, 100)).assign(degraded="")
    check_sizes(unpaired, 3)
    assert find_given_pairs(PictureSource(name="n", root=Path("/"), licence="none"), unpaired) == {}


def test_either_picture_of_a_pair_that_has_changed_is_not_given(tmp_path, write):
    write({"bad/a.png": (20, 16), "good/a.png": (40, 32)})
    source = pairs(tmp_path)
    pair = find_given_pairs(source, list_pictures(source))["a"]
    assert pair.identity == "a.png"
    write({"good/a.png": (40, 32), "bad/a.png": (20, 16)})
    for read, file in ((pair, "bad/a.png"), (pair.read_good, "good/a.png")):
        with pytest.raises(UserError) as caught:
            read()
        assert str(caught.value).startswith(f"{tmp_path / file}: the file has changed since it was listed.")


def test_a_pair_whose_name_is_no_unicode_is_left_out_and_the_others_count(tmp_path, write):
    write({"bad/a.png": (20, 16), "good/a.png": (40, 32)})
    try:
        write({f"{side}/b\udcffd.png": (40, 32) for side in ("bad", "good")})
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system only takes unicode names")
    source = pairs(tmp_path)
    reference = FolderReference(filepath=str(tmp_path / "raw.json"))
    reference.save(source)
    manifest = list_pictures(reference.load())
    assert manifest["reason"].tolist() == ["", "name is not valid unicode"]


def test_a_folder_whose_name_is_no_unicode_is_told(tmp_path, write):
    try:
        write({"good\udcff/a.png": (40, 32)})
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system only takes unicode names")
    with pytest.raises(UserError, match=r"^a\.b: the folder's name is not valid unicode: .*good\\udcff\. Rename it\.$"):
        find_folder(str(tmp_path / "good\udcff"), "a.b")


def test_a_subfolder_that_cannot_be_entered_is_named(tmp_path, write, monkeypatch):
    write({"bad/sub/a.png": (20, 16), "good/sub/a.png": (40, 32), "bad/b.png": (20, 16), "good/b.png": (40, 32)})
    closed = str(tmp_path / "bad/sub")
    # Whoever runs the tests may be allowed to enter every folder.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != closed and allowed(path, mode))
    assert failure(tmp_path).startswith(f"the folder {closed} cannot be entered (permission denied). Allow that,")


@pytest.mark.parametrize("beside", ["a.heic", "a.nef"])
def test_a_kind_that_is_not_read_beside_a_picture_takes_it_not_from_its_twin(tmp_path, write, beside):
    write({"bad/a.jpg": (20, 16), "good/a.png": (20, 16)})
    (tmp_path / "good" / beside).write_bytes(b"not read")
    manifest = list_pictures(pairs(tmp_path)).set_index("file")
    assert manifest["usable"].to_dict() == {"a.png": True, beside: False}
    assert manifest.loc["a.png", "degraded"].endswith("bad/a.jpg")
