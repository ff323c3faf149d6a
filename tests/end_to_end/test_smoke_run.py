"""What `kedro run --pipeline superres` leaves behind, on the terminal, on disk and in MLflow, for further commands."""

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE, STDOUT
from urllib.request import urlopen

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io.catalog_config_resolver import CatalogConfigResolver
from mlflow import MlflowClient
from mlflow.entities import Run

import uncrappify
from uncrappify.parameters.tree import complete, flatten, keep_below_smoke
from uncrappify.pipeline_registry import register_pipelines

NODES = ["download", "list", "crappify", "split", "train", "evaluate"]
TIMED = re.compile(r"✓ superres\.(\w+) +\d+\.\d s")


@pytest.fixture(scope="module")
def run(smoke_run) -> Run:
    (run,) = smoke_run.project.runs()
    return run


@pytest.fixture(scope="module")
def artifacts(smoke_run, run: Run) -> Path:
    return Path(run.info.artifact_uri.removeprefix("file://"))


def test_the_terminal_shows_a_line_a_node_the_comparison_and_where_everything_is(smoke_run):
    lines = [line.strip() for line in smoke_run.stdout.splitlines()]
    assert [match[1] for line in lines[: len(NODES)] if (match := TIMED.fullmatch(line))] == NODES
    assert lines[len(NODES)] == "superres"
    (rule,) = (place for place, line in enumerate(lines) if set(line) == {"─"})
    assert [line.split()[0] for line in lines[rule + 1 : -7]] == ["model", "nearest", "bilinear", "bicubic", "lanczos"]
    assert lines[-1] == "A smoke run trains two steps a stage: its figures mean nothing."
    closing = [re.split(r"\s{2,}", line) for line in lines[-7:-1]]
    assert closing == [
        ["superres.curves", "data/smoke/08_reporting/superres/curves.html"],
        ["superres.damage", "data/smoke/08_reporting/superres/damage.png"],
        ["superres.model", "data/smoke/06_models/superres/model.safetensors"],
        ["superres.sheet", "data/smoke/08_reporting/superres/sheet.png"],
        ["compare runs", "uncrappify ui"],
        ["see the pipeline", "kedro viz run"],
    ]


def test_no_library_speaks_on_the_terminal_and_the_log_file_has_the_rest(smoke_run):
    assert smoke_run.stderr == ""
    assert "WARNING" not in smoke_run.stdout
    log = smoke_run.project.log
    for library in ("kedro.runner", "lightning.pytorch", "mlflow.store.db", "py.warnings"):
        assert library in log
    assert "ERROR" not in log


def test_a_smoke_run_keeps_everything_in_a_place_of_its_own(smoke_run):
    assert [path.name for path in (smoke_run.project.root / "data").iterdir()] == ["smoke"]


def test_every_dataset_of_the_pipeline_is_there_and_nothing_half_written(smoke_run):
    root = smoke_run.project.root
    catalog = yaml.safe_load((root / "conf/base/catalog.yml").read_text())
    names = {name for name in register_pipelines()["superres"].datasets() if not name.startswith("params:")}
    resolver = CatalogConfigResolver(keep_below_smoke(catalog))
    for name in names:
        entry = resolver.resolve_pattern(name)
        assert (root / (entry.get("filepath") or entry["path"])).exists(), name
    assert smoke_run.project.leftovers() == []
    state = json.loads((smoke_run.project.smoke / "06_models/superres/training.json").read_text())
    assert state["finished"] is True


def test_mlflow_has_one_finished_run_of_the_pipelines_name(run: Run):
    assert (run.info.run_name, run.info.status) == ("superres", "FINISHED")


def test_all_parameters_are_in_mlflow_by_dotted_names_with_plain_values(smoke_run, run: Run):
    section = yaml.safe_load((smoke_run.project.root / "conf/base/parameters/superres.yml").read_text())
    tree = complete(section | {"smoke": True}, section)
    # Of the network that it is not, none.
    assert tree["superres"]["model"].pop("unet")
    expected = {name: str(value) for name, value in flatten({"superres": tree["superres"]})}
    assert run.data.params == expected
    assert run.data.params["superres.training.stages.0.lr"] == "0.0015"
    assert run.data.params["superres.training.stages.0.steps"] == "2"
    assert float(run.data.params["superres.recipe.0.resize.factor"]) == 3


def test_the_metrics_are_in_mlflow_and_agree_with_the_files(smoke_run, run: Run):
    metrics, root = run.data.metrics, smoke_run.project.smoke
    reporting = root / "08_reporting/superres"
    for stage in ("listing", "training", "test"):
        for name, value in json.loads((reporting / f"{stage}_metrics.json").read_text()).items():
            assert metrics[name] == pytest.approx(value, abs=1e-9), name
    named = {"psnr", "ssim", "psnr_gain_over_bicubic", "train_seconds", "images_per_second", "data_wait_share"}
    assert named | {"peak_memory_mb", "pictures_unusable"} <= metrics.keys()
    scores = pd.read_parquet(reporting / "scores.parquet")
    assert metrics["psnr"] == pytest.approx(scores.loc[scores["method"] == "model", "psnr"].mean())
    assert 5 < metrics["psnr"] < 40
    assert 0 < metrics["ssim"] < 1
    assert 0 <= metrics["data_wait_share"] < 1
    assert metrics["pictures_unusable"] == 0
    photographs = list((root / "01_raw/embedded").iterdir())
    assert metrics["pictures_usable"] == len(photographs) > 8


@pytest.mark.parametrize("name", ["train_loss", "valid_loss", "valid_psnr"])
def test_the_history_in_mlflow_is_that_of_the_file(smoke_run, run: Run, name: str):
    points = smoke_run.project.client.get_metric_history(run.info.run_id, name)
    history = pd.read_parquet(smoke_run.project.smoke / "06_models/superres/history.parquet")
    measured = history[["step", name]].dropna()
    by_step = {point.step: point.value for point in points}
    assert len(points) == len(by_step) == len(measured)
    assert by_step == pytest.approx(dict(zip(measured["step"], measured[name], strict=True)))


def test_the_tags_say_which_commit_command_environment_and_machine(smoke_run, run: Run):
    tags = run.data.tags
    assert tags["mlflow.source.git.commit"] == smoke_run.commit
    assert tags["git_dirty"] == "true"
    assert tags["env"] == "local"
    assert json.loads(tags["params"]) == {"smoke": True}
    assert tags["kedro_command"] == "kedro run --pipeline superres --params smoke=true"
    assert {"hardware.cpu", "hardware.cores", "hardware.memory_gb", "hardware.gpu"} <= tags.keys()
    assert int(tags["hardware.cores"]) >= 1
    assert tags["hardware.precision"] in ("32-true", "bf16-mixed")


def test_the_split_is_a_dataset_input_with_a_digest(run: Run):
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.name == "superres.split"
    assert len(given.dataset.digest) == 8
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]


def test_pictures_curves_scores_and_weights_are_artifacts(artifacts: Path):
    found = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file()}
    wanted = {"sheet.png", "damage.png", "curves.html", "scores.parquet", "comparison.parquet", "snapshots/batch.png"}
    assert {f"reporting/{name}" for name in wanted} <= found
    assert {"models/model.safetensors", "models/README.md", "models/history.parquet", "models/layers.csv"} <= found
    assert "model_input/split.parquet" in found


def test_the_logged_model_and_the_file_enlarge_a_picture_alike(smoke_run, run: Run):
    mlflow.set_tracking_uri(f"sqlite:///{smoke_run.project.root / 'mlflow.db'}")
    (output,) = run.outputs.model_outputs
    model = mlflow.pyfunc.load_model(f"models:/{output.model_id}")
    picture = np.random.default_rng(0).integers(0, 256, (1, 20, 30, 3), dtype=np.uint8)
    enlarged = model.predict(picture)
    assert enlarged.shape == (1, 60, 90, 3)
    assert enlarged.dtype == np.uint8
    restore = uncrappify.load(smoke_run.project.smoke / "06_models/superres/model.safetensors")
    assert np.array_equal(restore(picture[0]), enlarged[0])


def test_the_model_card_and_the_weights_name_the_run_and_the_commit(smoke_run, run: Run):
    card = (smoke_run.project.smoke / "06_models/superres/README.md").read_text()
    assert run.info.run_id in card
    assert smoke_run.commit in card
    assert "public domain (NASA)" in card


def test_evaluate_alone_works_in_a_new_process_and_gives_the_same_scores(trained, smoke_run):
    before = pd.read_parquet(trained.smoke / "08_reporting/superres/scores.parquet")
    (trained.smoke / "08_reporting/superres/scores.parquet").unlink()
    done = trained.kedro("run", "--from-nodes", "superres.evaluate", "--params", "smoke=true")
    assert (done.returncode, done.stderr) == (0, "")
    assert "superres.evaluate" in done.stdout
    assert "superres.train" not in done.stdout
    after = pd.read_parquet(trained.smoke / "08_reporting/superres/scores.parquet")
    pd.testing.assert_frame_equal(before, after)
    old, new = trained.runs()
    assert (new.info.run_name, new.info.status) == ("superres", "FINISHED")
    assert new.data.metrics["psnr"] == old.data.metrics["psnr"]
    # Only what its node has read.
    assert {name.split(".")[1] for name in new.data.params} == {"template", "recipe", "seed", "evaluation"}
    assert "superres.source.kind" in old.data.params


def test_a_parameter_that_only_left_out_nodes_read_is_refused(trained, pictures):
    parameters = f"smoke=true,pictures={pictures}"
    done = trained.kedro("run", "--from-nodes", "superres.evaluate", "--params", parameters)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert said.startswith(
        'Error: superres.source.kind: superres.download, which this run leaves out, ran with "embedded"'
    )
    assert said.endswith("(--from-nodes superres.download), or leave superres.source.kind as it was.")
    assert len(trained.runs()) == 1


def test_where_nothing_is_missing_nothing_runs(trained):
    done = trained.kedro("run", "--only-missing-outputs", "--params", "smoke=true")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "Nothing to do: everything is there already."
    assert len(trained.runs()) == 1


def find_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def is_answering(address: str) -> bool:
    try:
        with urlopen(f"{address}/health", timeout=5):
            return True
    except OSError:
        return False


def test_the_page_is_ended_with_all_its_processes_and_without_a_traceback(trained):
    address = find_address()
    command = [sys.executable, "-m", "uncrappify", "ui", "--port", address.rpartition(":")[2]]
    with subprocess.Popen(command, cwd=trained.root, stdout=PIPE, stderr=STDOUT, text=True) as process:
        while not is_answering(address):
            assert process.poll() is None
            time.sleep(0.1)
        process.terminate()
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "Traceback" not in told
    assert not is_answering(address)


def test_mlflows_page_opens_with_the_runs(trained, started, wait_until):
    address = find_address()
    wait_until(lambda: is_answering(address), started(trained, "mlflow", "ui", "--port", address.rpartition(":")[2]))
    with urlopen(address, timeout=30) as page:
        assert "MLflow" in page.read().decode()
    client = MlflowClient(address)
    found = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert [run.info.run_id for run in found] == [run.info.run_id for run in trained.runs()]
