"""Batches go through a text as the lesson's loader does, a state goes with them, and a network learns to count."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from uncrappify.datasets import LanguageDescription, TrainingRun
from uncrappify.evaluation.language import score
from uncrappify.learners.language import IGNORED, LanguageData, LanguageLearner, TextBatches, pad
from uncrappify.models import build
from uncrappify.text.tokens import MARKS
from uncrappify.training.fit import Fitted, fit
from uncrappify.training.parameters import LanguageStage, LanguageTraining

pytestmark = pytest.mark.usefixtures("one_thread")
LETTERS = list("abcdefg")
VOCABULARY = [*MARKS, *LETTERS]
# Round and round, with the mark of the beginning first.
TEXT = np.array([0, *(len(MARKS) + place % len(LETTERS) for place in range(700))], dtype=np.int32)


def stage(**given: object) -> LanguageStage:
    return LanguageStage.model_validate({"batch_size": 4, "bptt": 5, "epochs": 1, **given})


def test_rows_go_on_where_they_ended_and_the_last_window_wraps_to_the_beginning() -> None:
    words = torch.arange(50)
    batches = TextBatches(words, stage(), seed=0)
    # 50 words in windows of 4 x 5: two and a half.
    assert stage().with_steps(len(words)).steps == 3
    rows = [torch.cat([batches[step][0][row] for step in range(3)]) for row in range(4)]
    assert [row[0].item() for row in rows] == [0, 12, 25, 37]
    assert [row.tolist() for row in rows] == [
        [(start + place) % 50 for place in range(15)] for start in (0, 12, 25, 37)
    ]
    for step in range(4):
        given, following, fresh = batches[step]
        assert torch.equal(following, (given + 1) % 50)
        # The fourth is the first of the next epoch.
        assert fresh.tolist() == [step in (0, 3)] * 4
    assert torch.equal(batches[3][0], batches[0][0])


def test_random_windows_depend_on_seed_and_step_and_stay_inside_the_text() -> None:
    words = torch.arange(50)
    batches, same, other = (TextBatches(words, stage(order="random", batch_size=64), seed) for seed in (0, 0, 1))
    given, following, _ = batches[3]
    assert torch.equal(given, same[3][0])
    assert not torch.equal(given, batches[4][0])
    assert not torch.equal(given, other[3][0])
    assert torch.equal(following, given + 1)
    assert following.max() < 50
    assert len(given[:, 0].unique()) > 20


def test_two_words_change_places_wherever_they_stand_in_some_windows() -> None:
    words = torch.arange(300) % 7
    given = {"order": "random", "batch_size": 200, "bptt": 20}
    before, after = (TextBatches(words, stage(**given, swaps=share), seed=0)[3] for share in (0, 0.5))
    changed = 0
    for plain, swapped in zip(
        torch.cat([before[0], before[1][:, -1:]], 1), torch.cat([after[0], after[1][:, -1:]], 1), strict=True
    ):
        # Of each word it is clear what has become of it, and of that word, what it was.
        pairs = {(int(one), int(other)) for one, other in zip(plain, swapped, strict=True) if one != other}
        assert {(other, one) for one, other in pairs} == pairs
        assert len(pairs) in (0, 2)
        changed += len(pairs) == 2
    # A word that is drawn twice, one time of seven, leaves its window as it was.
    assert 65 < changed < 107
    assert torch.equal(after[0][:, 1:], after[1][:, :-1])


def test_words_are_not_swapped_where_a_state_goes_on() -> None:
    with pytest.raises(ValidationError, match="swaps is for windows with order: random"):
        stage(swaps=0.1)


def test_texts_side_by_side_are_padded_with_what_does_not_count() -> None:
    given, following = pad([np.array([0, 5, 6]), np.array([0, 7, 8, 9])])
    assert given.tolist() == [[0, 5, 0], [0, 7, 8]]
    assert following.tolist() == [[5, 6, IGNORED], [7, 8, 9]]


def train(folder: Path, name: str = "carried", ema: float = 0.0, **given: object) -> tuple[Fitted, LanguageLearner]:
    stage = {"batch_size": 4, "bptt": 5, "steps": 60, "lr": 0.02, **given}
    training = LanguageTraining.model_validate({"precision": "fp32", "threads": 1, "ema": ema, "stages": [stage]})
    description = LanguageDescription(model=name, options={"width": 16}, vocabulary=VOCABULARY, text="folder")
    torch.manual_seed(0)
    network: Any = build("language", name, description.to_build)
    learner, run = LanguageLearner(network, training), TrainingRun(folder, folder / "snapshots")
    data = LanguageData([TEXT], [TEXT[:100], TEXT[:40]])
    return fit(learner, data, training, seed=0, run=run, description=description), learner


def test_a_network_learns_what_goes_round_and_what_is_watched_is_what_the_evaluation_measures(tmp_path: Path) -> None:
    fitted, _ = train(tmp_path, "gru")
    # Of 138 words, the first of each text may be any.
    assert fitted.metrics["valid_accuracy"] >= 0.97
    scores = score(fitted.model, [TEXT[:100], TEXT[:40]], [])
    assert fitted.metrics["valid_accuracy"] == pytest.approx(scores.accuracy)
    assert np.exp(fitted.metrics["valid_loss"]) == pytest.approx(scores.perplexity, rel=1e-4)


def test_the_state_goes_on_from_batch_to_batch_and_is_empty_where_an_epoch_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    forward = type(build("language", "carried", {"words": 3})).forward

    def watch(network: Any, x: torch.Tensor, state: torch.Tensor | None = None) -> Any:
        logits, after = forward(network, x, state)
        if network.training:
            seen.append((state, after))
        return logits, after

    monkeypatch.setattr("uncrappify.models.language.Carried.forward", watch)
    train(tmp_path, steps=40)
    steps = -(-len(TEXT) // 20)
    assert len(seen) == 40
    for step, (before, _) in enumerate(seen):
        if step % steps == 0:
            assert not before.any()
        else:
            assert torch.equal(before, seen[step - 1][1])
            assert not before.requires_grad


@pytest.mark.parametrize(("name", "ema"), [("carried", 0.0), ("awd_gru", 0.0), ("awd_gru", 0.9)])
def test_a_training_that_is_stopped_goes_on_with_the_state_and_the_dropout_that_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, ema: float
) -> None:
    whole, _ = train(tmp_path / "whole", name, ema=ema)
    step, done = LanguageLearner.training_step, []

    def stop(learner: LanguageLearner, batch: Any, number: int) -> Any:
        done.append(number)
        if len(done) == 30:
            signal.raise_signal(signal.SIGINT)
        return step(learner, batch, number)

    with monkeypatch.context() as patched:
        patched.setattr(LanguageLearner, "training_step", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", name, ema=ema)
    with caplog.at_level("INFO", "uncrappify"):
        again, _ = train(tmp_path / "stopped", name, ema=ema)
    assert "going on at step 30 of 60" in caplog.text
    assert all(torch.equal(value, again.model.state[name]) for name, value in whole.model.state.items())


def test_what_is_remembered_stays_on_one_device() -> None:
    with pytest.raises(ValueError, match=r"stays on one device. Take devices: 1"):
        LanguageTraining.model_validate({"stages": [{"steps": 1}], "devices": 2})
