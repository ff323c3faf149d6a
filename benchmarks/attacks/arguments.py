"""What people type: odd texts have to arrive as they are, odd numbers and names have to get a sentence."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml

from attacks.mutation import Tally
from uncrappify.errors import UserError
from uncrappify.parameters.arguments import parse_arguments
from uncrappify.parameters.loader import ConfigLoader
from uncrappify.parameters.tree import complete

TEXTS = (
    *("2024.10", "Photos #2", "007", "Rome, Italy", "C:\\Users\\me\\Pictures", "a=b", "a: b", "[set1]", "@home"),
    *("${HOME}", "${", "\\${HOME}", "{a}", "~", "*", "*x", "&a", "'q'", '"q"', "true", "null", "1e3", "trailing  "),
    *("-", "- a", "2024-01-01", "1:30", "0x1F", "1_000", "???", "%", "|", ">", "!x", "!!int 5", "a\nb", "# x", "é ü"),
)
SIGNS = tuple("ab01=,.:;#'\"[]{}$~*&!|>%@`\\ -_?\t\néß漢😀")
WRONG = (
    "abc",
    "[1",
    "{a: 1}",
    "[[1]]",
    "null",
    "true",
    "1e400",
    "-1e400",
    ".nan",
    "1,5",
    "'1'",
    "@",
    "5 5",
    "",
    "~",
    "-1",
)
NAMES = (
    *("superres.seed", "superres.training.ema", "superres.training.betas", "superres.training.stages"),
    *("superres.training.stages.0.steps", "superres.training.stages.0.loss.0.l1", "superres.recipe.0.resize.factor"),
    *("superres.training.stages.7.steps", "superres.training.stages.x", "superres.training", "superres", "smok"),
    *(
        "superres.model.nam",
        "superres.seed.x",
        "superres.training.augment",
        "a..b",
        "",
        "7",
        "smoke",
        "superres.recipe.0",
    ),
)
ROOT = Path(__file__).parents[2]


def attack(_folder: Path, seed: int, share: float) -> Tally:
    """Type odd values for texts, numbers, lists and names that are none.

    Args:
        _folder: Nothing is written.
        seed: Of the random texts.
        share: Of 240 texts and of all odd values.

    Returns:
        A text survives as it was typed, anything else as a value of the right kind or a sentence.
    """
    random, tally = np.random.default_rng(seed), Tally("odd values typed after --params")
    made = ("".join(random.choice(SIGNS, random.integers(1, 12))) for _ in range(240 - len(TEXTS)))
    texts = [*TEXTS, *made]
    for text in texts[:: max(1, round(1 / share))]:
        tally.count(f"pictures={text!r}", partial(_arrives, text))
    pairs = [f"{name}={value}" for name in NAMES for value in WRONG]
    for typed in pairs[:: max(1, round(1 / share))]:
        tally.count(typed, partial(_is_told, typed))
    return tally


def _complete(typed: str) -> dict[str, object]:
    sections: dict[str, Any] = {}
    for file in (ROOT / "conf" / "base" / "parameters").glob("*.yml"):
        sections |= yaml.safe_load(file.read_text(encoding="utf-8"))
    options = {"base_env": "base", "default_run_env": "base", "merge_strategy": {"parameters": "soft"}}
    loader = ConfigLoader(str(ROOT / "conf"), None, parse_arguments(typed), **options)
    return complete(loader["parameters"], sections, ["superres"], loader.written)


def _arrives(text: str) -> str | None:
    # Between two others; a comma of its own is typed as the README says.
    done = _complete(f"smoke=true,pictures={text.replace(',', chr(92) + ',')}")
    arrived = done["superres"]["source"]["folder"]["path"]  # type: ignore[index]
    return None if arrived == text else f"arrived as {arrived!r}"


def _is_told(typed: str) -> str | None:
    try:
        _complete(typed)
    except (UserError, click.ClickException) as error:
        told = str(error)
        return None if told and len(told) < 600 and "\n\n" not in told else f"told as {told!r}"
    return None
