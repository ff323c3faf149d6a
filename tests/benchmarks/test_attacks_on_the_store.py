"""A sample of the attacks on a run's life: the store's birth, and kills of a whole run."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("kind", "share"), [("births", 0.1), ("kills", 0.05)])
def test_what_is_stopped_or_begun_at_once_ends_as_if_nothing_had_happened(
    kind: str, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Births take some 30 seconds of one core, five kills a minute or two.
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from importlib import import_module

    tally = import_module(f"attacks.{kind}").attack(tmp_path, seed=0, share=share)
    assert tally.failures == []
    assert tally.tried >= 5
