"""Classes of an archive's pictures, the digits of scikit-learn, and how classes are counted."""

import logging
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import ValidationError

from uncrappify.sources import (
    ArchiveOptions,
    ClassFoldersOptions,
    LabelledSource,
    PictureSource,
    assign_splits,
    check_classes,
    count_classes,
    decode_pictures,
    fetch,
    label_pictures,
    list_pictures,
)

MNIST = ["mnist/train/*/*.png", "mnist/test/*/*.png"]


def archive(sha256: str = "0" * 64, mirror: Path | None = None, **layout: list[str]) -> ArchiveOptions:
    options = {"name": "mnist", "file": "mnist.tar.gz", "sha256": sha256, "size": 1, "licence": "none"}
    return ArchiveOptions.model_validate({**options, "mirror": mirror and str(mirror), "layout": layout})


def labelled(**layout: list[str]) -> LabelledSource:
    return LabelledSource(kind="archive", archive=archive(**layout))


@pytest.mark.parametrize("glob", ["**/*", "mnist/*.png", "mnist/**/*/*.png", "mnist/?.png"])
def test_a_glob_that_does_not_say_the_class_is_refused(glob: str) -> None:
    with pytest.raises(ValidationError) as caught:
        labelled(good=["mnist/train/*/*.png", glob])
    (mistake,) = caught.value.errors()
    assert mistake["loc"] == ("archive", "layout", "good", 1)
    assert mistake["msg"] == (
        f"{glob} does not say which folder a picture's class is: the first wildcard stands for it, as in train/*/*.png."
    )


@pytest.mark.parametrize("glob", ["*/*", "*/**/*", "a/class_*/*.png", "a/?/b/*.png"])
def test_a_glob_with_a_wildcard_for_a_folder_says_the_class(glob: str) -> None:
    assert labelled(good=[glob]).archive == archive(good=[glob])


def test_the_folders_are_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    source = LabelledSource(kind="class_folders", class_folders=ClassFoldersOptions(path="~/a", test="/b"))
    assert source.folders == [tmp_path / "a", Path("/b")]
    assert LabelledSource().folders == []


def test_class_folders_need_a_path() -> None:
    with pytest.raises(ValidationError, match="kind: class_folders needs a path"):
        LabelledSource(kind="class_folders")


@pytest.mark.parametrize("valid", [[], MNIST[1:]])
def test_an_archive_says_the_classes_and_the_test(
    valid: list[str],
    make: dict[str, Callable[..., bytes]],
    sha256: Callable[[bytes], str],
    write_mirror: Callable[..., Path],
    tmp_path: Path,
) -> None:
    files = {
        f"mnist/{part}/{digit}/{number}.png": make["picture"](100 * place + 10 * digit + number, 16, 16)
        for place, (part, each) in enumerate({"train": 4, "test": 2}.items())
        for digit in range(2)
        for number in range(each)
    }
    content = make["tar"](files)
    options = archive(sha256(content), write_mirror({"mnist.tar.gz": content}), good=MNIST, test=MNIST[1:], valid=valid)
    source = fetch(LabelledSource(kind="archive", archive=options), tmp_path / "raw")
    manifest = label_pictures(source, list_pictures(source))
    check_classes(source, manifest)
    table = count_classes(assign_splits(source, manifest))
    held = 0 if valid else 1
    assert table.drop(columns="share").to_dict("list") == {
        "class": ["0", "1"],
        "train": [4 - held, 4 - held],
        "valid": [held, held],
        "test": [2, 2],
    }


def test_the_counts_are_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = [(f"c{number:02}", "train") for number in range(20) for _ in range(number + 1)] + [("c19", "test")] * 5
    table = count_classes(pd.DataFrame(rows, columns=["label", "split"]))
    assert table.iloc[-1].to_dict() == {"class": "c19", "train": 20, "valid": 0, "test": 5, "share": 25 / 215}
    assert caplog.messages == [
        "20 classes, the largest 25.0 times the smallest (c19 with 25, c00 with 1): c00 1, c01 2, c02 3, c03 4, c04 5, "
        "c05 6, c06 7, c07 8, c08 9, c09 10, c10 11, c11 12 and 8 more"
    ]


def test_the_digits_are_those_of_scikit_learn(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    source = fetch(LabelledSource(), tmp_path)
    manifest = label_pictures(source, list_pictures(source, smallest=4))
    assert (len(manifest), manifest["usable"].all(), manifest["mode"].unique().tolist()) == (1797, True, ["L"])
    pixels = decode_pictures(source, manifest, None)
    digits = load_digits()
    rows = manifest["name"].str.split("/").str[1].astype(int).to_numpy()
    np.testing.assert_array_equal(pixels[:, 0], np.rint(digits.images[rows] * 255 / 16))
    assert manifest["label"].astype(int).tolist() == digits.target[rows].tolist()


def test_digits_are_written_once_and_those_that_are_not_whole_again(tmp_path: Path) -> None:
    source = fetch(LabelledSource(), tmp_path)
    file = source.root / "0/0000.png"
    before = file.stat().st_mtime_ns
    time.sleep(0.01)
    assert fetch(LabelledSource(), tmp_path) == source
    assert file.stat().st_mtime_ns == before
    (source.root / "1/0001.png").unlink()
    fetch(LabelledSource(), tmp_path)
    assert len(list(source.root.glob("*/*.png"))) == 1797
    assert sorted(path.name for path in tmp_path.iterdir()) == [".digits.lock", "digits"]


def test_fetching_the_digits_imports_no_scikit_learn(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from uncrappify.sources import LabelledSource, fetch; "
        f"fetch(LabelledSource(), Path({str(tmp_path)!r})); print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_mnist_is_read_as_published(shared: Path, tmp_path: Path) -> None:
    # The test's zeros and ones, which come first.
    with tarfile.open(shared / "data/mnist.tar.gz") as tar:
        for member in tar:
            if "/2/" in member.name:
                break
            if member.isfile():
                # Not extract: not every Python 3.11 has its filters.
                (tmp_path / member.name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / member.name).write_bytes(tar.extractfile(member).read())
    source = PictureSource(name="mnist", root=tmp_path, licence="none", good=MNIST)
    manifest = label_pictures(source, list_pictures(source))
    assert manifest["usable"].all()
    assert manifest["label"].value_counts().to_dict() == {"1": 1135, "0": 980}
    pixels = decode_pictures(source, manifest, None)
    assert pixels.shape == (2115, 1, 28, 28)
    np.testing.assert_array_equal(pixels[1234, 0], np.asarray(Image.open(tmp_path / manifest.loc[1234, "file"])))
