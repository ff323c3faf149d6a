"""The nodes of a language pipeline, one after the other, on numbers and on a text of another kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from uncrappify.datasets import TrainedModel, TrainingRun, Weights
from uncrappify.errors import UserError
from uncrappify.models.parameters import LanguageModel
from uncrappify.pipelines.language import nodes
from uncrappify.pipelines.language.parameters import VocabularyOptions
from uncrappify.sources import TextFolderOptions, TextSource
from uncrappify.text.parts import take_part
from uncrappify.training.parameters import LanguageTraining

pytestmark = pytest.mark.usefixtures("one_thread")
Prepared = dict[str, Any]


def prepare(source: TextSource, kind: str, valid: int = 8) -> Prepared:
    tokens, vocabulary = nodes.tokenize(nodes.write(source), VocabularyOptions())
    split = nodes.split(tokens, vocabulary, source, kind, valid, 20, seed=1)
    return {"tokens": tokens, "vocabulary": vocabulary, "split": split, "source": source}


@pytest.fixture(scope="module")
def numbers() -> Prepared:
    return prepare(TextSource(), "lesson")


@pytest.fixture
def own(tmp_path: Path) -> Prepared:
    (tmp_path / "texts").mkdir()
    for name, words in (("a", "The cat sat on the mat. "), ("b", "A dog ran to a log! ")):
        (tmp_path / f"texts/{name}.txt").write_text(words * 200)
    return prepare(TextSource(kind="folder", folder=TextFolderOptions(path=str(tmp_path / "texts"))), "blocks")


def train(prepared: Prepared, folder: Path, name: str = "gru", **model: Any) -> TrainedModel:
    training = LanguageTraining.model_validate(
        {"precision": "fp32", "threads": 1, "stages": [{"batch_size": 8, "bptt": 10, "steps": 40, "lr": 0.02}]}
    )
    network = LanguageModel.model_validate({"name": name, name: {"width": 16}, **model})
    run = TrainingRun(folder / name, folder / "snapshots")
    trained, *_ = nodes.train(**prepared, model=network, training=training, seed=0, run=run)
    return trained


def evaluate(prepared: Prepared, **models: TrainedModel | None) -> tuple[Any, ...]:
    return nodes.evaluate(**prepared, delivers="best", **{f"{name}_model": model for name, model in models.items()})


def test_the_models_are_compared_and_the_best_is_delivered(numbers: Prepared, tmp_path: Path) -> None:
    models = {"gru": train(numbers, tmp_path), "loop": None}
    table, ladder, delivered, metrics, card, gru, gru_card, loop, loop_card = evaluate(numbers, **models)
    assert table["note"].tolist() == ["delivered", "not trained"]
    assert delivered == {"model": "gru"}
    assert len(ladder.data) == 3
    # 13,016 words follow the mark of the beginning.
    assert gru["accuracy"] * 13_016 == pytest.approx(round(gru["accuracy"] * 13_016), abs=1e-6)
    assert metrics["accuracy"] == gru["accuracy"]
    assert {"perplexity", "numbers_right", "free_run_length", "accuracy_thousands", "train_seconds"} <= set(metrics)
    assert "| gru |" in card
    assert "of 13,016 words of the test are predicted" in gru_card
    assert (loop, loop_card) == ({}, "")


def test_a_model_of_another_text_is_left_out(numbers: Prepared, own: Prepared, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model of this pipeline is trained on this data"):
        evaluate(numbers, gru=train(own, tmp_path))


def test_a_text_of_ones_own_is_learned_and_what_is_written_has_its_words(own: Prepared, tmp_path: Path) -> None:
    from uncrappify.inference import load_predictor

    trained = train(own, tmp_path)
    data = trained.description.data
    assert (data.source, data.words) == ("texts", sum(map(len, take_part(own["tokens"], own["split"], "train"))))
    table, ladder, *_ = evaluate(own, gru=trained)
    assert table["accuracy"][0] > 0.9
    assert list(table) == ["model", "parameters", "accuracy", "perplexity", "seconds", "note"]
    assert len(ladder.data) == 1
    Weights(filepath=str(tmp_path / "model.safetensors")).save(trained)
    writer = load_predictor(tmp_path / "model.safetensors")
    assert writer("The cat sat on").startswith("The cat sat on the mat. The cat sat on the mat. The")
    # Drawn anew with another seed.
    drawn = {writer.write("A", words=40, temperature=3.0, seed=seed) for seed in (1, 1, 2)}
    assert len(drawn) == 2
    assert next(iter(writer.predict("the cat sat on"))) == "the"
    assert writer.find_unknown("The lion sat") == ["lion"]
    with pytest.raises(UserError, match=r"does not count.*uncrappify continue"):
        writer.count("one ,", 2)


def test_without_watched_blocks_the_test_is_watched_in_rows_and_the_card_says_so(tmp_path: Path) -> None:
    prepared = prepare(TextSource(), "lesson", valid=0)
    trained = train(prepared, tmp_path)
    assert trained.description.watched == "test"
    *_, card = evaluate(prepared, gru=trained)
    assert "The test was watched while it was trained" in card


def test_the_content_of_a_training_is_what_is_learned_from_and_watched(numbers: Prepared) -> None:
    known = {key: numbers[key] for key in ("tokens", "vocabulary", "split")}
    tokens, split = known["tokens"], known["split"]

    def change(part: str) -> str:
        other = np.array(tokens)
        row = split[split["split"] == part].iloc[0]
        other[row["start"] + 1] += 1
        return nodes.hash_texts(**{**known, "tokens": other})

    unchanged = nodes.hash_texts(**known)
    assert change("test") == unchanged
    assert change("train") != unchanged
    assert change("valid") != unchanged
    words = {"words": [*known["vocabulary"]["words"][:-1], "other"]}
    assert nodes.hash_texts(**{**known, "vocabulary": words}) != unchanged


def test_weights_that_know_other_words_are_refused(numbers: Prepared, own: Prepared, tmp_path: Path) -> None:
    Weights(filepath=str(tmp_path / "own.safetensors")).save(train(own, tmp_path))
    with pytest.raises(UserError, match=r"gru.model.weights: these weights know other words \(\d+ of them\)"):
        train(numbers, tmp_path / "again", weights=str(tmp_path / "own.safetensors"))


def test_a_text_without_words_and_one_that_is_too_short_are_refused(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("the cat " * 30)
    short = prepare(TextSource(kind="folder", folder=TextFolderOptions(path=str(tmp_path / "texts"))), "blocks")
    with pytest.raises(
        UserError, match=r"\.gru.training.stages.0: there are \d\d words to learn from, .* takes 8 x 10"
    ):
        train(short, tmp_path)
    (tmp_path / "texts/a.txt").write_text("each word once and never again")
    with pytest.raises(UserError, match=r"no word is there 2 times \(vocabulary.smallest_count\)"):
        prepare(TextSource(kind="folder", folder=TextFolderOptions(path=str(tmp_path / "texts"))), "blocks")


def test_a_text_that_has_not_a_word_for_each_part_is_refused(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("go go go")
    with pytest.raises(UserError, match=r"the text has 4 words, too few to have some for \w+. Give more text"):
        prepare(TextSource(kind="folder", folder=TextFolderOptions(path=str(tmp_path / "texts"))), "blocks")


def test_every_row_of_the_split_has_a_name_of_its_own(numbers: Prepared) -> None:
    split: pd.DataFrame = numbers["split"]
    assert split["name"].is_unique
    assert set(split["split"]) == {"train", "valid", "test"}
