"""Computed pictures are computed once, kept through a crash, and never half there."""

import base64
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.io import DatasetError
from PIL import Image

from uncrappify.datasets import PictureFolder
from uncrappify.errors import UserError
from uncrappify.sources.layout import place_file


class Planned:
    """A picture of one grey that counts how often it was computed."""

    def __init__(self, key: str | None, grey: int = 100, error: BaseException | None = None) -> None:
        if key is not None:
            self.key = key
        self.grey, self.error, self.computed = grey, error, 0

    def __call__(self) -> Image.Image:
        if self.error:
            raise self.error
        self.computed += 1
        return Image.new("RGB", (20, 16), (self.grey, 0, 0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "degraded"


@pytest.fixture
def dataset(folder: Path) -> PictureFolder:
    return PictureFolder(path=str(folder))


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)


def files(folder: Path) -> set[str]:
    """Files in the folder, without the hash in the names of pictures."""
    found = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return {str(file.with_name(re.sub("-[0-9a-f]{12}[.]png$", ".png", file.name))) for file in found}


def place(folder: Path, name: str) -> Path:
    return folder / place_file(name)


def computed(pictures: dict[str, Planned]) -> dict[str, int]:
    return {name: picture.computed for name, picture in pictures.items()}


def greys(dataset: PictureFolder) -> dict[str, int]:
    pictures = dataset.load()
    return {name: pictures[name].getpixel((0, 0))[0] for name in pictures}


def test_what_is_saved_is_loaded_as_a_light_handle(dataset: PictureFolder, folder: Path) -> None:
    dataset.save({"a": Planned("1", 10), "holiday/b ü": Planned("2", 20)})
    pictures = dataset.load()
    assert len(pictures) == 2
    assert pictures.paths["holiday/b ü"] == place(folder, "holiday/b ü")
    assert greys(dataset) == {"a": 10, "holiday/b ü": 20}
    assert files(folder) == {"a.png", "holiday/b ü.png", "index.json"}


def test_nothing_is_computed_twice_under_the_same_key(dataset: PictureFolder) -> None:
    first = {name: Planned(name) for name in "abc"}
    second = {name: Planned(name) for name in "abc"}
    dataset.save(first)
    dataset.save(second)
    assert computed(first) == {"a": 1, "b": 1, "c": 1}
    assert computed(second) == {"a": 0, "b": 0, "c": 0}
    assert list(dataset.load()) == ["a", "b", "c"]


def test_a_changed_key_is_computed_again_and_no_other(dataset: PictureFolder) -> None:
    dataset.save({name: Planned(name) for name in "abc"})
    changed = {"a": Planned("a"), "b": Planned("another", 200), "c": Planned("c")}
    dataset.save(changed)
    assert computed(changed) == {"a": 0, "b": 1, "c": 0}
    assert greys(dataset) == {"a": 100, "b": 200, "c": 100}


def test_a_callable_without_key_is_always_computed(dataset: PictureFolder) -> None:
    for _ in range(2):
        pictures = {"a": Planned(None)}
        dataset.save(pictures)
        assert computed(pictures) == {"a": 1}


def test_a_name_that_is_gone_is_removed(dataset: PictureFolder, folder: Path) -> None:
    dataset.save({name: Planned(name) for name in "abc"})
    dataset.save({"b": Planned("b")})
    assert list(dataset.load()) == ["b"]
    assert files(folder) == {"b.png", "index.json"}


def test_strangers_and_leftovers_are_removed(dataset: PictureFolder, folder: Path) -> None:
    dataset.save({"a": Planned("a")})
    (folder / "sub").mkdir()
    for stranger in ["stranger.png", "notes.txt", ".0123456789ab.partial.png", "sub/.0123456789ab.partial.png"]:
        (folder / stranger).write_bytes(b"x")
    dataset.save({"a": Planned("a")})
    assert files(folder) == {"a.png", "index.json"}


def test_a_file_that_has_gone_says_what_to_do(dataset: PictureFolder, folder: Path) -> None:
    dataset.save({"a": Planned("a")})
    pictures = dataset.load()
    place(folder, "a").unlink()
    with pytest.raises(UserError, match=r"a-\w+\.png: cannot be read .* run again from the node list"):
        pictures["a"]


def test_a_truncated_file_is_written_again(dataset: PictureFolder, folder: Path) -> None:
    dataset.save({name: Planned(name) for name in "ab"})
    place(folder, "a").write_bytes(place(folder, "a").read_bytes()[:30])
    again = {name: Planned(name) for name in "ab"}
    dataset.save(again)
    assert computed(again) == {"a": 1, "b": 0}
    assert greys(dataset) == {"a": 100, "b": 100}


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("error", [RuntimeError("crash"), KeyboardInterrupt()])
def test_a_crash_leaves_no_index_and_keeps_what_was_done(
    dataset: PictureFolder, folder: Path, error: BaseException
) -> None:
    dataset.save({"old": Planned("old")})
    with pytest.raises((DatasetError, KeyboardInterrupt)):
        dataset.save({"old": Planned("old"), "a": Planned("a"), "b": Planned("b", error=error), "c": Planned("c")})
    assert not (folder / "index.json").exists()
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="not complete"):
        dataset.load()
    again = {name: Planned(name) for name in ["old", "a", "b", "c"]}
    dataset.save(again)
    assert computed(again)["old"] == 0
    assert computed(again)["a"] == 0
    assert computed(again)["b"] == 1
    assert set(greys(dataset)) == {"old", "a", "b", "c"}
    assert files(folder) == {"old.png", "a.png", "b.png", "c.png", "index.json"}


def test_a_journal_whose_last_line_was_cut_short_is_read_as_far_as_it_goes(
    dataset: PictureFolder, folder: Path
) -> None:
    dataset.save({name: Planned(name) for name in "ab"})
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    (folder / "index.json").unlink()
    whole = json.dumps({"name": "a", **index["a"]})
    (folder / "index.partial.jsonl").write_text(f'{whole}\n{{"name": "b", "ke', encoding="utf-8")
    again = {name: Planned(name) for name in "ab"}
    dataset.save(again)
    assert computed(again) == {"a": 0, "b": 1}


def test_the_number_of_cores_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def content(cores: int) -> dict[str, bytes]:
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        folder = tmp_path / str(cores)
        PictureFolder(path=str(folder)).save({f"p{n}": Planned(str(n), n) for n in range(20)})
        return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}

    alone = content(1)
    assert len(alone) == 21
    assert content(2) == alone
    assert content(7) == alone


def test_pictures_are_computed_when_they_are_saved_and_not_before(dataset: PictureFolder) -> None:
    calls: list[str] = []

    def planned(name: str) -> Callable[[], Image.Image]:
        return lambda: calls.append(name) or Image.new("RGB", (16, 16))

    lazy = {name: planned(name) for name in "ab"}
    assert calls == []
    dataset.save(lazy)
    assert sorted(calls) == ["a", "b"]


def test_the_preview_is_the_first_picture(dataset: PictureFolder, folder: Path) -> None:
    dataset.save({name: Planned(name, grey) for name, grey in [("a", 1), ("b", 2)]})
    assert base64.b64decode(dataset.preview()) == place(folder, "a").read_bytes()


def test_a_folder_that_was_never_written_does_not_exist(dataset: PictureFolder) -> None:
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="not complete"):
        dataset.load()


def test_a_file_of_the_right_size_with_wrong_bytes_is_not_given_and_is_written_again(
    dataset: PictureFolder, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset.save({"a": Planned("a", 10), "b": Planned("b", 20)})
    pictures = dataset.load()
    sound = place(folder, "a").read_bytes()
    times = place(folder, "a").stat()
    Image.new("RGB", (20, 16), (11, 0, 0)).save(place(folder, "a"), compress_level=1)
    os.utime(place(folder, "a"), ns=(times.st_atime_ns, times.st_mtime_ns))
    assert place(folder, "a").stat().st_size == len(sound)
    with pytest.raises(UserError, match=r"a-\w+\.png: the file has changed"):
        pictures["a"]
    again = {"a": Planned("a", 10), "b": Planned("b", 20)}
    dataset.save(again)
    assert computed(again) == {"a": 1, "b": 0}
    assert place(folder, "a").read_bytes() == sound
    assert caplog.messages == [f"made again, because they are not as they were written: {place_file('a')}"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": {}}', b"\xff", b'{"a": {"key": "a", "bytes": 74}}'])
def test_a_broken_index_or_one_of_an_earlier_version_begins_anew_with_a_word(
    dataset: PictureFolder, folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    dataset.save({"a": Planned("a", 10)})
    (folder / "a.png").write_bytes(place(folder, "a").read_bytes())
    (folder / "index.json").write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    assert str(caught.value.__cause__).startswith(f"{folder / 'index.json'}: does not hold what it should")
    again = {"a": Planned("a", 10)}
    dataset.save(again)
    assert computed(again) == {"a": 1}
    assert (greys(dataset), files(folder)) == ({"a": 10}, {"a.png", "index.json"})
    assert len(list(folder.iterdir())) == 2
    (told,) = caplog.messages
    assert told.endswith("the pictures are made again")


def test_an_index_of_no_pictures_is_one(dataset: PictureFolder) -> None:
    dataset.save({})
    assert (len(dataset.load()), dataset.preview()) == (0, "")


def test_the_place_of_a_file_goes_by_the_identity_and_not_by_the_name(dataset: PictureFolder, folder: Path) -> None:
    before, after = Planned("1"), Planned("1")
    before.identity = after.identity = "scan7.png"
    dataset.save({"scan7": before})
    dataset.save({"scan7.png": after})
    assert dataset.load().paths == {"scan7.png": place(folder, "scan7.png")}


def test_an_error_names_the_node_to_run_again(folder: Path) -> None:
    dataset = PictureFolder(path=str(folder), node="superres.crappify")
    with pytest.raises(DatasetError, match=r"not complete\. Run again from the node .*--from-nodes superres\.crappify"):
        dataset.load()
