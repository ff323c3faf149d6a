"""A tenth of benchmarks/attack.py's broken state files: each is recovered, or told in one sentence."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_a_broken_state_file_is_recovered_or_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from attacks import states

    tally = states.attack(tmp_path, seed=0, share=0.1)
    assert tally.tried >= 30
    assert tally.failures == []
