"""Progress and times, as a person sees them."""

from collections.abc import Iterator
from io import StringIO

import pytest
import rich
from rich.console import Console

from uncrappify.progress import format_duration, track


def test_items_are_handed_on_one_by_one_and_nothing_is_shown_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    tracked = track(items(), "Counting", 3)
    assert next(tracked) == 0
    assert taken == [0]
    assert list(tracked) == [1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_what_is_done_and_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Console(file=StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr(rich, "get_console", lambda: terminal)
    assert list(track(range(3), "Counting", 3)) == [0, 1, 2]
    shown = terminal.file.getvalue()
    assert "Counting" in shown
    assert "3/3" in shown


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "1 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3600.4, "1 h"), (3661, "1 h 1 min 1 s")]
)
def test_a_time_is_told_as_a_person_says_it(seconds: float, told: str) -> None:
    assert format_duration(seconds) == told
