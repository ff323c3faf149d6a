"""A pipeline of two models: one run with two children, each with what is its own, also after a kill."""

import json
import os
import shutil
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

TEMPLATES = Path(__file__).parent / "templates"
PAIR = """
pair:
  template: toys.pair
  seed: 1
  first:
    model: {upscaler: {scale: 1, channels: 4, blocks: 1}}
    training:
      ema: 0.9
      gradient_clip: 1.0
      precision: fp32
      stages: [{size: 8, batch_size: 2, steps: 60, lr: 1.0e-3, loss: [{l1: 1.0}]}]
  second:
    model: {upscaler: {scale: 1, channels: 4, blocks: 1}}
    training:
      precision: fp32
      stages: [{size: 8, batch_size: 2, steps: 400, lr: 3.0e-3, loss: [{l1: 1.0}]}]
  none:
    model: {upscaler: {scale: 1}}
    training: {stages: []}
"""
RUN = ["run", "--pipeline", "pair"]
NODES = ["pair.split", "pair.first.train", "pair.second.train", "pair.evaluate"]


def add_pair(project):
    (project.root / "conf/base/parameters/pair.yml").write_text(PAIR)
    path = os.pathsep.join([str(Path(__file__).parents[2] / "src"), str(TEMPLATES)])
    return replace(project, environment={**project.environment, "PYTHONPATH": path})


@pytest.fixture
def pair(project):
    return add_pair(project)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, make_project):
    """A run from its beginning to its end."""
    project = add_pair(make_project(tmp_path_factory.mktemp("whole")))
    done = project.kedro(*RUN)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return project


def folder(project, model: str) -> Path:
    return project.root / "data/06_models/pair" / model


def by_name(runs):
    """The runs of one command: its own and those of its models."""
    assert len({run.info.run_name for run in runs}) == len(runs)
    return {run.info.run_name: run for run in runs}


def assert_one_run_with_two_children(runs) -> None:
    named = by_name(runs)
    assert set(named) == {"pair", "first", "second"}
    assert {run.info.status for run in runs} == {"FINISHED"}
    for model in ("first", "second"):
        assert named[model].data.tags["mlflow.parentRunId"] == named["pair"].info.run_id
        assert named[model].data.tags["mlflow.source.name"] == named["pair"].data.tags["mlflow.source.name"]
    assert "mlflow.parentRunId" not in named["pair"].data.tags


def test_a_pipeline_has_one_run_and_a_child_for_each_of_its_models(whole):
    assert_one_run_with_two_children(whole.runs())


def test_each_run_has_the_parameters_that_its_nodes_read(whole):
    runs = by_name(whole.runs())
    assert runs["pair"].data.params == {
        "pair.template": "toys.pair",
        "pair.pictures": "12",
        "pair.seed": "1",
        "pair.evaluation": "{}",
    }
    # Without the model's name, so that they stand side by side.
    first, second = (runs[model].data.params for model in ("first", "second"))
    assert (first["training.stages.0.steps"], second["training.stages.0.steps"]) == ("60", "400")
    assert first.keys() == second.keys()
    assert first["pair.seed"] == "1"


def test_each_run_has_the_metrics_and_the_files_of_its_namespace(whole):
    runs = by_name(whole.runs())
    found = {
        name: {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        for name, run in runs.items()
        for root in [Path(run.info.artifact_uri.removeprefix("file://"))]
    }
    own = {"models/model.safetensors", "models/history.parquet", "models/layers.csv", "reporting/curves.html"}
    assert own | {"reporting/training_metrics.json"} <= found["first"]
    assert own <= found["second"]
    assert not own & found["pair"]
    assert {"model_input/split.parquet", "reporting/comparison.parquet", "parameters.yml"} <= found["pair"]
    assert {"train_critic", "train_loss", "train_seconds"} <= runs["first"].data.metrics.keys()
    assert "train_critic" not in runs["second"].data.metrics
    assert [len(run.outputs.model_outputs) for run in (runs["first"], runs["second"])] == [1, 1]
    # The pipeline's run has the metrics of the model that it delivers, which is the last.
    delivered = runs["pair"].data.metrics
    assert delivered["train_seconds"] == runs["second"].data.metrics["train_seconds"]
    assert delivered["models_trained"] == 2


def test_show_tells_what_the_models_have_learned_from_and_where(whole):
    runs = by_name(whole.runs())
    (told,) = {whole.uncrappify("show", run.info.run_id).stdout for run in runs.values()}
    lines = dict(line.split(maxsplit=1) for line in told.splitlines()[:8] if line)
    assert lines["run"].startswith("pair, FINISHED, ")
    digest = runs["second"].inputs.dataset_inputs[0].dataset.digest
    assert lines["data"] == f"pair.split {digest}"
    assert lines["machine"].endswith(f", GPU: {runs['second'].data.tags['hardware.gpu']}")
    assert runs["second"].data.tags["hardware.torch"] in lines["versions"]


def test_two_optimizers_see_every_batch_once_and_the_average_leaves_the_critic_alone(whole):
    history = pd.read_parquet(folder(whole, "first") / "history.parquet")
    assert history["step"].max() == 59
    assert history["train_critic"].notna().sum() == 60
    layers = pd.read_csv(folder(whole, "first") / "layers.csv")
    weights = load_file(folder(whole, "first") / "model.safetensors")
    assert layers["parameters"].sum() == sum(tensor.numel() for tensor in weights.values())
    assert {"head.weight", "tail.weight"} <= weights.keys()


def test_the_weights_of_the_best_validation_are_delivered(whole):
    history = pd.read_parquet(folder(whole, "second") / "history.parquet")
    watched = history["valid_psnr"].dropna()
    checkpoint = json.loads((folder(whole, "second") / "training.json").read_text())
    assert checkpoint["finished"] is True
    assert len(watched) == 10
    import torch

    state = torch.load(folder(whole, "second") / "checkpoints/stage0.ckpt", weights_only=True)
    best = state["callbacks"]["Delivery"]["best"]
    assert best["value"] == pytest.approx(watched.max(), abs=1e-5)
    weights = load_file(folder(whole, "second") / "model.safetensors")
    assert all(torch.equal(tensor, best["state"][name]) for name, tensor in weights.items())


def test_a_model_without_stages_and_weights_is_none(whole):
    assert not folder(whole, "none").exists()
    table = pd.read_parquet(whole.root / "data/08_reporting/pair/comparison.parquet")
    assert table["method"].tolist() == ["first", "second"]


def test_tags_train_one_model_and_name_the_other_as_not_trained(pair):
    done = pair.kedro(*RUN, "--tags", "data,first,evaluation", "--params", "smoke=true")
    assert (done.returncode, done.stderr) == (0, "")
    assert "pair.second.train" not in done.stdout
    data = pair.root / "data/smoke"
    table = pd.read_parquet(data / "08_reporting/pair/comparison.parquet").set_index("method")["trained"]
    assert table["second"] == "not trained"
    assert float(table["first"]) > 0
    assert set(by_name(pair.runs())) == {"pair", "first"}


def test_what_is_trained_is_kept_where_only_the_evaluation_has_changed(whole, tmp_path):
    project = replace(whole, root=shutil.copytree(whole.root, tmp_path / "again"))
    before = {model: (folder(project, model) / "model.safetensors").read_bytes() for model in ("first", "second")}
    done = project.kedro(*RUN, "--params", "pair.evaluation.rows=3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("trained before with the same data and parameters") == 2
    for model, content in before.items():
        assert (folder(project, model) / "model.safetensors").read_bytes() == content
    old, new = project.runs()[:3], project.runs()[3:]
    assert_one_run_with_two_children(new)
    for model in ("first", "second"):
        curves = [
            [point.step for point in project.client.get_metric_history(by_name(runs)[model].info.run_id, "train_loss")]
            for runs in (old, new)
        ]
        assert curves[0] == curves[1]


def test_a_kill_in_the_second_training_costs_neither_the_first_nor_a_bit_of_the_second(
    pair, whole, started, wait_until, mlflow_server
):
    worker = replace(pair, environment={**pair.environment, "MLFLOW_TRACKING_URI": mlflow_server.address})
    process = started(worker, *RUN)
    checkpoint = folder(worker, "second") / "checkpoints/stage0.ckpt"
    wait_until(checkpoint.is_file, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert {run.info.status for run in worker.runs()} == {"RUNNING", "FINISHED"}
    first = (folder(worker, "first") / "checkpoints/stage0.ckpt").stat().st_mtime_ns
    done = worker.kedro(*RUN)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert (folder(worker, "first") / "checkpoints/stage0.ckpt").stat().st_mtime_ns == first
    assert "going on at step" in done.stdout
    for model in ("first", "second"):
        name = f"data/06_models/pair/{model}/model.safetensors"
        mine, theirs = (load_file(project.root / name) for project in (worker, whole))
        assert all(mine[key].equal(theirs[key]) for key in theirs)
    assert_one_run_with_two_children(worker.runs())
    assert [len(by_name(worker.runs())[model].outputs.model_outputs) for model in ("first", "second")] == [1, 1]
    here, there = by_name(worker.runs()), by_name(mlflow_server.runs())
    assert set(there) == set(here)
    for name, run in there.items():
        assert run.info.status == "FINISHED"
        assert run.data.tags["uncrappify.local_run_id"] == here[name].info.run_id
        assert run.data.params == here[name].data.params
        assert points(mlflow_server.client, run) == points(worker.client, here[name])
    for model in ("first", "second"):
        assert there[model].data.tags["mlflow.parentRunId"] == there["pair"].info.run_id


def points(client, run) -> Counter:
    """All points of a run, each of which is to be there once."""
    found = Counter(
        (point.key, point.value, point.timestamp, point.step)
        for name in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, name)
    )
    assert set(found.values()) == {1}
    return found
