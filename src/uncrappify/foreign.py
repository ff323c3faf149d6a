"""Texts of strangers, from servers and files: as they may be shown in a terminal and in a log."""

from __future__ import annotations

import re
import unicodedata

from uncrappify.addresses import without_password

LONGEST = 200
"""Signs of a foreign text that are shown."""

_SEQUENCE = re.compile(
    # What a terminal takes for a command: colours and cursor, titles and links up to their end, two signs.
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b.?"
)
# Control signs, what turns the direction of writing or cannot be seen, halves of signs, line and paragraph ends.
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def make_harmless(text: str) -> str:
    r"""Leave out of a line what a terminal takes for a command, and what cannot be seen or turns the line around.

    Args:
        text: A line; other line ends and tabs in it become spaces.

    Example:
        >>> make_harmless("  a:\x1b[2J 1 \u202egnp.exe")
        '  a: 1 gnp.exe'
    """
    given = (" " if sign.isspace() else sign for sign in _SEQUENCE.sub("", text))
    return "".join(sign for sign in given if unicodedata.category(sign) not in _UNSEEN)


def in_one_line(text: object, longest: int = LONGEST) -> str:
    r"""Give a foreign text as one line that does nothing but be read.

    Args:
        text: Of a server, a run or a file; without passwords in its URLs afterwards.
        longest: So many signs at most; the rest is an ellipsis.

    Example:
        >>> in_one_line("\x1b]0;title\x07one\ntwo")
        'one two'
    """
    # What is cut away need not be looked at; a little more than what is kept, for what is left out.
    line = " ".join(make_harmless(without_password(str(text)[: 20 * longest + 1000])).split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"
