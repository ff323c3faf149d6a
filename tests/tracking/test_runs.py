"""A run goes on where it is the same, has a child for each model, and belongs to one process."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from uncrappify.errors import UserError
from uncrappify.tracking.runs import IDENTITY, PipelineRuns, find_given, identify


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], PipelineRuns]]:
    """Open the pipeline's runs as a new process does, after the one before has ended."""
    held: list[PipelineRuns] = []

    def open_runs() -> PipelineRuns:
        for runs in held:
            runs.release()
        held.append(PipelineRuns("pair", tmp_path / "pair"))
        return held[-1]

    yield open_runs
    for runs in held:
        runs.release()


@pytest.fixture
def killed(opened: Callable[[], PipelineRuns], experiment: str) -> str:
    """Leave what a process that was killed leaves: a run that seems to go on, and a note."""
    run_id: str = mlflow.MlflowClient().create_run(experiment, tags={IDENTITY: "same"}).info.run_id
    opened().begin(run_id)
    return run_id


def test_a_killed_run_goes_on_until_it_is_finished(opened: Callable[[], PipelineRuns], killed: str) -> None:
    runs = opened()
    assert runs.find_unfinished("same") == killed
    runs.begin(killed)
    runs.finish()
    assert opened().find_unfinished("same") is None
    assert mlflow.get_run(killed).info.status == "RUNNING"


def test_a_run_with_other_parameters_or_pictures_is_ended(opened: Callable[[], PipelineRuns], killed: str) -> None:
    runs = opened()
    runs.begin(killed)
    child = runs.find_child("cnn")
    assert opened().find_unfinished("other") is None
    for ended in (killed, child):
        run = mlflow.get_run(ended)
        assert run.info.status == "KILLED"
        assert run.data.tags["ended_because"] == "a later run had other parameters, data or experiment"


def test_a_run_that_is_gone_from_the_store_is_no_obstacle(opened: Callable[[], PipelineRuns], killed: str) -> None:
    mlflow.delete_run(killed)
    assert opened().find_unfinished("same") is None
    opened().begin("0" * 32)
    assert opened().find_unfinished("same") is None


def test_a_store_that_does_not_answer_loses_nothing(
    opened: Callable[[], PipelineRuns], killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> Any:
        raise MlflowException("try later", error_code=TEMPORARILY_UNAVAILABLE)

    with monkeypatch.context() as patched:
        patched.setattr(mlflow, "get_run", away)
        with pytest.raises(UserError, match=r"does not answer .* Run again"):
            opened().find_unfinished("same")
    assert opened().find_unfinished("same") == killed


def test_two_processes_do_not_run_one_pipeline(opened: Callable[[], PipelineRuns], tmp_path: Path) -> None:
    opened()
    with pytest.raises(UserError, match="pair: another kedro run works on this pipeline"):
        PipelineRuns("pair", tmp_path / "pair")
    opened()


def test_each_model_has_one_child_below_the_pipelines_run(opened: Callable[[], PipelineRuns], killed: str) -> None:
    runs = opened()
    runs.begin(killed)
    cnn, resnet = runs.find_child("cnn"), runs.find_child("resnet")
    again = opened()
    again.begin(killed)
    assert [again.find_run_of(namespace) for namespace in ("pair", "pair.cnn", "pair.resnet")] == [killed, cnn, resnet]
    child = mlflow.get_run(cnn)
    assert child.info.run_name == "cnn"
    assert child.data.tags["mlflow.parentRunId"] == killed


def test_children_of_another_run_are_not_taken_over(
    opened: Callable[[], PipelineRuns], killed: str, experiment: str
) -> None:
    runs = opened()
    runs.begin(killed)
    before = runs.find_child("cnn")
    runs.begin(mlflow.MlflowClient().create_run(experiment).info.run_id)
    assert runs.find_child("cnn") != before


def test_what_a_node_has_read_is_known_once_it_has_run_to_its_end(opened: Callable[[], PipelineRuns]) -> None:
    runs = opened()
    runs.finish_node("pair.list", {"pair.seed": 1})
    runs.finish_node("pair.split", {})
    runs.finish_node("pair.train", {})
    # What comes after it has been made from what is there no more.
    runs.begin_node("pair.list", ["pair.train"])
    assert opened().record.read == {"pair.split": {}}


@pytest.mark.parametrize("note", ["", "{", "[]", '{"run_id": 5}', "\x00"])
def test_a_note_that_cannot_be_read_is_that_of_no_run(
    opened: Callable[[], PipelineRuns], tmp_path: Path, note: str
) -> None:
    (tmp_path / "pair").mkdir()
    (tmp_path / "pair" / "run.json").write_text(note)
    runs = opened()
    assert runs.find_unfinished("same") is None
    runs.finish()
    assert json.loads((tmp_path / "pair" / "run.json").read_text())["finished"] is True


def test_only_children_of_this_process_are_ended(opened: Callable[[], PipelineRuns], killed: str) -> None:
    runs = opened()
    runs.begin(killed)
    before = runs.find_child("cnn")
    again = opened()
    again.begin(killed)
    mine = again.find_child("resnet")
    again.end_children("FINISHED")
    assert [mlflow.get_run(run_id).info.status for run_id in (before, mine)] == ["RUNNING", "FINISHED"]


def test_a_run_is_the_same_by_its_nodes_what_they_read_and_the_users_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    read = {"pair.list": {"pair.seed": 1}}
    before = identify(read, [tmp_path])
    assert identify({"pair.list": {"pair.seed": 1}}, [tmp_path, tmp_path / "nowhere"]) == before
    assert identify({"pair.list": {"pair.seed": 2}}, [tmp_path]) != before
    assert identify({**read, "pair.split": {}}, [tmp_path]) != before
    (tmp_path / "b.png").write_bytes(b"two")
    assert identify(read, [tmp_path]) != before


@pytest.fixture
def unnoted(opened: Callable[[], PipelineRuns], experiment: str) -> str:
    """Leave what a process leaves that was killed after its run had begun, and before it was noted."""
    return opened().create(experiment, "same")


def status(run_id: str) -> str:
    return str(mlflow.get_run(run_id).info.status)


def test_a_run_that_was_killed_before_it_was_noted_goes_on(
    opened: Callable[[], PipelineRuns], unnoted: str, experiment: str
) -> None:
    runs = opened()
    runs.find_dead()
    assert runs.find_unfinished("same", experiment) == unnoted
    runs.begin(unnoted)
    assert status(unnoted) == "RUNNING"
    assert opened().find_unfinished("same", experiment) == unnoted


@pytest.mark.parametrize("note", ["", "{", "[]", '{"run_id": 5}', "\x00", '{"read": null}'])
def test_a_broken_note_forgets_neither_run_nor_children(
    opened: Callable[[], PipelineRuns], unnoted: str, tmp_path: Path, note: str
) -> None:
    runs = opened()
    runs.begin(unnoted)
    child = runs.find_child("cnn")
    (tmp_path / "pair" / "run.json").write_text(note)
    again = opened()
    again.find_dead()
    assert again.find_unfinished("same") == unnoted
    again.begin(unnoted)
    assert again.find_child("cnn") == child
    (tmp_path / "pair" / "run.json").write_text(note)
    other = opened()
    other.find_dead()
    assert other.find_unfinished("other") is None
    assert [status(run_id) for run_id in (unnoted, child)] == ["KILLED", "KILLED"]


def test_a_killed_run_ends_with_the_next_one_of_another_pipeline_unless_its_process_is_there(
    opened: Callable[[], PipelineRuns], unnoted: str, tmp_path: Path
) -> None:
    other = PipelineRuns("other", tmp_path / "other")
    other.find_dead()
    assert status(unnoted) == "RUNNING"
    runs = opened()
    runs.begin(unnoted)
    runs.release()
    other.find_dead()
    other.release()
    assert status(unnoted) == "KILLED"
    assert opened().find_unfinished("same") == unnoted


def test_a_run_of_another_project_in_the_same_store_is_left_alone(
    opened: Callable[[], PipelineRuns], unnoted: str, tmp_path: Path
) -> None:
    other = PipelineRuns("pair", tmp_path / "another clone" / "pair")
    other.find_dead()
    assert other.find_unfinished("same") is None
    other.release()
    assert status(unnoted) == "RUNNING"


def test_a_killed_run_ends_where_nothing_is_left_to_do(opened: Callable[[], PipelineRuns], unnoted: str) -> None:
    runs = opened()
    runs.find_dead()
    runs.end_dead()
    assert status(unnoted) == "KILLED"


def test_a_run_that_is_given_has_to_be_there_and_to_have_the_same_parameters(experiment: str) -> None:
    run = mlflow.MlflowClient().create_run(experiment)
    mlflow.log_params({"pair.seed": "1"}, run_id=run.info.run_id)
    assert find_given(run.info.run_id, {"pair.seed": "1", "pair.new": "2"}).info.run_id == run.info.run_id
    with pytest.raises(UserError, match=r"MLFLOW_RUN_ID: the run \w+ has pair\.seed=1, and a run's parameters never"):
        find_given(run.info.run_id, {"pair.seed": "2"})
    mlflow.delete_run(run.info.run_id)
    for nothing in (run.info.run_id, "0" * 32, "no id/at all", ".."):
        with pytest.raises(UserError, match="MLFLOW_RUN_ID: there is no run"):
            find_given(nothing, {})
