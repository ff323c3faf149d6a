"""The ladder of language models: the lesson's numbers, and a text of the user's own that is gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

MODELS = [f"model{number}" for number in range(8)]


@pytest.fixture(scope="module")
def lesson(tmp_path_factory, make_project):
    """The lesson's settings, in a fresh project."""
    project = make_project(tmp_path_factory.mktemp("lesson"))
    done = project.kedro("run", "--env", "lesson", "--pipeline", "numbers", "--params", "smoke=true")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return project


def test_eight_networks_climb_each_with_a_run_of_its_own_and_the_lessons_text_is_watched(lesson):
    table = pd.read_parquet(lesson.smoke / "08_reporting/numbers/comparison.parquet")
    assert table["model"].tolist() == MODELS
    assert sorted(table["note"]) == [""] * 7 + ["delivered"]
    runs = {run.info.run_name: run for run in lesson.runs()}
    assert set(runs) == {"numbers", *MODELS}
    assert all(runs[name].data.tags["mlflow.parentRunId"] == runs["numbers"].info.run_id for name in MODELS)
    assert {"accuracy", "perplexity", "numbers_right", "free_run_length"} <= set(runs["model5"].data.metrics)
    split = pd.read_parquet(lesson.smoke / "05_model_input/numbers/split.parquet")
    assert (split["end"] - split["start"]).tolist() == [50_078, 13_016]
    assert len(np.load(lesson.smoke / "04_feature/numbers/tokens.npy")) == 63_099


def test_the_delivered_model_goes_on_counting_and_as_a_model_of_mlflow_too(lesson):
    delivered = json.loads((lesson.smoke / "06_models/numbers/delivered.json").read_text())["model"]
    weights = lesson.smoke / f"06_models/numbers/{delivered}/model.safetensors"
    done = lesson.uncrappify("count", "seven thousand nine hundred ninety eight ,", "--weights", str(weights))
    assert (done.returncode, done.stderr) == (0, "")
    mlflow.set_tracking_uri(f"sqlite:///{lesson.root / 'mlflow.db'}")
    (run,) = (run for run in lesson.runs() if run.info.run_name == delivered)
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    written = model.predict(np.array(["one, two, three,", "ninety eight,"]))
    assert written.shape == (2,)
    assert str(written[1]).startswith("ninety eight,")


def test_a_folder_of_texts_becomes_a_model_that_goes_on_writing(project, tmp_path: Path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/story.txt").write_text("Once upon a time there was a mole. It dug, and dug. " * 1200)
    values = f"smoke=true,text={tmp_path / 'texts'}"
    done = project.kedro("run", "--pipeline", "numbers", "--tags", "data,model5,evaluation", "--params", values)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    table = pd.read_parquet(project.smoke / "08_reporting/numbers/comparison.parquet").set_index("model")
    assert table.loc["model5", "note"] == "delivered"
    assert set(table["note"].drop("model5")) == {"not trained"}
    weights = str(project.smoke / "06_models/numbers/model5/model.safetensors")
    done = project.uncrappify("continue", "Once upon a", "--words", "5", "--weights", weights)
    assert done.returncode == 0
    assert done.stdout.startswith("Once upon a")
    refused = project.uncrappify("count", "one ,", "--weights", weights)
    assert refused.returncode == 1
    assert "does not count" in refused.stderr


def test_pictures_are_refused_before_anything_runs(project, tmp_path: Path):
    done = project.kedro("run", "--pipeline", "numbers", "--params", f"pictures={tmp_path}")
    assert done.returncode == 1
    assert "learns from texts. Give a folder with .txt files instead" in " ".join(done.stderr.split())
