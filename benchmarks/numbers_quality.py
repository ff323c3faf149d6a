"""How well the ladder of conf/<env>/parameters/numbers.yml counts, over several seeds.

    python benchmarks/numbers_quality.py [MODEL ...] [--env base] [--split lesson] [--seeds 3]
    python benchmarks/numbers_quality.py MODEL ... --split octal

`--split lesson` learns from 1 to 7,999 and tests on 8,001 to 9,999, whose thousands are never seen in a training;
`blocks` tests on 20 random blocks of 100 numbers. `octal` asks the lesson's question for choices, and never looks at
its test: of the numbers without an eight or a nine it learns from those to 5,777 and tests on 6,001 to 7,777, whose
thousands are never seen either; and what nine is for the lesson, the last before a turn, is seven here.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from uncrappify.datasets import TrainingRun
from uncrappify.evaluation.language import LanguageScores, choose_starts, score
from uncrappify.parameters.sections import read_sections
from uncrappify.parameters.tree import parse_section
from uncrappify.pipelines.language import Parameters, nodes
from uncrappify.text import parts
from uncrappify.text.numbers import COMMA
from uncrappify.training.hardware import describe

ROOT = Path(__file__).parents[1]
SHOWN = ("accuracy", "perplexity", "numbers_right", "free_run_length", "valid", "seconds")
LEFT_OUT = ("eight", "eighteen", "eighty", "nine", "nineteen", "ninety")
KEPT, WATCHED = 6 * 8**3 - 1, 3
"""Numbers to learn from, and blocks of 100 of them to watch, where the split is ``octal``."""


def main() -> None:
    """Train, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all")
    parser.add_argument("--env", choices=["base", "lesson"], default="base")
    parser.add_argument("--split", choices=["lesson", "blocks", "octal"], default="lesson")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=42)
    given = parser.parse_args()
    print(describe())
    parameters = read_parameters(given.env)
    models = given.models or list(parameters.networks)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    rows = pd.DataFrame(list(measure(parameters, models, given.split, seeds)))
    figures = rows.groupby("model", sort=False).agg(["mean", "min", "max"])
    print(figures.drop(columns="seed").round(4).T.to_string())


def read_parameters(env: str) -> Parameters:
    """Read the parameters of an environment."""
    os.chdir(ROOT)
    files = [ROOT / f"conf/{name}/parameters/numbers.yml" for name in dict.fromkeys(("base", env))]
    merged: Any = OmegaConf.to_container(OmegaConf.merge(*map(OmegaConf.load, files)))
    parameters = parse_section("numbers", merged["numbers"], read_sections()["numbers"])
    assert isinstance(parameters, Parameters)
    return parameters


def measure(parameters: Parameters, models: list[str], kind: str, seeds: range) -> Iterator[dict[str, object]]:
    """Train each model with each seed, and give its scores."""
    text = nodes.write(parameters.source)
    tokens, vocabulary = nodes.tokenize(text, parameters.vocabulary)
    comma, octal = vocabulary["words"].index(COMMA), kind == "octal"
    blocks = {"valid": parameters.valid_blocks, "test": parameters.test_blocks}
    if octal:
        tokens, kind = leave_out(tokens, comma, [vocabulary["words"].index(word) for word in LEFT_OUT]), "lesson"
        blocks |= {"valid": WATCHED, "learned": KEPT}
    for name in models:
        network = parameters.networks[name]
        for seed in seeds:
            split = parts.split_numbers(tokens, comma, kind, seed=seed, **blocks)
            with tempfile.TemporaryDirectory() as folder:
                run = TrainingRun(Path(folder) / name, Path(folder) / "snapshots")
                trained, *_ = nodes.train(
                    tokens, vocabulary, split, parameters.source, network.model, network.training, seed, run
                )
            starts = [] if octal else choose_starts(parts.find_numbers(tokens, comma, split, "test"))
            found = score(trained, parts.take_part(tokens, split, "test"), starts)
            yield {"model": name, "seed": seed, **tell(name, seed, found)}


def leave_out(tokens: parts.Words, comma: int, words: list[int]) -> parts.Words:
    """Leave out the numbers, and the commas behind them, that have one of some words."""
    number = np.searchsorted(np.flatnonzero(tokens == comma), np.arange(len(tokens)))
    return tokens[~np.isin(number, number[np.isin(tokens, words)])]


def tell(name: str, seed: int, scores: LanguageScores) -> dict[str, float]:
    """Print a training, and give its figures."""
    measured = scores.training_metrics
    known = scores.metrics | {"valid": measured["valid_accuracy"], "seconds": measured["train_seconds"]}
    shown = {key: known[key] for key in SHOWN}
    places = ", ".join(f"{place} {value:.3f}" for place, value in scores.accuracy_by_place.items())
    print(name, seed, *(f"{key} {value:.4f}" for key, value in shown.items()), places, flush=True)
    return shown


if __name__ == "__main__":
    main()
