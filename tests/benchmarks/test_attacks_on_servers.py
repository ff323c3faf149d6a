"""A sample of what a server may do, and of how a note may be broken; benchmarks/attack.py tries all."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("kind", "share"), [("servers", 0.05), ("notes", 0.1)])
def test_runs_survive_a_sample_of_what_servers_and_disks_do(kind, share, tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tally = importlib.import_module(f"attacks.{kind}").attack(tmp_path, 0, share)
    assert tally.failures == []
    assert tally.tried >= 6
