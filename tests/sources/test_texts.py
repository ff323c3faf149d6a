"""The user's own texts are read where they are, and what is wrong with one is said with its place."""

import subprocess
from pathlib import Path

import pytest

from uncrappify.errors import UserError
from uncrappify.sources import TextFolderOptions, TextSource, read_texts


def read(path: Path) -> dict[str, str]:
    found = read_texts(TextSource(kind="folder", folder=TextFolderOptions(path=str(path))))
    return dict(zip(found["name"], found["text"], strict=True))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "a/deep").mkdir(parents=True)
    (tmp_path / "a/one.txt").write_text("Eins.\n", encoding="utf-8")
    (tmp_path / "a/deep/TWO.TXT").write_text("\ufeffZwei, größer.", encoding="utf-8")
    (tmp_path / "a/notes.md").write_text("not a text")
    (tmp_path / "a/.hidden.txt").write_text("hidden")
    return tmp_path / "a"


def test_numbers_are_one_text_that_is_written_here() -> None:
    found = read_texts(TextSource())
    assert found["name"].tolist() == ["numbers"]
    assert found["text"][0].startswith("one, two, three, ")
    assert found["text"][0].endswith(", nine thousand nine hundred ninety nine")


def test_text_files_at_any_depth_are_read_without_a_byte_order_mark(texts: Path) -> None:
    assert read(texts) == {"deep/TWO.TXT": "Zwei, größer.", "one.txt": "Eins.\n"}


def test_an_empty_file_and_a_copy_are_left_out_with_a_word(texts: Path, caplog: pytest.LogCaptureFixture) -> None:
    (texts / "empty.txt").write_text(" \n")
    (texts / "zcopy.txt").write_text("Eins.\n")
    assert list(read(texts)) == ["deep/TWO.TXT", "one.txt"]
    assert "empty.txt is empty" in caplog.text
    assert "zcopy.txt has the same text as one.txt" in caplog.text


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"gut\nsch\xf6n\n", r"byte 8 of the file \(line 2, byte 4 of it\) is 0xf6"),
        (b"\xef\xbb\xbfa\xff", r"byte 5 of the file \(line 1, byte 5 of it\) is 0xff"),
    ],
)
def test_a_file_that_is_not_utf_8_is_told_with_the_byte_and_its_place(texts: Path, content: bytes, place: str) -> None:
    (texts / "bad.txt").write_bytes(content)
    with pytest.raises(UserError, match=rf"bad\.txt is not UTF-8: {place}. Save it as UTF-8"):
        read(texts)


def test_a_file_in_utf_16_is_told_so(texts: Path) -> None:
    (texts / "bad.txt").write_text("größer", encoding="utf-16")
    with pytest.raises(UserError, match=r"bad\.txt is not UTF-8 but UTF-16") as told:
        read(texts)
    assert f"iconv -f utf-16 -t utf-8 {texts}/bad.txt.bak > {texts}/bad.txt" in str(told.value)


def test_the_advice_for_another_encoding_can_be_typed_as_it_is(texts: Path) -> None:
    bad = texts / "how bad.txt"
    bad.write_bytes("größer".encode("latin1"))
    with pytest.raises(UserError, match="how bad") as told:
        read(texts)
    subprocess.run(str(told.value).split("such as by: ")[1], shell=True, check=True)
    assert read(texts)["how bad.txt"] == "größer"
    assert (texts / "how bad.txt.bak").read_bytes() == "größer".encode("latin1")


def test_a_folder_without_texts_is_refused_with_what_to_give(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*nowhere\.\nGive a folder with .txt"):
        read(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="is empty"):
        read(tmp_path / "other")
    (tmp_path / "other/a.md").write_text("no")
    with pytest.raises(UserError, match=r"has no .txt files in it, at any depth.\nGive a folder with .txt files"):
        read(tmp_path / "other")
    (tmp_path / "other/a.txt").write_text("")
    with pytest.raises(UserError, match=r"all .txt files of .*other are empty"):
        read(tmp_path / "other")
