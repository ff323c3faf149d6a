"""A trained model that says which word follows, and goes on writing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from uncrappify.datasets.description import LanguageDescription
from uncrappify.errors import UserError
from uncrappify.inference.predictor import Predictor
from uncrappify.models.language import READ_AT_ONCE
from uncrappify.text.numbers import COMMA
from uncrappify.text.tokens import BEGINNING, UNKNOWN, join, tokenize
from uncrappify.text.vocabulary import Vocabulary

WORDS = 30
COLDEST = 0.01
LONGEST_NUMBER = 20
"""Words, and far more than any has: a model that writes no commas comes to an end."""


class Writer(Predictor[LanguageDescription]):
    """From a text to how it goes on.

    Args:
        network: A :class:`~uncrappify.models.language.LanguageNetwork`.
        description: What is known about the model; its ``vocabulary`` counts.
    """

    kind = "language"
    purpose = "go on writing texts"
    input_shape = (-1,)
    input_type = "str"
    instead = "Use uncrappify count, or uncrappify continue."
    output_shape = (-1,)
    output_type = "str"

    network: Any

    def __init__(self, network: nn.Module, description: LanguageDescription) -> None:
        super().__init__(network, description)
        self.vocabulary = Vocabulary(description.vocabulary)
        # What stands for something else is not written.
        self._never = torch.tensor([self.vocabulary.numbers[mark] for mark in (BEGINNING, UNKNOWN)])

    def __repr__(self) -> str:
        return f"Writer({self.description.model}, {len(self.vocabulary)} words)"

    def __call__(self, text: str) -> str:
        """Say how a text goes on, by the most probable word each time; see :meth:`write`."""
        return self.write(text)

    def predict(self, text: str) -> dict[str, float]:
        """Say which word follows.

        Args:
            text: Empty for the beginning of one.

        Returns:
            Each word and its probability, the most probable first.
        """
        logits, _ = self._read(self._encode(text), self.network.start(1))
        probabilities = logits.softmax(0)
        order = probabilities.argsort(descending=True, stable=True).tolist()
        return {self.vocabulary.words[number]: float(probabilities[number]) for number in order}

    def write(self, text: str, words: int = WORDS, temperature: float = 0.0, seed: int = 42) -> str:
        """Go on writing.

        Args:
            text: To go on from; see :meth:`find_unknown`.
            words: How many to write.
            temperature: Below 0.01, the most probable word is taken each time; 1 draws words as they are probable, less
                draws the probable ones more often.
            seed: Of the draws.

        Returns:
            The text and what follows, with blanks where they usually are.
        """
        generator = torch.Generator().manual_seed(seed)
        numbers: list[int] = []
        logits, state = self._read(self._encode(text), self.network.start(1))
        while len(numbers) < words:
            if temperature >= COLDEST:
                probabilities = (logits / temperature).softmax(0)
                numbers.append(int(torch.multinomial(probabilities, 1, generator=generator)))
            else:
                numbers.append(int(logits.argmax()))
            logits, state = self._read(numbers[-1:], state)
        return join([*tokenize(text), *self.vocabulary.decode(numbers)])

    def find_unknown(self, text: str) -> list[str]:
        """Find the words of a text that the model has not learned, each once: it reads them all as the same."""
        return [word for word in dict.fromkeys(tokenize(text)) if word not in self.vocabulary.numbers]

    def count(self, text: str, numbers: int) -> list[str]:
        """Go on counting.

        Args:
            text: Numbers in words, with commas between; it may stop within a number.
            numbers: How many to write.

        Returns:
            In words; the first begins where the text stops. Fewer where the model writes no commas.

        Raises:
            UserError: If the model has learned another text, or the text has no number, or an unknown word.
        """
        if self.description.text != "numbers":
            raise UserError(
                "this model has learned a text of yours, and does not count. Let it go on writing: uncrappify continue "
                '"...". Training without text= gives one that counts.'
            )
        # As numbers are written here: in lower case, on one line, without hyphens.
        text = " ".join(text.lower().replace("-", " ").split())
        if not set(tokenize(text)) - {COMMA}:
            raise UserError(
                "there is no number to go on from. Give one or more, such as: "
                'uncrappify count "seven thousand nine hundred ninety eight ,"'
            )
        self.vocabulary.check(tokenize(text))
        comma, counted, current = self.vocabulary.numbers[COMMA], list[str](), list[int]()
        logits, state = self._read(self._encode(text), self.network.start(1))
        for _ in range(numbers * LONGEST_NUMBER):
            number = int(logits.argmax())
            if number != comma:
                current.append(number)
            elif current:
                # The comma after a number that the text has ended with is none of those that are counted.
                counted.append(" ".join(self.vocabulary.decode(current)))
                current = []
            if len(counted) == numbers:
                break
            logits, state = self._read([number], state)
        return counted

    def _encode(self, text: str) -> list[int]:
        numbers: list[int] = self.vocabulary.encode([BEGINNING, *tokenize(text)]).tolist()
        return numbers

    @torch.inference_mode()
    def _read(self, numbers: list[int], state: Tensor) -> tuple[Tensor, Tensor]:
        """Read words.

        Returns:
            Logits (words,) of the next one, float32, on the CPU; what is remembered.
        """
        for place in range(0, len(numbers), READ_AT_ONCE):
            words = torch.tensor([numbers[place : place + READ_AT_ONCE]], device=state.device)
            logits, state = self.network(words, state)
        found = logits[0, -1].float().cpu()
        if not found.isfinite().all():
            raise UserError("the network's output holds values that are not numbers: its weights are damaged.")
        found[self._never] = -torch.inf
        return found, state
