"""A tenth of the attacks on archives and mirrors."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("kind", "least"), [("archives", 40), ("mirrors", 9)])
def test_a_tenth_of_the_attacks_is_survived(
    kind: str, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tally = importlib.import_module(f"attacks.{kind}").attack(tmp_path, 0, 0.1)
    assert tally.failures == []
    assert tally.tried >= least
