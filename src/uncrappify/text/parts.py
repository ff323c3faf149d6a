"""Which part of a text is learned from, watched and tested on: blocks of consecutive words or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from uncrappify.errors import UserError

BLOCKS = 100
"""That a text is cut into; of the numbers to 9,999, each has 100."""

START = 0
"""Number of the mark that stands before a text."""

LAST_LEARNED = 7999
"""Number of the lesson's split; the next one has no part in it, and those after it are the test."""

Words = npt.NDArray[np.int32]


def split_numbers(
    tokens: Words, comma: int, kind: str, *, valid: int, test: int, seed: int, learned: int = LAST_LEARNED
) -> pd.DataFrame:
    """Split a text of the numbers 1, 2, 3 ...

    Args:
        tokens: Numbers of the words, with a comma after each number but the last.
        comma: Number of the comma.
        kind: ``lesson``: the test is what comes after ``learned``; ``blocks``: blocks of 100 numbers are.
        valid: Blocks to watch; they are taken from what is learned from.
        test: Blocks of the test, where ``kind`` is ``blocks``.
        seed: Of the choice of blocks.
        learned: The last number that is learned from or watched, where ``kind`` is ``lesson``.

    Returns:
        One row a run of words of the same part: ``split``, ``start`` and ``end`` (exclusive).
    """
    ends = np.append(np.flatnonzero(tokens == comma), len(tokens))
    # Of the number n, n = 1, 2 ..., at n - 1.
    starts = np.append(1, ends[:-1] + 1)
    last = learned if kind == "lesson" else len(starts)
    edges = [*starts[np.arange(0, last, BLOCKS)], min(ends[last - 1] + 1, len(tokens))]
    counts = {"valid": valid, "test": 0 if kind == "lesson" else test}
    runs = _choose(edges, counts, seed)
    if kind == "lesson":
        runs.append(("test", int(starts[learned + 1]), len(tokens)))
    # No comma at the end of a part.
    whole = [(part, start, end - int(tokens[end - 1] == comma)) for part, start, end in runs]
    return pd.DataFrame(whole, columns=["split", "start", "end"])


def split_text(tokens: Words, *, valid: int, test: int, seed: int) -> pd.DataFrame:
    """Split a text of any kind, as :func:`split_numbers` does; a run of words ends where a text does."""
    edges = np.linspace(0, len(tokens), BLOCKS + 1).round().astype(int).tolist()
    beginnings = [int(place) for place in np.flatnonzero(tokens == START)] + [len(tokens)]
    runs = []
    for part, start, end in _choose(edges, {"valid": valid, "test": test}, seed):
        inner = [place for place in beginnings if start < place < end]
        runs += [(part, one, other) for one, other in zip([start, *inner], [*inner, end], strict=True)]
    return pd.DataFrame(runs, columns=["split", "start", "end"])


def _choose(edges: Sequence[int], counts: dict[str, int], seed: int) -> list[tuple[str, int, int]]:
    """Choose blocks for each part, the rest is to learn from, and join neighbours of the same part.

    The first one is always learned from: no other has numbers below 101, which are written in another way.
    """
    blocks = len(edges) - 1
    order = 1 + np.random.default_rng(seed).permutation(blocks - 1)
    parts = np.full(blocks, "train", dtype=object)
    taken = 0
    for part, count in counts.items():
        parts[order[taken : taken + count]] = part
        taken += count
    firsts = [place for place in range(blocks) if place == 0 or parts[place] != parts[place - 1]]
    return [
        (str(parts[first]), int(edges[first]), int(edges[following]))
        for first, following in zip(firsts, [*firsts[1:], blocks], strict=True)
        if edges[following] > edges[first]
    ]


def take_part(tokens: Words, split: pd.DataFrame, part: str) -> list[Words]:
    """Give the texts of a part that have words, each with the mark of a beginning before it.

    Args:
        tokens: All words' numbers.
        split: As :func:`split_text` gives it.
        part: train, valid or test.
    """
    rows = split[split["split"] == part]
    runs = [tokens[start:end] for start, end in zip(rows["start"], rows["end"], strict=True)]
    marked = [run if run[0] == START else np.insert(run, 0, START) for run in runs]
    return [run for run in marked if len(run) > 1]


def cut_rows(text: Words, rows: int) -> list[Words]:
    """Cut a text into rows of equal length, each of which ends with the first word of the next.

    Args:
        text: Of more words than there are rows.
        rows: How many.
    """
    edges = [row * len(text) // rows for row in range(rows + 1)]
    return [text[start : end + 1] for start, end in pairwise(edges)]


def find_numbers(tokens: Words, comma: int, split: pd.DataFrame, part: str) -> list[int]:
    """Give the numbers of a part, in a text of the numbers 1, 2, 3 ..."""
    starts = np.append(1, np.flatnonzero(tokens == comma) + 1)
    rows = split[split["split"] == part]
    inside = [
        np.flatnonzero((starts >= start) & (starts < end))
        for start, end in zip(rows["start"], rows["end"], strict=True)
    ]
    return sorted(int(place) + 1 for places in inside for place in places)


def check_length(tokens: int, batch_size: int, bptt: int, place: str) -> None:
    """Check that there is a batch in a text.

    Raises:
        UserError: If there is not.
    """
    if tokens <= batch_size * bptt:
        fitting = (tokens - 1) // bptt
        smaller = f"smaller batches (--params {place}.batch_size={fitting})" if fitting > 0 else "a shorter bptt"
        raise UserError(
            f"{place}: there are {tokens:,} words to learn from, and a batch takes {batch_size} x {bptt} (batch_size x "
            f"bptt) and one more. Give more text, or {smaller}."
        )
