"""What is learned from, watched and tested on are different numbers, and no part tears one apart."""

import numpy as np
import pytest

from uncrappify.errors import UserError
from uncrappify.text.numbers import spell, write_numbers
from uncrappify.text.parts import check_length, cut_rows, find_numbers, split_numbers, split_text, take_part
from uncrappify.text.tokens import BEGINNING, tokenize
from uncrappify.text.vocabulary import Vocabulary

NAMES = ["train", "valid", "test"]


@pytest.fixture(scope="module")
def text() -> tuple[np.ndarray, Vocabulary, int]:
    words = [BEGINNING, *tokenize(write_numbers())]
    known = Vocabulary.count(words, smallest_count=1, largest=100)
    return known.encode(words), known, known.numbers[","]


def test_the_lessons_split_without_watched_blocks_is_the_lessons_two_files(text) -> None:
    tokens, known, comma = text
    split = split_numbers(tokens, comma, "lesson", valid=0, test=20, seed=1)
    assert split["split"].tolist() == ["train", "test"]
    (train,), (test,) = (take_part(tokens, split, part) for part in ("train", "test"))
    for part, ends in ((train, (1, 7999)), (test, (8001, 9999))):
        assert known.decode(part) == [BEGINNING, *tokenize(write_numbers(*ends))]
    assert (len(train), len(test)) == (50_079, 13_017)


@pytest.mark.parametrize(
    ("kind", "counts"), [("lesson", [7199, 800, 1999]), ("blocks", [7199, 800, 2000]), ("blocks", [7200, 799, 2000])]
)
def test_blocks_are_whole_numbers_of_which_each_has_one_part(text, kind: str, counts: list[int]) -> None:
    tokens, known, comma = text
    for seed in range(3):
        split = split_numbers(tokens, comma, kind, valid=8, test=20, seed=seed)
        numbers = {part: find_numbers(tokens, comma, split, part) for part in NAMES}
        found = [len(numbers[part]) for part in NAMES]
        # The last block, to 7,999 or to 9,999, has a number less than the others.
        assert all(abs(one - other) <= 1 for one, other in zip(found, counts, strict=True)), found
        assert len(set().union(*numbers.values())) == sum(found)
        assert set(range(1, 101)) <= set(numbers["train"])
        for part in NAMES:
            written = [" ".join(known.decode(one)) for one in take_part(tokens, split, part)]
            spelled = [number for one in written for number in one.removeprefix(f"{BEGINNING} ").split(" , ")]
            assert spelled == [spell(number) for number in numbers[part]]


def test_another_seed_chooses_other_blocks_and_the_same_seed_the_same(text) -> None:
    tokens, _, comma = text
    one, same, other = (split_numbers(tokens, comma, "blocks", valid=8, test=20, seed=seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


def test_the_text_of_several_files_is_split_into_parts_that_end_with_their_files() -> None:
    tokens = np.tile(np.array([0, *range(2, 27)], dtype=np.int32), 40)
    split = split_text(tokens, valid=8, test=20, seed=0)
    covered = np.concatenate([np.arange(start, end) for start, end in zip(split["start"], split["end"], strict=True)])
    assert sorted(covered.tolist()) == list(range(len(tokens)))
    shares = {part: sum(map(len, take_part(tokens, split, part))) / len(tokens) for part in NAMES}
    assert shares == pytest.approx({"train": 0.72, "valid": 0.08, "test": 0.2}, abs=0.03)
    for part in NAMES:
        for run in take_part(tokens, split, part):
            assert (run == 0).nonzero()[0].tolist() == [0]


def test_rows_cover_a_text_and_share_a_word_with_the_next() -> None:
    text = np.arange(1, 104, dtype=np.int32)
    rows = cut_rows(text, 4)
    assert [len(row) for row in rows] == [26, 27, 27, 26]
    assert [row[0] for row in rows[1:]] == [row[-1] for row in rows[:-1]]
    # Each word but the first is predicted once.
    assert np.concatenate([row[1:] for row in rows]).tolist() == text[1:].tolist()


def test_a_text_that_is_shorter_than_a_batch_is_refused_with_both_lengths() -> None:
    check_length(1281, 64, 20, "model5.training.stages.0")
    with pytest.raises(
        UserError, match=r"model5.training.stages.0: there are 1,280 words .* 64 x 20 \(batch_size x bptt"
    ):
        check_length(1280, 64, 20, "model5.training.stages.0")
