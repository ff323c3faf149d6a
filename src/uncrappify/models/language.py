"""Networks that say which word follows: fast.ai's lesson 7 ladder, each rung one idea above the last, and two more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.func import functional_call

from uncrappify.models.parameters import SEEN

READ_AT_ONCE = 512
"""Words; attention over more takes memory with their square."""

FAR = -1e9
"""In the place of a weight of attention that is none; an infinite one would make a word that sees nothing no number."""


class LanguageNetwork(nn.Module, ABC):
    """Says of each word of a text which word follows.

    Args:
        words: How many are known; 0 is the mark that stands before a text.

    Attributes:
        carries: Whether a training hands what is remembered from one batch to the next.
    """

    carries: ClassVar[bool] = False

    def __init__(self, words: int) -> None:
        super().__init__()
        self.words = words

    @abstractmethod
    def start(self, rows: int) -> Tensor:
        """Give what the network remembers before it has read anything.

        Args:
            rows: Texts side by side.
        """

    @abstractmethod
    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read words.

        Args:
            x: (B, T), int64.
            state: What is remembered of the words before; None: ``x`` is a part out of a text, and words that have too
                little before them are not predicted from.

        Returns:
            Logits (B, T, words) of the word after each; without a state, perhaps of the last places alone. What is
            remembered then.
        """

    def read(self, x: Tensor) -> Iterator[Tensor]:
        """Read whole texts from their beginning, part by part.

        Args:
            x: (B, T), int64.

        Yields:
            Logits (B, t, words), float32, of the word after each of the next t words.
        """
        state = self.start(len(x))
        for part in torch.split(x, READ_AT_ONCE, dim=1):
            logits, state = self(part, state)
            yield logits.float()


class _OneLayer(LanguageNetwork):
    """An embedding, a hidden layer to which it is added, a norm, and the output."""

    def __init__(self, *, words: int, width: int = 64) -> None:
        super().__init__(words)
        self.width = width
        self.embed = nn.Embedding(words, width)
        self.hidden = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width)
        self.output = nn.Linear(width, words)

    def zeros(self, rows: int) -> Tensor:
        """Give an empty hidden state: (rows, width)."""
        weight = self.output.weight
        return torch.zeros(rows, self.width, device=weight.device, dtype=weight.dtype)


class _ThreeWords(_OneLayer):
    """Predicts from the three last words alone: a hidden layer to which one word after the other is added."""

    def start(self, rows: int) -> Tensor:
        """Give two marks of a beginning: (rows, 2)."""
        return torch.zeros(rows, SEEN - 1, dtype=torch.int64, device=self.output.weight.device)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Predict from each three words; remembered are the last two."""
        known = x if state is None else torch.cat([state, x], dim=1)
        threes = known.unfold(1, SEEN, 1)
        logits = self.output(self.look(threes.flatten(0, 1)))
        return logits.view(*threes.shape[:2], self.words), known[:, 1 - SEEN :]

    @abstractmethod
    def look(self, x: Tensor) -> Tensor:
        """Map three words (N, 3) to what the layer holds in the end (N, width)."""

    def add(self, h: Tensor) -> Tensor:
        """Take what the layer gets through it."""
        added: Tensor = self.norm(F.relu(self.hidden(h)))
        return added


class Unrolled(_ThreeWords):
    """The lesson's Model0: a hidden layer for each of three words, all of the same weights, written one by one.

    Args:
        words: How many are known.
        width: Of embedding and hidden layer.
    """

    def look(self, x: Tensor) -> Tensor:
        """Add the second and the third word to what has become of the first."""
        h = self.add(self.embed(x[:, 0]))
        h = self.add(h + self.embed(x[:, 1]))
        return self.add(h + self.embed(x[:, 2]))


class Loop(_ThreeWords):
    """The lesson's Model1: the same as a loop, which is all that a recurrent network is.

    Args:
        words: How many are known.
        width: Of embedding and hidden layer.
    """

    def look(self, x: Tensor) -> Tensor:
        """Add word after word, to zero at first."""
        h = self.zeros(len(x))
        for word in x.unbind(1):
            h = self.add(h + self.embed(word))
        return h


class _Steps(_OneLayer):
    """A loop that predicts at every step; the norm stands before the output, outside the recurrence."""

    def walk(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Read (N, T) words from the hidden state (N, width): logits (N, T, words), and the last state."""
        normed = []
        for word in self.embed(x).unbind(1):
            h = F.relu(self.hidden(h + word))
            normed.append(self.norm(h))
        return self.output(torch.stack(normed, dim=1)), h


class EveryStep(_Steps):
    """The lesson's Model2: a prediction at every step of a longer window, each of which teaches something.

    A window begins with an empty state, in a training and when a text is read.

    Args:
        words: How many are known.
        width: Of embedding and hidden layer.
        window: Words of a window: a stage's ``bptt``.
    """

    def __init__(self, *, words: int, width: int = 64, window: int = 20) -> None:
        super().__init__(words=words, width=width)
        self.window = window

    def start(self, rows: int) -> Tensor:
        """Give the words of the window that is being read, -1 where it has none yet: (rows, window - 1)."""
        return torch.full((rows, self.window - 1), -1, dtype=torch.int64, device=self.output.weight.device)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read windows side by side; remembered are the words of an unfinished one."""
        state = self.start(len(x)) if state is None else state
        begun = int((state[0] >= 0).sum())
        known = torch.cat([state[:, :begun], x], dim=1)
        rest = known.shape[1] % self.window
        whole = F.pad(known, (0, -known.shape[1] % self.window)).view(-1, self.window)
        # In a training the window is a batch's own, however long.
        windows = known if known.shape[1] <= self.window else whole
        logits, _ = self.walk(windows, self.zeros(len(windows)))
        unfinished = known[:, known.shape[1] - rest :]
        state = F.pad(unfinished, (0, self.window - 1 - rest), value=-1)
        return logits.reshape(len(x), -1, self.words)[:, begun : known.shape[1]], state


class Carried(_Steps):
    """The lesson's Model3: the state is kept from window to window, so that it may reach further back than one.

    Args:
        words: How many are known.
        width: Of embedding and hidden layer.
    """

    carries = True

    def start(self, rows: int) -> Tensor:
        """Give an empty hidden state: (rows, width)."""
        return self.zeros(rows)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read words from a state on."""
        return self.walk(x, self.start(len(x)) if state is None else state)


class _Recurrent(LanguageNetwork):
    """PyTorch's own recurrent layers, a norm, and the output."""

    carries = True

    def __init__(self, words: int, width: int, norm: Literal["batch", "layer"], recurrent: nn.RNNBase) -> None:
        super().__init__(words)
        self.embed = nn.Embedding(words, width)
        self.recurrent = recurrent
        self.norm = nn.BatchNorm1d(width) if norm == "batch" else nn.LayerNorm(width)
        self.output = nn.Linear(width, words)

    def start(self, rows: int) -> Tensor:
        """Give empty hidden states: (layers, rows, width)."""
        weight = self.output.weight
        layers, width = self.recurrent.num_layers, self.recurrent.hidden_size
        return torch.zeros(layers, rows, width, device=weight.device, dtype=weight.dtype)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read words from a state on."""
        found, state = self.recurrent(self.embed(x), self.start(len(x)) if state is None else state)
        # Of all places of all rows alike, as the lesson's batch norm sees them.
        normed = self.norm(found.flatten(0, 1)).view_as(found)
        return self.output(normed), state


class RNN(_Recurrent):
    """The lesson's Model4: the loop is PyTorch's, whose layer takes tanh in the place of ReLU.

    Args:
        words: How many are known.
        width: Of embedding and hidden state.
        norm: Before the output: ``batch`` as in the lesson, or ``layer``.
    """

    def __init__(self, *, words: int, width: int = 64, norm: Literal["batch", "layer"] = "batch") -> None:
        super().__init__(words, width, norm, nn.RNN(width, width, batch_first=True))


class GRU(_Recurrent):
    """The lesson's Model5: gates decide how much of the old state is kept (Cho et al. 2014), in two layers.

    Args:
        words: How many are known.
        width: Of embedding and hidden states.
        layers: One above the other.
        norm: Before the output: ``batch`` as in the lesson, or ``layer``.
    """

    def __init__(
        self, *, words: int, width: int = 64, layers: int = 2, norm: Literal["batch", "layer"] = "batch"
    ) -> None:
        super().__init__(words, width, norm, nn.GRU(width, width, layers, batch_first=True))


class AWDGRU(LanguageNetwork):
    """A GRU that dropout keeps from learning by heart, with one matrix for words that come and words that go.

    Merity et al. 2017, Regularizing and optimizing LSTM language models (AWD-LSTM), with gated recurrent units: whole
    words are dropped, weights from state to state, and the same activations at all steps of a window; the output takes
    the embedding's weights (Press and Wolf 2016).

    Args:
        words: How many are known.
        width: Of embedding and hidden states.
        layers: One above the other.
        dropout: Share of activations that a window leaves out, before, between and after the layers.
        word_dropout: Share of words that a window leaves out.
        weight_dropout: Share of the weights from state to state that a window leaves out.
    """

    carries = True

    def __init__(
        self,
        *,
        words: int,
        width: int = 64,
        layers: int = 2,
        dropout: float = 0.1,
        word_dropout: float = 0.02,
        weight_dropout: float = 0.2,
    ) -> None:
        super().__init__(words)
        self.width = width
        self.dropout, self.word_dropout, self.weight_dropout = dropout, word_dropout, weight_dropout
        self.embed = nn.Embedding(words, width)
        nn.init.normal_(self.embed.weight, std=width**-0.5)
        self.recurrent = nn.ModuleList(nn.GRU(width, width, batch_first=True) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(words))

    def start(self, rows: int) -> Tensor:
        """Give empty hidden states: (layers, rows, width)."""
        return torch.zeros(len(self.recurrent), rows, self.width, device=self.bias.device, dtype=self.bias.dtype)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read words from a state on."""
        state = self.start(len(x)) if state is None else state
        kept = F.dropout(torch.ones_like(self.bias), self.word_dropout, self.training)
        h = self._drop(F.embedding(x, self.embed.weight * kept[:, None]))
        states = []
        for layer, before in zip(self.recurrent, torch.split(state, 1), strict=True):
            name = "weight_hh_l0"
            dropped = F.dropout(getattr(layer, name), self.weight_dropout, self.training)
            h, after = functional_call(layer, {name: dropped}, (h, before))
            states.append(after)
            h = self._drop(h)
        return F.linear(self.norm(h), self.embed.weight, self.bias), torch.cat(states)

    def _drop(self, h: Tensor) -> Tensor:
        """Leave the same activations out at all steps (Gal and Ghahramani 2015)."""
        return h * F.dropout(torch.ones_like(h[:, :1]), self.dropout, self.training)


class Transformer(LanguageNetwork):
    """A causal transformer that looks back a few words, by how far back they are, and shares the embedding's weights.

    Vaswani et al. 2017 without positions of their own: a learned bias for each distance and head (Raffel et al. 2019)
    makes "as many words back as the last number has" one thing to learn, wherever in a text. Layers are normed before
    (Xiong et al. 2020).

    Args:
        words: How many are known.
        width: Of embedding and layers.
        layers: One above the other.
        heads: Of attention.
        context: Words that a layer looks at, that of its own place included.
        dropout: Share of activations that are left out.
        unscored: First words of a window that are not predicted from: they have too little before them.
    """

    def __init__(
        self,
        *,
        words: int,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        context: int = 14,
        dropout: float = 0.3,
        unscored: int = 8,
    ) -> None:
        super().__init__(words)
        self.context, self.unscored = context, unscored
        # As far back as a prediction depends on words.
        self.reach = layers * (context - 1)
        self.embed = nn.Embedding(words, width)
        nn.init.normal_(self.embed.weight, std=width**-0.5)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(width, heads, context, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def start(self, rows: int) -> Tensor:
        """Give the last words, -1 where there are none yet: (rows, reach)."""
        return torch.full((rows, self.reach), -1, dtype=torch.int64, device=self.embed.weight.device)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Look from each word at those before it; remembered are the last words."""
        known = x if state is None else torch.cat([state, x], dim=1)
        places = torch.arange(known.shape[1], device=x.device)
        back = places[:, None] - places
        seen = (back >= 0) & (back < self.context) & (known >= 0)[:, None, None, :]
        back = back.clamp(0, self.context - 1)
        h = self.drop(self.embed(known.clamp(min=0)))
        for block in self.blocks:
            h = block(h, back, seen)
        first = self.unscored if state is None else state.shape[1]
        logits = F.linear(self.norm(h[:, first:]), self.embed.weight)
        return logits, F.pad(known, (max(0, self.reach - known.shape[1]), 0), value=-1)[:, -self.reach :]


class _Block(nn.Module):
    """Attention and two layers, each added to what comes in."""

    def __init__(self, width: int, heads: int, context: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attend = nn.Linear(width, 3 * width)
        self.bias = nn.Embedding(context, heads)
        nn.init.zeros_(self.bias.weight)
        self.merge = nn.Linear(width, width)
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, h: Tensor, back: Tensor, seen: Tensor) -> Tensor:
        """Map (B, T, width) to the same.

        Args:
            h: Activations.
            back: (T, T), how many words back each is.
            seen: (B, 1, T, T), whether it is looked at.
        """
        rows, length, width = h.shape
        parts = self.attend(self.norms[0](h)).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mask = self.bias(back).permute(2, 0, 1)[None].masked_fill(~seen, FAR).to(query.dtype)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        h = h + self.drop(self.merge(found.transpose(1, 2).reshape(rows, length, width)))
        added: Tensor = self.drop(self.layers(self.norms[1](h)))
        return h + added
