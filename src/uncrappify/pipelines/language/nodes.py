"""The nodes of a language pipeline, each a sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from plotly.graph_objects import Figure

from uncrappify import sources
from uncrappify.datasets import LanguageDescription, TrainedModel, TrainingRun
from uncrappify.datasets.description import TrainingData
from uncrappify.errors import UserError
from uncrappify.models.parameters import LanguageModel
from uncrappify.pipelines import nodes as shared
from uncrappify.pipelines.language.parameters import VocabularyOptions
from uncrappify.sources import TextSource
from uncrappify.text import parts
from uncrappify.text.numbers import COMMA
from uncrappify.text.parts import Words
from uncrappify.text.tokens import BEGINNING, MARKS
from uncrappify.text.tokens import tokenize as find_tokens
from uncrappify.text.vocabulary import Vocabulary
from uncrappify.training.parameters import LanguageTraining


def write(source: TextSource) -> pd.DataFrame:
    """Write the text, or read the user's.

    Args:
        source: Where it comes from.

    Returns:
        One row a text, ``name`` and ``text``.
    """
    return sources.read_texts(source)


def tokenize(text: pd.DataFrame, vocabulary: VocabularyOptions) -> tuple[Words, dict[str, list[str]]]:
    """Turn the texts into numbers of words.

    Args:
        text: One row a text.
        vocabulary: Which words are known.

    Returns:
        All words of all texts, one after the other, the mark of a beginning before each; the known words.

    Raises:
        UserError: If no word is there often enough.
    """
    tokens = [token for one in text["text"] for token in (BEGINNING, *find_tokens(one))]
    known = Vocabulary.count(tokens, smallest_count=vocabulary.smallest_count, largest=vocabulary.largest)
    if len(known) == len(MARKS):
        raise UserError(
            f"the text: no word is there {vocabulary.smallest_count} times (vocabulary.smallest_count). Give more text."
        )
    return known.encode(tokens), {"words": known.words}


def split(
    tokens: Words,
    vocabulary: Mapping[str, Sequence[str]],
    source: TextSource,
    kind: str,
    valid_blocks: int,
    test_blocks: int,
    seed: int,
) -> pd.DataFrame:
    """Say which words are to learn from, to watch, and to test on.

    Args:
        tokens: All words.
        vocabulary: The known words.
        source: Numbers are split between two numbers.
        kind: ``lesson`` or ``blocks``.
        valid_blocks: How many are watched.
        test_blocks: How many are for the test.
        seed: Of the choice of blocks.

    Returns:
        One row a run of words: ``name``, ``split``, ``start`` and ``end``.

    Raises:
        UserError: If the text is too short to have all parts.
    """
    counts = {"valid": valid_blocks, "test": test_blocks, "seed": seed}
    if source.kind == "numbers":
        comma = list(vocabulary["words"]).index(COMMA)
        found = parts.split_numbers(tokens, comma, kind, **counts)
    else:
        found = parts.split_text(tokens, **counts)
    needed = ["train", *(["valid"] if valid_blocks else []), "test"]
    if missing := [part for part in needed if not parts.take_part(tokens, found, part)]:
        raise UserError(f"the text has {len(tokens):,} words, too few to have some for {missing[0]}. Give more text.")
    found.insert(0, "name", [f"{start}-{end}" for start, end in zip(found["start"], found["end"], strict=True)])
    return found


def train(
    tokens: Words,
    vocabulary: Mapping[str, Sequence[str]],
    split: pd.DataFrame,
    source: TextSource,
    model: LanguageModel,
    training: LanguageTraining,
    seed: int,
    run: TrainingRun,
) -> tuple[TrainedModel, pd.DataFrame, Figure, pd.DataFrame, dict[str, float]]:
    """Train a network.

    Args:
        tokens: All words.
        vocabulary: The known words.
        split: Which words are for what.
        source: Where the text is from.
        model: Which network, and which weights it starts from.
        training: How it is trained.
        seed: Of everything random.
        run: The training's folder, where a killed one goes on.

    Returns:
        The model, the history, its curves, the table of layers, and the metrics of the training.
    """
    import lightning.pytorch as pl

    from uncrappify.learners.language import LanguageData, LanguageLearner
    from uncrappify.models import build
    from uncrappify.training.fit import fit

    pl.seed_everything(seed, verbose=False)
    watched = shared.find_watched(split)
    learned, valid = (parts.take_part(tokens, split, part) for part in ("train", watched))
    words, content = sum(map(len, learned)), hash_texts(tokens, vocabulary, split)
    for number, stage in enumerate(training.stages):
        place = f"{run.folder.parent.name}.{run.name}.training.stages.{number}"
        parts.check_length(words, stage.batch_size, stage.bptt, place)
    if watched == "test" and source.kind == "numbers" and training.stages:
        # As the lesson's loader has it, whose figures these are compared with.
        valid = [row for text in valid for row in parts.cut_rows(text, training.stages[0].batch_size)]
    ancestor = shared.read_ancestor(model)
    description = LanguageDescription(
        model=model.name,
        options=model.options.architecture,
        vocabulary=list(vocabulary["words"]),
        text=source.kind,
        data=TrainingData(source=source.name, licence=source.licence, words=words, fingerprint=content),
        watched=watched,
    )
    _check_ancestor(ancestor, description.vocabulary, run.name)
    network: Any = build(model.kind, model.name, description.to_build)
    learner, data = LanguageLearner(network, training), LanguageData(learned, valid, content)
    return fit(learner, data, training, seed=seed, run=run, description=description, ancestor=ancestor).outputs


def evaluate(
    tokens: Words,
    vocabulary: Mapping[str, Sequence[str]],
    split: pd.DataFrame,
    source: TextSource,
    delivers: str | None,
    **models: TrainedModel | None,
) -> tuple[Any, ...]:
    """Score the models on the test, and say which of them the pipeline delivers.

    Args:
        tokens: All words.
        vocabulary: The known words.
        split: Which words are for what.
        source: Of numbers it is found out whether a model counts.
        delivers: ``best``: the best on the words that were watched; else a model's name, empty for the last; None: no
            model.
        models: ``<model>_model``, trained; None where it is not.

    Returns:
        The table of models; the ladder; the delivered model's name, and metrics of that or else of the best; the
        pipeline's card; then metrics and card of each model, empty where it is not trained.

    Raises:
        UserError: If none of the models is trained on this text.
    """
    from uncrappify.evaluation.language import choose_starts, draw_ladder, score
    from uncrappify.pipelines.language.model_card import model_card, pipeline_card

    texts = parts.take_part(tokens, split, "test")
    comma = list(vocabulary["words"]).index(COMMA) if source.kind == "numbers" else None
    starts = [] if comma is None else choose_starts(parts.find_numbers(tokens, comma, split, "test"))
    content = hash_texts(tokens, vocabulary, split)
    found = shared.compare(models, content, delivers, lambda model: score(model, texts, starts), model_card)
    return (
        found.table,
        draw_ladder(found.scores),
        {"model": found.delivered or ""},
        found.metrics,
        pipeline_card(found.table, found.shown, found.cards[found.shown]),
        *found.each,
    )


def hash_texts(tokens: Words, vocabulary: Mapping[str, Sequence[str]], split: pd.DataFrame) -> str:
    """Hash what a training gets to see: the words to learn from and to watch, and their numbers."""
    digest = hashlib.sha256("\n".join(vocabulary["words"]).encode())
    for part in ("train", shared.find_watched(split)):
        for text in parts.take_part(tokens, split, part):
            digest.update(f"{part} {len(text)}".encode() + np.ascontiguousarray(text).tobytes())
    return digest.hexdigest()


def _check_ancestor(ancestor: TrainedModel | None, vocabulary: Sequence[str], name: str) -> None:
    """Check that weights to start from know the same words.

    Raises:
        UserError: If they do not.
    """
    if ancestor is None:
        return
    theirs: Any = ancestor.description
    if theirs.vocabulary != vocabulary:
        raise UserError(
            f"{name}.model.weights: these weights know other words ({len(theirs.vocabulary)} of them) than this text "
            f"({len(vocabulary)}). Start from weights of the same text, or from fresh ones."
        )
