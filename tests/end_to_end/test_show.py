"""What MLflow holds is enough to run a run again."""

from dataclasses import replace

SMALL = """
superres:
  seed: 5
  model: {upscaler: {channels: 8, blocks: 1}}
  training:
    stages:
      - {size: 24, batch_size: 4, steps: 20, lr: 3.0e-3, loss: [{l1: 1.0}]}
"""


def test_a_run_is_run_again_from_what_mlflow_holds(project, pictures, make_project, tmp_path):
    project.environment_file("small", SMALL)
    command = ["run", "--pipeline", "superres", "--env", "small", "--params", f"pictures={pictures}"]
    done = project.kedro(*command)
    assert done.returncode == 0, done.stderr
    (run,) = project.runs()
    told = project.uncrappify("show", run.info.run_id)
    assert (told.returncode, told.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in told.stdout.splitlines()[:8] if line)
    assert lines["run"].startswith("superres, FINISHED, ")
    assert lines["command"] == f"kedro run --pipeline superres --env small --params 'pictures={pictures}'"
    assert lines["environment"] == "small"
    assert lines["data"].startswith("superres.split ")
    assert "Python 3." in lines["versions"]
    assert "    kedro run --env again --pipeline superres\n" in told.stdout
    # As the text says, in a fresh copy of the project that has nothing of the run but the store.
    other = make_project(tmp_path / "other")
    other.environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{project.root / 'mlflow.db'}"
    assert other.uncrappify("show", run.info.run_id).stdout == told.stdout
    other.environment_file("again", other.uncrappify("show", run.info.run_id, "--parameters").stdout)
    again = other.kedro("run", "--env", "again", "--pipeline", "superres")
    assert again.returncode == 0, again.stderr
    first, second = project.runs()
    assert first.data.params == second.data.params
    measured = [name for name in first.data.metrics if name.startswith(("psnr", "ssim", "feature", "train_loss"))]
    assert len(measured) >= 8
    assert {name: first.data.metrics[name] for name in measured} == {
        name: second.data.metrics[name] for name in measured
    }


def test_a_run_that_is_nowhere_is_told(project):
    told = project.uncrappify("show", "0123456789abcdef0123456789abcdef")
    assert told.returncode == 1
    assert told.stderr == (
        "Error: there is no run 0123456789abcdef0123456789abcdef in the project's own store, and MLFLOW_TRACKING_URI "
        "names no server.\n"
    )


def test_outside_a_project_that_is_told(project, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    told = replace(project, root=tmp_path / "elsewhere").uncrappify("show", "0123456789abcdef0123456789abcdef")
    assert told.returncode == 1
    assert told.stderr.startswith("Error: this is no folder of the project")
