"""Files that are written whole or not at all."""

import errno
from pathlib import Path

import pytest

from uncrappify.atomic import LEFTOVERS, written_whole
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


def test_the_temporary_file_is_hidden_and_known_as_a_leftover(tmp_path: Path) -> None:
    with written_whole(tmp_path / "model.safetensors") as temporary:
        temporary.write_bytes(b"half")
        assert temporary.name.startswith(".")
        assert list(tmp_path.glob(LEFTOVERS)) == [temporary]


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


def test_a_source_that_cannot_be_read_is_not_taken_for_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), written_whole(tmp_path / "a.png"):
        raise PermissionError(errno.EACCES, "refused", "/elsewhere/source.png")
