"""How well language models predict: accuracy, perplexity, and, of numbers, whether they count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812

from uncrappify.datasets import LanguageDescription, TrainedModel
from uncrappify.inference.writer import Writer
from uncrappify.text.numbers import COMMA, LARGEST, PLACES, find_places, spell
from uncrappify.text.parts import START, Words
from uncrappify.text.tokens import BEGINNING, UNKNOWN
from uncrappify.text.vocabulary import Vocabulary
from uncrappify.training.curves import dress

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

RUN = 1000
"""Numbers that a model is let count in a row."""

RUNS = 20
GIVEN = 2
"""Numbers that it is given, before it counts on its own."""


@dataclass(frozen=True)
class LanguageScores:
    """What is measured of a language model.

    Args:
        words: What follows at each place of the test, in words.
        first: Whether a text begins with the word.
        right: Whether the most probable word is the one that follows; one that is not known is never right.
        losses: Cross entropy at each place, in nats.
        runs: Of numbers, how many were counted right in a row, from each start; empty for other texts.
        parameters: How many numbers the network has learned.
        description: Of the model, with the metrics of its training.
    """

    words: Sequence[str]
    first: npt.NDArray[np.bool_]
    right: npt.NDArray[np.bool_]
    losses: npt.NDArray[np.float64]
    runs: Sequence[int]
    parameters: int
    description: LanguageDescription

    @property
    def training_metrics(self) -> dict[str, float]:
        """Metrics of the training, with those of the last validation."""
        return self.description.metrics

    @property
    def accuracy(self) -> float:
        """Share of the words of the test that are predicted from what stands before them, 0 to 1."""
        return float(self.right.mean())

    @property
    def perplexity(self) -> float:
        """Exponential of the mean cross entropy a word, 1 to infinity: of so many words alike it is unsure.

        All words that are not known are one, as is usual.
        """
        return float(np.exp(np.minimum(self.losses.mean(), 700)))

    @property
    def numbers_right(self) -> float:
        """Share of the numbers of which every word and the comma after it are predicted from the right ones before."""
        commas = np.array([word == COMMA for word in self.words])
        # A number begins after a comma, and where a text begins: the last one of a text has no comma.
        number = np.cumsum(np.append(False, commas[:-1]) | self.first) - 1
        wrong = np.bincount(number, weights=~self.right) > 0
        return float(1 - wrong.mean())

    @property
    def free_run_length(self) -> float:
        """How many numbers it counts right in a row, from two that it is given on, each from its own words: a mean.

        NaN where it was given none.
        """
        return float(np.mean(self.runs)) if self.runs else np.nan

    @property
    def accuracy_by_place(self) -> dict[str, float]:
        """Accuracy by the word's place in its number, such as ``hundreds``; places that are not there are left out."""
        places = np.array(find_places(self.words))
        return {place: float(self.right[places == place].mean()) for place in PLACES if (places == place).any()}

    @property
    def metrics(self) -> dict[str, float]:
        """The scores by name; those of counting of numbers alone, and there ``accuracy_<place>`` besides."""
        unknown = sum(word == UNKNOWN for word in self.words) / len(self.words)
        found = {"accuracy": self.accuracy, "perplexity": self.perplexity, "unknown_words": unknown}
        found |= {"parameters": self.parameters}
        if not self.counts:
            return found
        places = {f"accuracy_{place}": value for place, value in self.accuracy_by_place.items()}
        return found | {"numbers_right": self.numbers_right, "free_run_length": self.free_run_length} | places

    @property
    def counts(self) -> bool:
        """Whether the text is one of numbers."""
        return self.description.text == "numbers"

    @property
    def row(self) -> dict[str, float | None]:
        """What the table of models says: scores on the test, and ``seconds`` of training."""
        more = {"numbers_right": self.numbers_right, "free_run_length": self.free_run_length} if self.counts else {}
        return {
            "parameters": self.parameters,
            "accuracy": self.accuracy,
            "perplexity": self.perplexity,
            **more,
            "seconds": self.training_metrics.get("train_seconds"),
        }


def score(model: TrainedModel, texts: Sequence[Words], starts: Sequence[int]) -> LanguageScores:
    """Read the test, each text from its beginning, and compare what follows with what is most probable.

    Args:
        model: A trained language model.
        texts: Numbers of words, each with the mark of a beginning first, which is not predicted.
        starts: Numbers to count on from; none for texts that do not count.
    """
    writer = Writer.from_trained(model)
    right, losses, words, first = [], [], [], []
    for text in texts:
        following = torch.from_numpy(text[1:].astype(np.int64))
        place = 0
        for (logits,) in read(writer, torch.from_numpy(text[None, :-1].astype(np.int64))):
            after = following[place : place + len(logits)]
            right.append((logits.argmax(1) == after).numpy())
            losses.append(F.cross_entropy(logits, after, reduction="none").double().numpy())
            place += len(logits)
        words += writer.vocabulary.decode(following.tolist())
        first += [True, *[False] * (len(following) - 1)]
    return LanguageScores(
        words=words,
        first=np.array(first),
        right=np.concatenate(right) & np.array([word != UNKNOWN for word in words]),
        losses=np.concatenate(losses),
        runs=count_runs(writer, starts) if starts else [],
        parameters=sum(parameter.numel() for parameter in writer.network.parameters()),
        description=writer.description,
    )


def read(writer: Writer, words: torch.Tensor) -> Iterator[torch.Tensor]:
    """Read texts side by side, part by part.

    Args:
        writer: Has the network.
        words: (B, T), int64.

    Yields:
        Logits (B, t, words), float32, on the CPU.
    """
    device = next(writer.network.parameters()).device
    parts = writer.network.read(words.to(device))
    while True:
        # Not around the whole: between two parts the caller would be in the mode too.
        with torch.inference_mode():
            logits = next(parts, None)
        if logits is None:
            return
        yield logits.cpu()


def count_runs(writer: Writer, starts: Sequence[int], numbers: int = RUN) -> list[int]:
    """Count how many numbers a model counts right in a row.

    As long as all is right, what it has written is the text itself. So the text is read once, and the first number that
    is not predicted from the right ones ends the run.

    Args:
        writer: Knows the words of numbers.
        starts: The first of two numbers that it is given.
        numbers: When a run ends at last.

    Returns:
        Of each start, 0 to ``numbers``, and no more than there are to 9,999.
    """
    spelled = [_spell(start, numbers, writer.vocabulary) for start in starts]
    words = torch.zeros(len(starts), max(map(len, spelled)), dtype=torch.int64)
    for row, text in enumerate(spelled):
        words[row, : len(text)] = text
    following = words[:, 1:]
    ends = torch.cumsum(following == writer.vocabulary.numbers[COMMA], dim=1)
    # With its comma a number is whole. What is given, and what stands after the end of a row, does not end a run.
    counted = ends - (following == writer.vocabulary.numbers[COMMA]).long()
    scored = (counted >= GIVEN) & (following != START)
    runs = ends[:, -1].clone()
    place = 0
    for logits in read(writer, words[:, :-1]):
        part = slice(place, place := place + logits.shape[1])
        wrong = (logits.argmax(2) != following[:, part]) & scored[:, part]
        first = torch.where(wrong, counted[:, part], runs[:, None]).amin(1)
        runs = torch.minimum(runs, first)
        if (runs < counted[:, place - 1]).all():
            # All have made a mistake.
            break
    return [int(run) - GIVEN for run in runs]


def choose_starts(tested: Sequence[int]) -> list[int]:
    """Choose numbers of the test to count on from, evenly spread, with a thousand before the end where there are such.

    Args:
        tested: All numbers of the test, rising.
    """
    far = [number for number in tested if number + GIVEN + RUN - 1 <= LARGEST] or list(tested[:1])
    return [far[place] for place in dict.fromkeys(np.linspace(0, len(far) - 1, RUNS).round().astype(int).tolist())]


def _spell(start: int, numbers: int, vocabulary: Vocabulary) -> torch.Tensor:
    last = min(start + GIVEN + numbers - 1, LARGEST)
    words = [word for number in range(start, last + 1) for word in [*spell(number).split(), COMMA]]
    return torch.from_numpy(vocabulary.encode([BEGINNING, *words]).astype(np.int64))


def draw_ladder(scores: Mapping[str, LanguageScores]) -> Figure:
    """Draw the rungs: accuracy of each model, and of numbers the share of whole ones, and by the place of a word.

    Args:
        scores: Of the trained models, in order.

    Returns:
        Bars; of numbers a heatmap under them.
    """
    from plotly.graph_objects import Bar, Heatmap
    from plotly.subplots import make_subplots

    names = list(scores)
    counts = all(found.counts for found in scores.values())
    heights = {"row_heights": [0.5, 0.5]} if counts else {}
    figure = make_subplots(rows=1 + counts, cols=1, shared_xaxes=True, vertical_spacing=0.06, **heights)
    bars = {"words": [found.accuracy for found in scores.values()]}
    if counts:
        bars["whole numbers"] = [found.numbers_right for found in scores.values()]
    for (name, values), colour in zip(bars.items(), ("#2f6fde", "#e8710a"), strict=False):
        shown = [f"{100 * value:.1f}" for value in values]
        percent = [100 * value for value in values]
        figure.add_trace(
            Bar(x=names, y=percent, text=shown, textposition="outside", name=name, marker_color=colour), 1, 1
        )
    figure.update_yaxes(title_text="% right", range=[0, 108], row=1, col=1)
    if counts:
        shares = [[100 * found.accuracy_by_place.get(place, np.nan) for found in scores.values()] for place in PLACES]
        heatmap = Heatmap(
            z=shares,
            x=names,
            y=list(PLACES),
            text=[[f"{share:.3g}" for share in row] for row in shares],
            texttemplate="%{text}",
            hovertemplate="%{x}: %{z:.1f} % of the words at %{y} right<extra></extra>",
            colorscale="Blues",
            zmin=0,
            zmax=100,
            showscale=False,
            xgap=1,
            ygap=1,
        )
        figure.add_trace(heatmap, 2, 1)
        figure.update_yaxes(title_text="place in the number", autorange="reversed", automargin=True, row=2, col=1)
    return dress(figure).update_layout(hovermode="closest", barmode="group")
