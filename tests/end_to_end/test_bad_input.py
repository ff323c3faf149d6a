"""Mistakes at the command line: one short paragraph that says what, where and what to do, and no traceback."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from uncrappify.degradations.step import STEPS
from uncrappify.losses import LOSSES


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Check the form of an error and give its text on one line."""
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr) < 600
    assert "\n\n" not in done.stderr
    return " ".join(done.stderr.split())


def test_unknown_model_loss_and_step_list_the_known_ones(project):
    project.environment_file(
        "wrong",
        """
superres:
  model: {name: upscalr}
  recipe: [{jpg: {quality: 3}}]
  training:
    stages: [{size: 72, steps: 2, loss: [{charbonier: 1.0}]}]
""",
    )
    text = complaint(project.kedro("run", "--env", "wrong"))
    assert 'superres.model.name: there is no choice "upscalr"; did you mean "upscaler"?' in text
    assert 'superres.training.stages.0.loss: there is no loss "charbonier"; did you mean "charbonnier"?' in text
    assert ", ".join(LOSSES) in text
    assert 'there is no step "jpg"; did you mean "jpeg"?' in text
    assert ", ".join(sorted(STEPS)) in text
    assert project.client.get_experiment_by_name("uncrappify") is None


def test_missing_weights_of_a_loss_are_told_before_anything_is_done(project, tmp_path: Path):
    stages = "[{size: 72, steps: 2, loss: [{feature: {backend: vgg16_bn}}]}]"
    project.environment_file("lossy", f"superres: {{training: {{stages: {stages}}}}}")
    project.environment["TORCH_HOME"] = str(tmp_path / "empty")
    text = complaint(project.kedro("run", "--env", "lossy"))
    assert "needs torchvision's ImageNet weights, 528 MB, and there is no" in text
    assert "TORCH_HOME=<folder>" in text
    assert not (project.root / "data/01_raw").exists()


def test_what_has_not_run_yet_is_told_where_it_is_wanted(project):
    text = complaint(project.kedro("run", "--from-nodes", "superres.evaluate"))
    assert (
        "superres.raw is not there yet: the node superres.download makes it, and this run leaves that node out." in text
    )
    assert "(--from-nodes superres.download)" in text


def test_an_environment_that_is_not_there_is_told(project):
    assert "conf/nowhere" in complaint(project.kedro("run", "--env", "nowhere"))


def test_yaml_that_cannot_be_read_is_named(project):
    project.environment_file("broken", "superres: {seed: [1")
    text = complaint(project.kedro("run", "--env", "broken"))
    assert "conf/broken/parameters.yml" in text


def test_a_folder_without_pictures_is_told_the_run_is_recorded_and_verbose_shows_the_traceback(project, tmp_path: Path):
    (tmp_path / "without").mkdir()
    (tmp_path / "without/readme.txt").write_text("hello")
    command = ["run", "--params", f"pictures={tmp_path / 'without'}"]
    text = complaint(project.kedro(*command))
    assert "has no pictures in it" in text
    assert str(tmp_path / "without") in text
    (run,) = project.runs()
    assert run.info.status == "FAILED"
    assert run.data.params["superres.source.folder.path"] == str(tmp_path / "without")
    verbose = project.kedro(*command, "--verbose")
    assert verbose.returncode == 1
    assert "Traceback" in verbose.stderr
    assert "has no pictures in it" in verbose.stderr


@pytest.mark.parametrize("case", ["no folder", "no database"])
def test_a_store_that_cannot_be_written_is_named(project, tmp_path: Path, case: str):
    store = tmp_path / "notes.txt" if case == "no database" else Path("/proc/x.db")
    if case == "no database":
        store.write_text("these are notes and no database of any kind")
    project.environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{store}"
    text = complaint(project.kedro("run", "--params", "smoke=true"))
    assert f"MLflow's store sqlite:///{store} cannot be opened" in text
    assert "set MLFLOW_TRACKING_URI" in text


def test_an_address_without_its_scheme_is_told(project):
    project.environment["MLFLOW_TRACKING_URI"] = "127.0.0.1:5000"
    text = complaint(project.kedro("run", "--params", "smoke=true"))
    assert "MLFLOW_TRACKING_URI: 127.0.0.1:5000 does not say what it is: a server is http://127.0.0.1:5000" in text


def test_a_full_disk_is_told_and_what_was_done_is_kept(project, small_disk: Path):
    (project.root / "data").rmdir()
    (project.root / "data").symlink_to(small_disk, target_is_directory=True)
    text = complaint(project.kedro("run", "--params", "smoke=true"))
    assert "the disk is full" in text
    assert "run again" in text
    assert list((small_disk / "smoke/01_raw/embedded").iterdir())
    assert project.leftovers() == []
    assert project.runs()[-1].info.status == "FAILED"


def test_a_full_disk_below_store_and_log_is_told_too(project, small_disk: Path, pictures: Path):
    (project.root / "mlflow.db").unlink()
    for path in project.root.iterdir():
        shutil.move(path, small_disk / path.name)
    crowded = type(project)(small_disk)
    (small_disk / "filler").write_bytes(b"0" * (3 * 2**20))
    text = complaint(crowded.kedro("run", "--params", f"smoke=true,pictures={pictures}"))
    assert "disk is full" in text


LONG = """
superres:
  model: {upscaler: {channels: 8, blocks: 1}}
  training:
    stages:
      - {size: 24, batch_size: 4, steps: 600, lr: 3.0e-3, loss: [{l1: 1.0}]}
"""


def test_a_disk_that_fills_below_the_store_during_a_training_does_not_stop_it(
    project, small_disk: Path, pictures: Path, started, wait_until
):
    store = small_disk / "store"
    store.mkdir()
    project.environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{store / 'mlflow.db'}"
    project.environment_file("long", LONG)
    command = ["run", "--env", "long", "--params", f"pictures={pictures}"]
    process = started(project, *command)
    wait_until(lambda: len(project.history()) >= 5, process)
    with suppress(OSError):
        (small_disk / "something else").write_bytes(bytes(4 << 20))
    stdout, stderr = process.communicate(timeout=200)
    text = complaint(subprocess.CompletedProcess(command, process.returncode, stdout, stderr))
    assert "the disk is full" in text
    assert "run again; what is done is kept" in text
    # Trained to its end, and there for the next attempt.
    assert project.history()[-1]["step"] == 599
    (small_disk / "something else").unlink()
    again = project.kedro(*command)
    assert (again.returncode, again.stderr) == (0, "")
    assert "going on in run" in project.log
