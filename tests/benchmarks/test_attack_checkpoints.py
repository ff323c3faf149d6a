"""A damaged file of an interrupted training costs no more than its stage; a tenth of the attack."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_no_damaged_file_of_a_training_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from attacks.checkpoints import attack

    tally = attack(tmp_path, seed=1, share=0.1)
    assert tally.tried > 10
    assert tally.failures == []
