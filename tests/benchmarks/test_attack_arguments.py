import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_odd_values_arrive_as_typed_or_get_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tally = importlib.import_module("attacks.arguments").attack(tmp_path, 0, 0.1)
    assert tally.tried > 50
    assert tally.failures == []
