"""Words out of a text, and a text out of words."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache

BEGINNING, UNKNOWN, CAPITALISED, CAPITALS, NEW_LINE = "xxbos", "xxunk", "xxmaj", "xxup", "xxnl"
MARKS = (BEGINNING, UNKNOWN, CAPITALISED, CAPITALS, NEW_LINE)
"""What is no word of the text itself, by fast.ai's names; the first stands before each text."""

LONGEST = 50
"""Signs of a word; of a longer one the rest is a word of its own."""

JOINERS = "\u200c\u200d"
"""Of letters that are written in one another, and of signs that are one picture together."""

WITHOUT_BLANKS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Chinese and Japanese, in which each sign is a word here."""

_LINE_ENDS = "\n\r\u2028\u2029"
_QUOTE = '"'
_CLOSING, _OPENING = frozenset(".,;:!?)]}%…”\u2019»"), frozenset("([{“\u2018«")


def tokenize(text: str) -> list[str]:
    """Split a text into words and signs.

    Words are in lower case: ``xxmaj`` stands before one that began with a capital, ``xxup`` before one that was all
    capitals. Others with capitals in them stay as they are. ``xxnl`` stands for the end of a line, whatever blank lines
    follow. Signs are composed (Unicode's form C). What looks like a mark is a word that is not known.

    Args:
        text: Any.

    Returns:
        Words and marks, without ``xxbos``.
    """
    tokens = []
    for found in _pattern().findall(unicodedata.normalize("NFC", text)):
        lower = found.lower()
        if found[0] in _LINE_ENDS:
            tokens.append(NEW_LINE)
        elif lower in MARKS:
            tokens.append(UNKNOWN)
        elif len(found) > 1 and found.isupper():
            tokens += [CAPITALS, lower]
        elif found[0].isupper() and found[1:] == found[1:].lower():
            tokens += [CAPITALISED, lower]
        else:
            tokens.append(found)
    return tokens


@cache
def _pattern() -> re.Pattern[str]:
    """Make the pattern of a token: the end of lines, a word with its accents, or a sign."""
    marks = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M")
    joined = "".join(map(re.escape, marks)) + JOINERS
    letter = rf"(?:(?![{WITHOUT_BLANKS}])[^\W_])[{joined}]*"
    word = rf"(?:{letter}){{1,{LONGEST}}}(?:['\u2019-](?:{letter}){{1,{LONGEST}}})*"
    # A sign may be followed by what changes it: accents, colours of skin, and after a joiner another sign.
    sign = rf"[^\s](?:[{joined}\U0001f3fb-\U0001f3ff]|(?<=\u200d)[^\w\s])*"
    return re.compile(rf"[{_LINE_ENDS}]\s*|{word}|_+|{sign}")


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
