"""The words that a model knows, and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cached_property

import numpy as np
import numpy.typing as npt

from uncrappify.errors import UserError
from uncrappify.foreign import in_one_line
from uncrappify.text.tokens import BEGINNING, MARKS, UNKNOWN

NEAREST = 3


class Vocabulary:
    """Words by their numbers.

    Args:
        words: The marks of :mod:`uncrappify.text.tokens` first, each once.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Each word's number."""
        return {word: number for number, word in enumerate(self.words)}

    @classmethod
    def count(cls, tokens: Iterable[str], *, smallest_count: int, largest: int) -> Vocabulary:
        """Take the words of a text, the frequent ones first.

        Args:
            tokens: The text.
            smallest_count: How often a word has to be there.
            largest: How many are taken at most, marks included.
        """
        counted = Counter(tokens)
        # By the alphabet where they are equal, so that the order of the texts does not count.
        frequent = sorted((-count, word) for word, count in counted.items() if count >= smallest_count)
        return cls([*MARKS, *(word for _, word in frequent if word not in MARKS)][:largest])

    def encode(self, tokens: Sequence[str]) -> npt.NDArray[np.int32]:
        """Give the words' numbers; those of unknown words are that of ``xxunk``."""
        unknown = self.numbers[UNKNOWN]
        return np.array([self.numbers.get(token, unknown) for token in tokens], dtype=np.int32)

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Give the words of numbers."""
        return [self.words[number] for number in numbers]

    def check(self, tokens: Iterable[str]) -> None:
        """Check that all words are known.

        Raises:
            UserError: Of the first one that is not, with the nearest that are.
        """
        for token in tokens:
            if token not in self.numbers or token in MARKS:
                known = [word for word in self.words if word not in MARKS]
                near = get_close_matches(token, known, NEAREST, cutoff=0.5)
                advice = f"The nearest words that it knows: {', '.join(near)}." if near else _list_some(known)
                raise UserError(f'"{in_one_line(token)}" is no word that this model has learned. {advice}')


def _list_some(words: Sequence[str], shown: int = 40) -> str:
    return f"It knows {' '.join(words[:shown])}{' ...' if len(words) > shown else ''}."


assert MARKS.index(BEGINNING) == 0, "networks take 0 for the beginning of a text"
