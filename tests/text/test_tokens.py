"""A text becomes words and marks, and words become a text."""

import pytest

from uncrappify.errors import UserError
from uncrappify.text.tokens import join, tokenize
from uncrappify.text.vocabulary import Vocabulary

TEXT = 'He said: "I don\'t know, NATO (or McDonald)..."\n\n  A well-known 2nd line; end_of it!'


def test_capitals_and_line_ends_become_marks_and_other_words_stay() -> None:
    assert tokenize(TEXT) == [
        *("xxmaj", "he", "said", ":", '"', "xxmaj", "i", "don't", "know", ",", "xxup", "nato", "(", "or"),
        *("McDonald", ")", ".", ".", ".", '"', "xxnl", "xxmaj", "a", "well-known", "2nd", "line", ";"),
        *("end", "_", "of", "it", "!"),
    ]


def test_words_are_joined_as_they_are_written() -> None:
    assert join(tokenize(TEXT)) == TEXT.replace("\n\n  ", "\n").replace("end_of", "end _ of")


def test_joining_and_splitting_again_gives_the_same_words() -> None:
    assert tokenize(join(tokenize(TEXT))) == tokenize(TEXT)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("cafe\u0301 caf\u00e9", ["caf\u00e9", "caf\u00e9"]),
        ("我喜欢 x2", ["我", "喜", "欢", "x2"]),
        ("a👩🏽‍💻b", ["a", "👩🏽‍💻", "b"]),
        ("one\r\n\r\ntwo\rthree", ["one", "xxnl", "two", "xxnl", "three"]),
        ("xxbos XXUNK xxmaj", ["xxunk"] * 3),
        ("x" * 70, ["x" * 50, "x" * 20]),
    ],
)
def test_words_of_other_scripts_stay_whole_and_what_looks_like_a_mark_is_unknown(text: str, tokens: list[str]) -> None:
    assert tokenize(text) == tokens


@pytest.mark.parametrize("text", ["", " \t ", "\n"])
def test_a_text_without_words_has_none(text: str) -> None:
    assert [token for token in tokenize(text) if token != "xxnl"] == []


def test_a_vocabulary_has_the_frequent_words_and_reads_the_others_as_unknown() -> None:
    known = Vocabulary.count(["b", "b", "a", "a", "c", "xxbos"], smallest_count=2, largest=6)
    assert known.words == ["xxbos", "xxunk", "xxmaj", "xxup", "xxnl", "a"]
    assert known.encode(["a", "b", "xxbos"]).tolist() == [5, 1, 0]
    assert known.decode([5, 0]) == ["a", "xxbos"]


def test_an_unknown_word_is_told_with_the_nearest_that_are_known() -> None:
    known = Vocabulary.count(["seven", "seventy", "eleven", "two"] * 2, smallest_count=1, largest=100)
    known.check(["seven", "two"])
    with pytest.raises(UserError, match=r'"sevn" is no word .* learned. The nearest .*: seven'):
        known.check(["two", "sevn"])
    with pytest.raises(UserError, match='"xxbos" is no word'):
        known.check(["two", "xxbos"])
    with pytest.raises(UserError, match=r'"Wort" .* It knows eleven seven seventy two\.'):
        known.check(["Wort"])
