"""Numbers in English words, as fast.ai's lesson 7 writes them, and the places of the words in a number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

LARGEST = 9999
COMMA, HUNDRED, THOUSAND = ",", "hundred", "thousand"
PLACES = ("thousands", "thousand", "hundreds", "hundred", "tens", "units", "comma")
"""Of a word in ``nine thousand eight hundred seventy six ,``; eleven and nineteen are tens without units."""

_UNITS = frozenset(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))


@cache
def spell(number: int) -> str:
    """Write a number in words: ``seven thousand nine hundred ninety eight``.

    Args:
        number: 1 to 9,999.

    Returns:
        Lower case, without "and", hyphens and commas.
    """
    # Here: whoever only loads weights needs no library for it.
    from num2words import num2words

    written: str = num2words(number)
    return " ".join(word for word in written.replace("-", " ").replace(",", " ").split() if word != "and")


def write_numbers(first: int = 1, last: int = LARGEST) -> str:
    """Write all numbers from one to another, separated by commas."""
    return f"{COMMA} ".join(spell(number) for number in range(first, last + 1))


def find_places(words: Sequence[str]) -> list[str]:
    """Find the place of each word in its number.

    Args:
        words: Of a text of numbers.

    Returns:
        One of ``PLACES`` for each; what is no word of a number counts with the commas.
    """
    before_large = {THOUSAND: "thousands", HUNDRED: "hundreds"}
    places = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in (THOUSAND, HUNDRED):
            places.append(word)
        elif word in _UNITS:
            places.append(before_large.get(following, "units"))
        else:
            places.append("tens" if word.isalpha() else "comma")
    return places
