"""State files: read by their type, recovered or told in one sentence."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from uncrappify.errors import UserError
from uncrappify.state import BrokenStateError, read_lines, read_state, recover_state, write_state


class Note(BaseModel):
    run_id: str
    steps: dict[str, int] = {}


BROKEN = {
    "empty": b"",
    "cut": b'{"run_id": "a1',
    "garbage": b"\x00\xff\x12 not a note",
    "not UTF-8": '{"run_id": "Größe"}'.encode("latin-1"),
    "another type": b"[1, 2, 3]",
    "a value of another type": b'{"run_id": 7}',
    "nothing that is needed": b"{}",
    "too deep": b"[" * 100_000,
    "half of a sign": b'{"run_id": "\\ud800"}',
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    note = Note(run_id="ä1", steps={"train": 3})
    write_state(tmp_path / "new" / "note.json", note)
    assert read_state(tmp_path / "new" / "note.json", Note, "") == note
    write_state(tmp_path / "sizes.json", {"a": [1, 2]})
    assert read_state(tmp_path / "sizes.json", dict[str, list[int]], "") == {"a": [1, 2]}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_note_is_one_sentence_with_its_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "note.json"
    file.write_bytes(content)
    with pytest.raises(BrokenStateError) as told:
        read_state(file, Note, "Remove it.")
    assert isinstance(told.value, UserError)
    assert str(told.value).startswith(str(file))
    assert str(told.value).endswith(". Remove it.")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_note_is_recovered_with_a_line_of_log(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "note.json"
    file.write_bytes(content)
    assert recover_state(file, Note, lambda: Note(run_id="new"), "a new run begins").run_id == "new"
    assert caplog.messages[0].endswith(": a new run begins")
    assert len(caplog.messages) == 1


def test_a_missing_note_is_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert recover_state(tmp_path / "note.json", Note, lambda: Note(run_id="new"), "").run_id == "new"
    assert not caplog.messages
    with pytest.raises(BrokenStateError, match="no such file"):
        read_state(tmp_path / "note.json", Note, "")


def test_a_journal_is_read_up_to_its_first_broken_line(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    assert read_lines(file, Note) == []
    file.write_bytes(b'{"run_id": "a"}\n{"run_id": "b"}\n{"run_id": 7}\n{"run_id": "d"}\n')
    assert [note.run_id for note in read_lines(file, Note)] == ["a", "b"]
    file.write_bytes(b'{"run_id": "a"}\n{"run_id": "\xff')
    assert [note.run_id for note in read_lines(file, Note)] == ["a"]
