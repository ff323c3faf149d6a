"""How progress and times are told, everywhere alike."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import rich
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")


def bar() -> Progress:
    """Give a bar that vanishes when it is done; nothing is shown where the output is not a terminal.

    It shares rich's console with the log, whose lines then appear above it.
    """
    console = rich.get_console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Hand on ``items`` while a bar shows how many are done and how long the rest takes.

    Args:
        items: What is worked through, lazily.
        description: What is done, two or three words.
        total: How many items there are.

    Yields:
        The items, in order.
    """
    with bar() as progress:
        yield from progress.track(items, total=total, description=description)


def duration(seconds: float) -> str:
    """Write a time as a person says it: ``3 min 20 s``; what is less than a second is one.

    Example:
        >>> duration(3600.4)
        '1 h'
    """
    minutes, seconds = divmod(max(1, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{value} {unit}" for value, unit in parts if value)
