"""Weights are found by a file, a pipeline, a run or a registered name, and what is not there is said with what is."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from uncrappify.application import weights
from uncrappify.application.weights import open_weights
from uncrappify.datasets import RestorationDescription, TrainedModel, Weights
from uncrappify.errors import UserError
from uncrappify.inference.mlflow_model import log_model
from uncrappify.models import build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"scale": 2, "channels": 4, "blocks": 1}
    description = RestorationDescription(model="upscaler", options=options, scale=2, recipe=[])
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    network = build("restoration", "upscaler", options)
    Weights(filepath=str(path)).save(TrainedModel(dict(network.state_dict()), description))
    return path


@pytest.fixture
def client(experiment: str, sqlite_store: str, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    client = MlflowClient(sqlite_store)
    monkeypatch.setattr(weights, "_client", lambda: client)
    return client


def open_bytes(given: str) -> bytes:
    with open_weights(given) as found:
        return found.read_bytes()


def refuse(given: str) -> str:
    with pytest.raises(UserError) as caught:
        open_bytes(given)
    return str(caught.value)


def test_a_file_is_taken_as_it_is(file: Path) -> None:
    with open_weights(str(file)) as found:
        assert found == file


def test_a_run_and_a_registered_model_have_the_weights_that_were_logged(
    file: Path, client: MlflowClient, experiment: str
) -> None:
    start = partial(mlflow.start_run, experiment_id=experiment)
    with start(run_name="pipeline") as parent, start(run_name="cnn", nested=True) as run:
        log_model(file)
    assert open_bytes(run.info.run_id) == file.read_bytes()
    # Its only child has one.
    assert open_bytes(parent.info.run_id) == file.read_bytes()
    client.create_registered_model("nice")
    model = client.get_run(run.info.run_id).outputs.model_outputs[0].model_id
    version = client.create_model_version("nice", f"models:/{model}", run.info.run_id)
    client.set_registered_model_alias("nice", "best", version.version)
    assert open_bytes("models:/nice@best") == file.read_bytes()
    assert open_bytes("models:/nice/1") == file.read_bytes()
    assert refuse("models:/nice@worst") == "nice has no alias 'worst'. Aliases: @best; versions: 1."
    assert refuse("models:/nice/7") == "nice has no version '7'. Aliases: @best; versions: 1."
    assert 'no registered model "nicer"; did you mean "nice"? Registered: nice.' in refuse("models:/nicer@best")
    assert "expected models:/<name>@<alias>" in refuse("models:/nice")


def test_a_run_that_is_not_there_is_said_with_the_latest(client: MlflowClient, experiment: str) -> None:
    with mlflow.start_run(experiment_id=experiment, run_name="superres") as run:
        pass
    assert f"{run.info.run_id} (superres)" in refuse("0" * 32)
    assert "has no model: it has trained none" in refuse(run.info.run_id)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "conf" / "base" / "parameters", tmp_path / "conf" / "base" / "parameters")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_pipelines_name_is_what_it_delivers(project: Path, file: Path) -> None:
    assert "superres is not trained yet. Train it first: kedro run --pipeline superres" in refuse("superres")
    assert "digits.cnn is not trained yet" in refuse("digits.cnn")
    target = project / "data" / "06_models" / "superres" / "model.safetensors"
    target.parent.mkdir(parents=True)
    shutil.copy(file, target)
    assert open_bytes("superres") == file.read_bytes()


def test_a_name_that_is_none_is_said_with_those_that_are(project: Path) -> None:
    message = refuse("superes")
    assert message.startswith('"superes" is no file, pipeline, run or registered model; did you mean "superres"?')
    assert "digits.cnn" in message
    assert "apply" not in message
    assert 'There is no model of digits "cn"; did you mean "cnn"?' in refuse("digits.cn")
    assert refuse("superres.foo") == "superres has one model, which goes by the pipeline's name: superres."
    assert "landscape delivers no model" in refuse("landscape")
    assert "apply trains no model" in refuse("apply")
