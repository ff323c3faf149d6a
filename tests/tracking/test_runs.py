"""A training goes on in its own run, belongs to one process, and is not thrown away lightly."""

from pathlib import Path
from typing import Any

import mlflow
import pytest
from kedro.io import DataCatalog
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from uncrappify.datasets import Folder, JsonFile
from uncrappify.errors import UserError
from uncrappify.tracking.runs import Trainings


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    return DataCatalog(
        {
            "superres.checkpoints": Folder(path=str(tmp_path / "superres" / "checkpoints")),
            "superres.training_state": JsonFile(filepath=str(tmp_path / "superres" / "training.json")),
        }
    )


@pytest.fixture
def checkpoint(catalog: DataCatalog) -> Path:
    file: Path = catalog.load("superres.checkpoints") / "stage0.ckpt"
    file.write_text("weights")
    return file


def trainings(catalog: DataCatalog, fingerprint: str = "a") -> Trainings:
    return Trainings(catalog, ["superres"], ["superres"], fingerprint)


@pytest.fixture
def killed(catalog: DataCatalog, checkpoint: Path, experiment: str) -> str:
    """Leave what a process that was killed leaves: a run that seems to go on, a state, a checkpoint."""
    run_id: str = mlflow.MlflowClient().create_run(experiment).info.run_id
    first = trainings(catalog)
    first.begin(run_id)
    first.release()
    return run_id


def test_a_killed_training_goes_on_in_its_run(catalog: DataCatalog, checkpoint: Path, killed: str) -> None:
    again = trainings(catalog)
    assert again.unfinished_run() == killed
    assert checkpoint.is_file()
    again.finish(killed)
    again.release()
    third = trainings(catalog)
    assert third.unfinished_run() is None
    assert not checkpoint.exists()
    third.release()


def test_another_fingerprint_ends_the_run_and_removes_its_checkpoints(
    catalog: DataCatalog, checkpoint: Path, killed: str
) -> None:
    other = trainings(catalog, "b")
    assert other.unfinished_run() is None
    assert not checkpoint.exists()
    run = mlflow.get_run(killed)
    assert run.info.status == "KILLED"
    assert run.data.tags["ended_because"] == "a later run had other parameters or data"
    other.release()


def test_checkpoints_outlive_a_run_that_is_gone_from_the_store(
    catalog: DataCatalog, checkpoint: Path, killed: str
) -> None:
    catalog.save("superres.training_state", {"run_id": "0" * 32, "fingerprint": "a", "finished": False})
    again = trainings(catalog)
    assert again.unfinished_run() is None
    assert checkpoint.is_file()
    again.release()


def test_checkpoints_outlive_a_store_that_does_not_answer(
    catalog: DataCatalog, checkpoint: Path, killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> Any:
        raise MlflowException("try later", error_code=TEMPORARILY_UNAVAILABLE)

    monkeypatch.setattr(mlflow, "get_run", away)
    for fingerprint in ("a", "b"):
        again = trainings(catalog, fingerprint)
        with pytest.raises(UserError, match=r"does not answer .* Run again"):
            again.unfinished_run()
        assert checkpoint.is_file()
        again.release()


def test_two_processes_do_not_train_one_pipeline(catalog: DataCatalog) -> None:
    first = trainings(catalog)
    with pytest.raises(UserError, match="superres: another kedro run works on this pipeline"):
        trainings(catalog, "b")
    first.release()
    trainings(catalog, "b").release()
