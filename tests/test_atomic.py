"""Files that are written whole or not at all."""

import errno
from pathlib import Path

import pytest

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, interruption: BaseException) -> None:
    with written_whole(path) as temporary:
        temporary.write_text("half")
        raise interruption


def test_the_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.json"
    with written_whole(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".json"
    assert path.read_text() == "whole"
    assert files_in(path.parent) == ["scores.json"]


def test_what_a_killed_process_left_is_replaced_by_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with written_whole(path) as killed:
        killed.write_bytes(b"old")
    killed.write_bytes(b"half")
    assert killed.name.startswith(".")
    with written_whole(path) as temporary:
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert files_in(tmp_path) == ["model.safetensors"]


def test_files_beside_each_other_have_temporary_files_of_their_own(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a.png") as first, written_whole(tmp_path / "a.jpg") as second:
        first.write_text("a.png")
        second.write_text("a.jpg")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.png": "a.png", "a.jpg": "a.jpg"}


def test_the_longest_name_that_a_file_can_have_is_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'ü' * 125}.png"
    with written_whole(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path, interruption: type[BaseException]) -> None:
    path = tmp_path / "picture.png"
    path.write_text("old")
    with pytest.raises(interruption):
        write_half(path, interruption())
    assert path.read_text() == "old"
    assert files_in(tmp_path) == ["picture.png"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_explained(tmp_path: Path, number: int) -> None:
    with pytest.raises(UserError, match=r"the disk is full: a\.png was not written\. Free space in ") as caught:
        write_half(tmp_path / "a.png", OSError(number, "no space"))
    assert str(tmp_path) in str(caught.value)
    assert files_in(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_device_that_is_really_full_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the disk is full"), written_whole(tmp_path / "a.txt"):
        Path("/dev/full").write_text("x")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_forbids_writing_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise OSError(number, "refused", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=r"a\.png was not written: no permission to write in "):
        write_half(tmp_path / "a.png", AssertionError("the block was entered"))


def test_a_folder_that_has_the_files_name_is_explained(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    told = pytest.raises(UserError, match=r"a\.png is a folder, and a file has to be there")
    with told, written_whole(tmp_path / "a.png") as temporary:
        temporary.write_text("x")
    assert files_in(tmp_path) == ["a.png"]


def test_a_source_that_cannot_be_read_is_not_taken_for_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), written_whole(tmp_path / "a.png"):
        raise PermissionError(errno.EACCES, "refused", "/elsewhere/source.png")
