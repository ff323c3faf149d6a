"""A generator, a critic and both together: three models of one pipeline, on the user's own pictures."""

from __future__ import annotations

import re
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import uncrappify

MODELS = ["generator", "critic", "gan"]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    """Twelve pictures of waves, large enough for the critic."""
    folder = tmp_path_factory.mktemp("photographs")
    y, x = np.mgrid[0:90, 0:110]
    for number in range(12):
        random = np.random.default_rng(number)
        waves = [np.sin(x * a + y * b) for a, b in random.uniform(0.05, 1.5, (3, 2))]
        pixels = (128 + 90 * np.stack(waves, axis=-1)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"wave {number}.png")
    return folder


@pytest.fixture(scope="module")
def restored(tmp_path_factory, make_project, photographs):
    project = make_project(tmp_path_factory.mktemp("restore"))
    values = f"smoke=true,pictures={photographs},restore.evaluation.repeats=2"
    done = project.kedro("run", "--pipeline", "restore", "--params", values)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return project


def test_three_models_have_runs_of_their_own_and_two_are_compared(restored):
    runs = {run.info.run_name: run for run in restored.runs()}
    assert set(runs) == {"restore", *MODELS}
    assert all(runs[name].data.tags["mlflow.parentRunId"] == runs["restore"].info.run_id for name in MODELS)
    wanted = {"psnr_gain_in_text", "psnr_gain_outside_text", "texture_distance", "psnr_standard_error_draws"}
    assert all(wanted <= set(runs[name].data.metrics) for name in ("generator", "gan", "restore"))
    assert runs["restore"].data.metrics["psnr"] == runs["gan"].data.metrics["psnr"]
    assert "valid_accuracy" in runs["critic"].data.metrics
    table = pd.read_parquet(restored.smoke / "08_reporting/restore/comparison.parquet")
    assert table["method"].tolist()[:2] == ["generator", "gan"]
    draws = pd.read_parquet(restored.smoke / "08_reporting/restore/test_draws.parquet")
    assert draws.groupby(["picture", "method"])["draw"].nunique().unique().tolist() == [2]
    assert draws["jpeg.quality"].between(10, 70).all()


def test_the_gan_starts_from_the_generator_and_the_critic_has_seen_the_training_pictures_alone(restored):
    models = restored.smoke / "06_models/restore"
    gan, generator, critic = (
        uncrappify.load(models / name / "model.safetensors").description for name in ("gan", "generator", "critic")
    )
    assert gan.ancestor.run_id == generator.run_id
    assert critic.fakes.fingerprint == gan.ancestor.fingerprint
    split = pd.read_parquet(restored.smoke / "05_model_input/restore/split.parquet").set_index("name")["split"]
    generated = {file.stem for file in (restored.smoke / "05_model_input/restore/generated").rglob("*.png")}
    assert len(generated) == int((split != "test").sum())


def test_a_critic_and_the_gan_are_used_as_any_model(restored):
    models = restored.smoke / "06_models/restore"
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 80, 3), dtype=np.uint8))
    share = uncrappify.load(models / "critic/model.safetensors")(picture)
    assert 0 <= share <= 1
    assert uncrappify.load(models / "gan/model.safetensors")(picture).size == (240, 210)
    mlflow.set_tracking_uri(f"sqlite:///{restored.root / 'mlflow.db'}")
    (run,) = (run for run in restored.runs() if run.info.run_name == "critic")
    logged = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert logged.predict(np.asarray(picture)[None]).tolist() == pytest.approx([share])


def test_the_training_is_a_film(restored):
    reporting = restored.smoke / "08_reporting/restore/gan"
    frames = sorted((reporting / "snapshots/film").glob("*.png"))
    assert [int(frame.stem) for frame in frames] == [0, 1, 2]
    with Image.open(reporting / "film.gif") as film:
        # Pillow shows what did not change for longer, instead of twice.
        assert 1 <= film.n_frames <= 3
    (run,) = (run for run in restored.runs() if run.info.run_name == "gan")
    logged = [file.path for file in restored.client.list_artifacts(run.info.run_id, "images")]
    # MLflow puts the step into the name.
    steps = [re.search(r"film.step.(\d+)\b", path) for path in logged]
    assert {int(step[1]) for step in steps if step} == {0, 1, 2}


def test_a_fresh_project_trains_the_generator_alone_and_says_so(project, photographs):
    values = f"smoke=true,pictures={photographs},restore.evaluation.repeats=1"
    done = project.kedro("run", "--pipeline", "restore", "--tags", "data,generator,evaluation", "--params", values)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert {run.info.run_name for run in project.runs()} == {"restore", "generator"}
    card = (project.smoke / "06_models/restore/README.md").read_text()
    assert card.startswith("The model of this pipeline is **generator**")


def test_pictures_smaller_than_the_crops_are_told_before_anything_learns_from_their_borders(project, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 36, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    done = project.kedro("run", "--pipeline", "restore", "--params", f"smoke=true,pictures={folder}")
    assert done.returncode == 1
    told = " ".join(done.stderr.split())
    assert "generator.training.stages.0.size is 33, and" in told
    assert "training pictures are smaller, such as" in told
    assert "(36x30). Take 30 or less" in told
    assert "Traceback" not in done.stderr
