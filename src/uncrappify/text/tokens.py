"""Words out of a text, and a text out of words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

BEGINNING, UNKNOWN, CAPITALISED, CAPITALS, NEW_LINE = "xxbos", "xxunk", "xxmaj", "xxup", "xxnl"
MARKS = (BEGINNING, UNKNOWN, CAPITALISED, CAPITALS, NEW_LINE)
"""What is no word of the text itself, by fast.ai's names; the first stands before each text."""

_TOKEN = re.compile(r"\n\s*|[^\W_]+(?:['\u2019-][^\W_]+)*|[^\w\s]|_+")
_QUOTE = '"'
_CLOSING, _OPENING = frozenset(".,;:!?)]}%…”\u2019»"), frozenset("([{“\u2018«")


def tokenize(text: str) -> list[str]:
    """Split a text into words and signs.

    Words are in lower case: ``xxmaj`` stands before one that began with a capital, ``xxup`` before one that was all
    capitals. Others with capitals in them stay as they are. ``xxnl`` stands for the end of a line, whatever blank lines
    follow.

    Args:
        text: Any.

    Returns:
        Words and marks, without ``xxbos``.
    """
    tokens = []
    for found in _TOKEN.findall(text):
        if found[0] == "\n":
            tokens.append(NEW_LINE)
        elif len(found) > 1 and found.isupper():
            tokens += [CAPITALS, found.lower()]
        elif found[0].isupper() and found[1:] == found[1:].lower():
            tokens += [CAPITALISED, found.lower()]
        else:
            tokens.append(found)
    return tokens


def join(tokens: Iterable[str]) -> str:
    """Write words as a text: what :func:`tokenize` undoes, but for blanks and blank lines.

    Args:
        tokens: Words and marks.
    """
    text, glue, quoted = "", "", False
    change: Callable[[str], str] = str
    for token in tokens:
        if token == NEW_LINE:
            text, glue, quoted = text + "\n", "", False
        elif token in (CAPITALISED, CAPITALS):
            change = str.capitalize if token == CAPITALISED else str.upper
        elif token != BEGINNING:
            closes = token in _CLOSING or (token == _QUOTE and quoted)
            text += ("" if closes else glue) + change(token)
            quoted ^= token == _QUOTE
            glue, change = ("" if token in _OPENING or (token == _QUOTE and quoted) else " "), str
    return text
