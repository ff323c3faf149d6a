"""The user's own folder: checked, never copied, never changed."""

import os
from pathlib import Path

import pytest

from uncrappify.errors import UserError
from uncrappify.sources import FolderOptions, Source, fetch
from uncrappify.sources.folder import find_pairable
from uncrappify.walking import find_pictures

EXAMPLE = "\n  --params pictures=~/Pictures"


def folder_source(path: object) -> Source:
    return Source(kind="folder", folder=FolderOptions(path=str(path)))


def test_a_folder_is_used_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "a.jpg").touch()
    source = fetch(folder_source(tmp_path / "holiday"), tmp_path / "raw")
    assert (source.name, source.root, source.own_split) == ("holiday", tmp_path / "holiday", {})
    assert not (tmp_path / "raw").exists()


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "Pictures").mkdir()
    (tmp_path / "Pictures" / "a.jpg").touch()
    assert fetch(folder_source("~/Pictures"), tmp_path / "raw").root == tmp_path / "Pictures"


def test_a_missing_folder_says_which_and_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder .*holiday") as caught:
        fetch(folder_source(tmp_path / "holiday"), tmp_path)
    assert EXAMPLE in str(caught.value)


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(UserError, match="is a file, not a folder"):
        fetch(folder_source(tmp_path / "a.jpg"), tmp_path)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is empty"):
        fetch(folder_source(tmp_path), tmp_path)


def test_a_folder_without_pictures_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match="has no pictures in it"):
        fetch(folder_source(tmp_path), tmp_path)


def test_pictures_are_found_at_any_depth_whatever_the_case_of_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "a" / "b c" / "dé").mkdir(parents=True)
    files = ["a/b c/dé/deep.webp", "a/x.JPG", "scan.TIFF", "z.Png"]
    for file in [*files, "notes.txt", "a/jpg"]:
        (tmp_path / file).touch()
    assert find_pictures(tmp_path) == files


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".thumbnails").mkdir()
    for file in ["seen.png", ".hidden.png", ".thumbnails/small.png"]:
        (tmp_path / file).touch()
    assert find_pictures(tmp_path) == ["seen.png"]


def test_links_are_followed_and_a_loop_of_links_ends(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    for folder in (root / "deep", other / "deeper"):
        folder.mkdir(parents=True)
    for file in (tmp_path / "elsewhere.png", other / "deeper" / "b.png", root / "deep" / "a.png"):
        file.touch()
    (root / "link.png").symlink_to(tmp_path / "elsewhere.png")
    (root / "broken.png").symlink_to(tmp_path / "nowhere.png")
    (root / "again").symlink_to(root, target_is_directory=True)
    (root / "a link").symlink_to(root / "deep", target_is_directory=True)
    (root / "album").symlink_to(other, target_is_directory=True)
    (other / "back").symlink_to(root / "album", target_is_directory=True)
    assert find_pictures(root) == ["album/deeper/b.png", "broken.png", "deep/a.png", "link.png"]


def test_a_link_to_a_folder_that_is_not_there_is_listed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for link in ("2023", "sub/holiday.2023", "notes.txt", ".trash"):
        (tmp_path / link).symlink_to(tmp_path / "media" / link)
    for file in ("Makefile", "data.001"):
        (tmp_path / file).touch()
    assert find_pictures(tmp_path) == ["2023", "sub/holiday.2023"]


def test_kinds_that_are_not_read_are_found_too(tmp_path: Path) -> None:
    files = ["A.HEIC", "a.jpg", "b.NEF", "b.jfif", "c.AVIF", "c.tga"]
    for file in [*files, "film.mp4", "Thumbs.db"]:
        (tmp_path / file).touch()
    assert find_pictures(tmp_path) == files


def test_of_two_files_of_a_name_the_one_that_is_read_has_a_twin(tmp_path: Path) -> None:
    for file in ["a.jpg", "a.heic", "b.heic"]:
        (tmp_path / file).touch()
    assert find_pairable(tmp_path) == ["a.jpg", "b.heic"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is closed to this user")
def test_a_subfolder_that_cannot_be_entered_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for closed, mode in (("unreadable", 0o300), ("unsearchable", 0o600)):
        (tmp_path / closed).mkdir()
        (tmp_path / closed / "a.png").touch()
        (tmp_path / closed).chmod(mode)
    (tmp_path / "b.png").touch()
    assert "b.png" in find_pictures(tmp_path)
    assert f"the folder {tmp_path / 'unreadable'} was left out: Permission denied" in caplog.messages
