"""A tenth of the attack on masks."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF")
def test_sound_masks_have_their_classes_and_damaged_ones_are_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tally = importlib.import_module("attacks.masks").attack(tmp_path, seed=0, share=0.1)
    assert tally.failures == []
    assert tally.tried > 50
