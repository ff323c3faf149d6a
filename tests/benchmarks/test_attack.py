"""A sample of each kind of attack in benchmarks/attack.py."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Kind to the share of it that is tried here, and the least number that this is.
SAMPLES = {
    "archives": (0.1, 40),
    "arguments": (0.05, 25),
    "births": (0.05, 4),
    "checkpoints": (0.1, 10),
    "formats": (0.1, 30),
    "kills": (0.05, 5),
    "masks": (0.1, 50),
    "mirrors": (0.1, 9),
    "notes": (0.05, 3),
    "pictures": (0.1, 70),
    "servers": (0.05, 6),
    "states": (0.1, 30),
    "weights": (0.05, 4),
}


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


def test_each_kind_has_its_sample() -> None:
    assert list(SAMPLES) == importlib.import_module("attack").KINDS


@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File", "ignore:Metadata Warning")
@pytest.mark.parametrize("kind", SAMPLES)
def test_a_sample_is_survived(kind: str, tmp_path: Path) -> None:
    share, least = SAMPLES[kind]
    tally = importlib.import_module(f"attacks.{kind}").attack(tmp_path, 0, share)
    assert tally.failures == []
    assert tally.tried >= least
