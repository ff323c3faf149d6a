"""Progress bars and durations, in one form everywhere."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import rich
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")


class SpeedColumn(ProgressColumn):
    """How many are done a second."""

    def render(self, task: Task) -> Text:
        """Show the speed once it is known."""
        return Text(f"{task.speed:.3g}/s" if task.speed else "")


def make_bar(*, speed: bool = False) -> Progress:
    """Make a progress bar that disappears when it is done, and is not shown if the output is not a terminal.

    It shares rich's console with the log, so that log lines appear above it.

    Args:
        speed: Whether it shows how many are done a second.
    """
    console = rich.get_console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        *([SpeedColumn()] if speed else []),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yield ``items`` while a bar shows how many are done and the remaining time.

    Args:
        items: The items, which may be lazy.
        description: Text before the bar, two or three words.
        total: Number of items.

    Yields:
        The items, in order.
    """
    with make_bar() as progress:
        yield from progress.track(items, total=total, description=description)


def format_duration(seconds: float) -> str:
    """Write a duration as hours, minutes and seconds, at least 1 s: ``3 min 20 s``.

    Args:
        seconds: Duration in seconds; rounded.

    Example:
        >>> format_duration(3600.4)
        '1 h'
    """
    minutes, seconds = divmod(max(1, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{value} {unit}" for value, unit in parts if value)
