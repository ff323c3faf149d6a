"""What is measured of language models has the right values, and counting ahead is what a model does on its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from uncrappify.datasets import LanguageDescription, TrainedModel
from uncrappify.evaluation.language import LanguageScores, choose_starts, count_runs, draw_ladder, score
from uncrappify.inference.writer import Writer
from uncrappify.models import build
from uncrappify.models.language import LanguageNetwork
from uncrappify.text.numbers import PLACES, spell, write_numbers
from uncrappify.text.tokens import BEGINNING, tokenize
from uncrappify.text.vocabulary import Vocabulary

pytestmark = pytest.mark.usefixtures("one_thread")
WORDS = ["seven", ",", "eight", "hundred", ",", "eight", "hundred", "ten"]
RIGHT = [False, True, True, False, True, True, True, True]
KNOWN = Vocabulary.count([BEGINNING, *tokenize(write_numbers())], smallest_count=1, largest=100)


def make_scores(text: str = "numbers", right: list[bool] = RIGHT, runs: list[int] | None = None) -> LanguageScores:
    description = LanguageDescription(
        model="gru",
        options={},
        vocabulary=KNOWN.words,
        text=text,
        metrics={"valid_accuracy": 0.7, "train_seconds": 3.0},
    )
    losses = np.log([4.0, 1, 1, 4, 1, 1, 1, 1])
    first = np.arange(len(WORDS)) == 0
    return LanguageScores(WORDS, first, np.array(right), losses, runs or [3, 8], parameters=7, description=description)


def test_accuracy_perplexity_whole_numbers_and_places_of_eight_words() -> None:
    scores = make_scores()
    assert scores.accuracy == 0.75
    # The mean of the losses is log 16 / 8.
    assert scores.perplexity == pytest.approx(16 ** (1 / 8))
    # Seven is wrong, and of eight hundred a word; the last number, without a comma after it, is right.
    assert scores.numbers_right == pytest.approx(1 / 3)
    assert scores.free_run_length == 5.5
    assert scores.accuracy_by_place == pytest.approx(
        {"hundreds": 1.0, "hundred": 0.5, "tens": 1.0, "units": 0.0, "comma": 1.0}
    )
    assert scores.metrics["accuracy_hundred"] == 0.5
    assert list(scores.row) == ["parameters", "accuracy", "perplexity", "numbers_right", "free_run_length", "seconds"]


def test_where_a_text_begins_a_number_does() -> None:
    # Seven without a comma, then eight hundred, of which hundred is wrong.
    words, right = ["seven", "eight", "hundred", ","], np.array([True, True, False, True])
    scores = replace(make_scores(), words=words, right=right, first=np.array([True, True, False, False]))
    assert scores.numbers_right == 0.5


def test_of_a_text_that_does_not_count_nothing_is_said_of_numbers() -> None:
    scores = make_scores("folder")
    assert set(scores.metrics) == {"accuracy", "perplexity", "unknown_words", "parameters"}
    assert list(scores.row) == ["parameters", "accuracy", "perplexity", "seconds"]
    assert len(draw_ladder({"a": scores}).data) == 1


def test_the_ladder_shows_words_whole_numbers_and_each_place() -> None:
    figure = draw_ladder({"model0": make_scores(), "model1": make_scores(right=[True] * 8)})
    words, whole, places = figure.data
    assert (words.y, whole.y) == ((75, 100), pytest.approx((100 / 3, 100)))
    assert [row[1] for row in places.z][2:] == [100] * 5
    assert tuple(places.y) == PLACES


class Counter(LanguageNetwork):
    """Knows the numbers in words by heart, and takes each number from ``wrong`` on for another one."""

    def __init__(self, wrong: int) -> None:
        super().__init__(len(KNOWN))
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.following: dict[tuple[int, ...], int] = {}
        for number in range(1, 1400):
            text = KNOWN.encode([BEGINNING, *tokenize(f"{spell(number)}, {spell(number + 1)},")]).tolist()[1:]
            if number + 1 >= wrong:
                text[-2] = KNOWN.numbers["eight"] if text[-2] != KNOWN.numbers["eight"] else KNOWN.numbers["two"]
            first = text.index(KNOWN.numbers[","]) + 1
            for place in range(first, len(text)):
                self.following[tuple(text[:place])] = text[place]

    def start(self, rows: int) -> torch.Tensor:
        return torch.zeros(rows, 0, dtype=torch.int64)

    def forward(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        known = x if state is None else torch.cat([state, x], dim=1)
        logits, comma = torch.zeros(*x.shape, self.words), KNOWN.numbers[","]
        for row, text in enumerate(known.tolist()):
            for place in range(x.shape[1]):
                read = text[: len(text) - x.shape[1] + place + 1]
                commas = [1, *(number + 1 for number, word in enumerate(read) if word == comma)]
                beginning = commas[-2] if len(commas) > 1 else 1
                logits[row, place, self.following.get(tuple(read[beginning:]), 1)] = 1
        return logits, known


@pytest.mark.parametrize(("wrong", "expected"), [(1013, [2, 0]), (1010, [0, 0]), (1400, [5, 5])])
def test_a_run_ends_with_the_first_number_that_is_wrong_when_the_model_goes_on_by_itself(
    wrong: int, expected: list[int]
) -> None:
    description = LanguageDescription(model="gru", options={}, vocabulary=KNOWN.words, text="numbers")
    writer = Writer(Counter(wrong), description)
    starts = [1009, 1011] if wrong != 1400 else [1009, 1300]
    assert count_runs(writer, starts, numbers=5) == expected
    for start, run in zip(starts, expected, strict=True):
        counted = writer.count(f"{spell(start)}, {spell(start + 1)},", 5)
        right = [spell(start + 2 + number) for number in range(5)]
        agree = [one == other for one, other in zip(counted, right, strict=True)]
        assert (agree.index(False) if False in agree else 5) == run


def test_a_test_text_is_read_from_its_beginning_to_its_end() -> None:
    torch.manual_seed(0)
    description = LanguageDescription(model="gru", options={"width": 8}, vocabulary=KNOWN.words, text="numbers")
    network: Any = build("language", "gru", description.to_build).eval()
    texts = [KNOWN.encode([BEGINNING, *tokenize(write_numbers(first, first + 30))]) for first in (1, 8001)]
    scores = score(TrainedModel(network.state_dict(), description), texts, [])
    assert len(scores.right) == sum(len(text) - 1 for text in texts) == len(scores.words)
    assert scores.words[:3] == ["one", ",", "two"]
    with torch.inference_mode():
        (logits,) = next(network.read(torch.from_numpy(texts[1][None, :-1].astype(np.int64))))
    following = torch.from_numpy(texts[1][1:].astype(np.int64))
    expected = torch.nn.functional.cross_entropy(logits, following, reduction="none")
    assert scores.losses[len(texts[0]) - 1 :] == pytest.approx(expected.numpy(), rel=1e-5)
    assert scores.right[len(texts[0]) - 1 :].tolist() == (logits.argmax(1) == following).tolist()


def test_starts_are_spread_evenly_and_leave_room_for_a_thousand_numbers() -> None:
    starts = choose_starts(range(8001, 10_000))
    assert (len(starts), starts[0], starts[-1]) == (20, 8001, 8998)
    assert max(np.diff(starts)) - min(np.diff(starts)) <= 1
    assert choose_starts([9500, 9501]) == [9500]
