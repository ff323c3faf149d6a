"""Broken weights files are loaded or refused in one sentence; a tenth of the attack."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_no_weights_file_does_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from attacks.weights import attack

    tally = attack(tmp_path, seed=1, share=0.1)
    assert tally.tried > 8
    assert tally.failures == []
