"""Learning which word follows: windows of a text in order, with a state that goes on, or from anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchmetrics import MeanMetric

from uncrappify.models.language import LanguageNetwork
from uncrappify.text.parts import Words
from uncrappify.training.learner import LEARNING_RATE, LOSS, Learner, Panel
from uncrappify.training.parameters import LanguageStage, LanguageTraining

IGNORED = -100
"""In the place of a word that does not count, for PyTorch's cross entropy."""

ROWS = 64
"""Texts that are watched side by side."""

Batch = tuple[Tensor, Tensor, Tensor]
"""Words (B, T), the words after them, and whether a row begins anew (B,)."""

Text = tuple[Tensor, Tensor]
"""Words of whole texts (B, T), and the words after them, ``IGNORED`` where a text has ended."""


class LanguageLearner(Learner):
    """A network that learns which word follows.

    What it remembers of a text is handed on from batch to batch, detached, and kept in checkpoints; it is empty where
    an epoch begins, and in the beginning of each text of a validation.

    Args:
        network: Reads (B, T) words.
        training: What :class:`~uncrappify.training.learner.Learner` reads.
    """

    panels = (LOSS, Panel("accuracy", {"valid_accuracy": "valid accuracy"}), LEARNING_RATE)
    bar = {"train_loss": "loss", "valid_accuracy": "accuracy"}

    stage: LanguageStage
    state: Tensor

    def __init__(self, network: LanguageNetwork, training: LanguageTraining) -> None:
        super().__init__(network, training)
        self.valid_loss, self.valid_accuracy = MeanMetric(), MeanMetric()

    def begin(self, stage: LanguageStage) -> None:  # type: ignore[override]
        """Prepare for a stage, with nothing remembered."""
        super().begin(stage)
        # A buffer goes where the network goes, and is a part of each checkpoint.
        self.register_buffer("state", self.network.start(stage.batch_size))

    def example(self) -> Tensor:
        """Give a window of marks: (1, T)."""
        return torch.zeros(1, self.stage.bptt, dtype=torch.int64)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Give the loss of a batch."""
        words, following, fresh = batch
        if self.network.carries:
            before = torch.where(_align(fresh, self.state), self.network.start(len(words)), self.state)
            logits, state = self.network(words, before)
            self.state = state.detach().to(self.state.dtype)
        else:
            logits, _state = self.network(words)
        # Of a window out of a text, the first places may have too little before them.
        scored = following[:, -logits.shape[1] :]
        return self.log_loss({"cross_entropy": F.cross_entropy(logits.float().flatten(0, 1), scored.flatten())})

    def validation_step(self, batch: Text, _: int) -> None:
        """Measure loss and accuracy of whole texts."""
        words, following = batch
        place = 0
        for logits in self.network.read(words):
            right = following[:, place : place + logits.shape[1]]
            place += logits.shape[1]
            if (scored := right != IGNORED).any():
                self.valid_loss.update(F.cross_entropy(logits[scored], right[scored], reduction="none"))
                self.valid_accuracy.update((logits.argmax(2) == right)[scored].float())

    def on_validation_epoch_end(self) -> None:
        """Log the means over all words."""
        self.log_dict({"valid_loss": self.valid_loss.compute(), "valid_accuracy": self.valid_accuracy.compute()})
        self.valid_loss.reset()
        self.valid_accuracy.reset()


class LanguageData:
    """Texts, as numbers of words.

    Args:
        train: Texts to learn from, which are read as one.
        valid: Texts to watch.
        fingerprint: Of the content of all of them.
    """

    def __init__(self, train: Sequence[Words], valid: Sequence[Words], fingerprint: str = "") -> None:
        self.train = torch.from_numpy(np.concatenate(list(train)).astype(np.int64))
        self.valid = valid
        self.fingerprint = fingerprint

    def __len__(self) -> int:
        """Count the words to learn from."""
        return len(self.train)

    def batches(self, stage: LanguageStage, seed: int) -> TextBatches:
        """Give the batches of a stage."""
        return TextBatches(self.train, stage, seed)

    def validation(self) -> DataLoader[Text]:
        """Give the texts to watch, some of about the same length side by side."""
        texts = sorted(self.valid, key=len)
        rows = [pad(texts[place : place + ROWS]) for place in range(0, len(texts), ROWS)]
        return DataLoader(rows, batch_size=None)  # type: ignore[arg-type]

    def draw(self, batch: Batch) -> Image.Image | None:
        """There is no picture of words."""
        return None


class TextBatches:
    """Windows of a text.

    In the order of the text, row b of B begins b / B of the way into it, and each batch has the next words of each row;
    at the end of an epoch the last window goes on at the text's beginning (fastai's ``LanguageModelPreLoader``). The
    batch of a step depends on the seed and the step alone.

    Args:
        words: Of the text, (N,), int64.
        stage: Its ``batch_size``, ``bptt`` and ``order`` count.
        seed: Of the draws, where the order is random.
    """

    workers = 0

    def __init__(self, words: Tensor, stage: LanguageStage, seed: int) -> None:
        self.words, self.stage, self.seed = words, stage, seed
        rows = torch.arange(stage.batch_size, dtype=torch.float64)
        self.starts = (rows * len(words) / stage.batch_size).long()

    def __getitem__(self, step: int) -> Batch:
        """Give the batch of a step."""
        length = self.stage.bptt
        random = np.random.default_rng([self.seed, step])
        if self.stage.order == "random":
            first = torch.from_numpy(random.integers(len(self.words) - length, size=self.stage.batch_size))
            fresh = torch.ones(len(first), dtype=torch.bool)
        else:
            within = step % self.stage.count_batches(len(self.words))
            first = self.starts + within * length
            fresh = torch.full((len(first),), within == 0)
        places = (first[:, None] + torch.arange(length + 1)) % len(self.words)
        windows = swap_words(self.words[places], self.stage.swaps, random)
        return windows[:, :-1], windows[:, 1:], fresh


def swap_words(windows: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """Let two words change places, wherever they stand in a window, in some windows.

    What such a window repeats it still repeats, of words that no text has there; so copying does not come to depend on
    which word it is (Akyurek and Andreas 2023, "LexSym: Compositionality as Lexical Symmetry", who find the words that
    may be swapped; here it may be any).

    Args:
        windows: (B, T), int64.
        share: Of the windows.
        random: Draws them, one word out of each window, and one out of all.
    """
    if not share:
        return windows
    rows, length = windows.shape
    chosen = torch.from_numpy(random.random((rows, 1)) < share)
    one = windows.gather(1, torch.from_numpy(random.integers(length, size=(rows, 1))))
    other = windows.flatten()[torch.from_numpy(random.integers(windows.numel(), size=(rows, 1)))]
    swapped = torch.where(windows == one, other, torch.where(windows == other, one, windows))
    return torch.where(chosen, swapped, windows)


def pad(texts: Sequence[Words]) -> Text:
    """Put texts side by side, each from its first word to the one before its last, over what follows.

    Args:
        texts: Numbers of words, each of at least two.

    Returns:
        Words (B, T) and the words after them, int64; where a text has ended, the mark and ``IGNORED``.
    """
    longest = max(map(len, texts))
    words = torch.zeros(len(texts), longest - 1, dtype=torch.int64)
    following = torch.full_like(words, IGNORED)
    for row, text in enumerate(texts):
        numbers = torch.from_numpy(text.astype(np.int64))
        words[row, : len(text) - 1], following[row, : len(text) - 1] = numbers[:-1], numbers[1:]
    return words, following


def _align(fresh: Tensor, state: Tensor) -> Tensor:
    """Give the rows' flags the shape of a state, whose rows are in the dimension before the last."""
    return fresh.view(*(1 for _ in range(state.dim() - 2)), -1, 1)
