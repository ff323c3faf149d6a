"""The text is the lesson's, word for word as far as its counts tell, and each word has its place."""

import pytest

from uncrappify.text.numbers import find_places, spell, write_numbers
from uncrappify.text.tokens import BEGINNING, tokenize


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "one"),
        (17, "seventeen"),
        (40, "forty"),
        (101, "one hundred one"),
        (999, "nine hundred ninety nine"),
        (1000, "one thousand"),
        (8011, "eight thousand eleven"),
        (7999, "seven thousand nine hundred ninety nine"),
    ],
)
def test_numbers_are_spelled_without_and_hyphens_and_commas(number: int, words: str) -> None:
    assert spell(number) == words


def test_the_texts_have_as_many_words_as_the_lessons() -> None:
    train, valid = (tokenize(write_numbers(*ends)) for ends in ((1, 7999), (8001, 9999)))
    # With the mark of the beginning.
    assert (1 + len(train), 1 + len(valid)) == (50_079, 13_017)
    assert train.count(",") == 7998
    # 29 words and the comma; the mark is the 31st that occurs.
    assert len({BEGINNING, *train, *valid}) == 31


def test_each_word_of_a_number_has_its_place() -> None:
    words = tokenize("nine thousand eight hundred seventy six, eight thousand eleven, six hundred, forty")
    assert find_places(words) == [
        *("thousands", "thousand", "hundreds", "hundred", "tens", "units", "comma"),
        *("thousands", "thousand", "tens", "comma"),
        *("hundreds", "hundred", "comma"),
        "tens",
    ]
