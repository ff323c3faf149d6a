"""A training that is stopped or killed, and the same command again."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

CHECKPOINT = "data/06_models/superres/checkpoints/stage0.ckpt"
LONG = """
superres:
  model: {{upscaler: {{channels: 8, blocks: 1}}}}
  training:
    stages:
      - {{size: 24, batch_size: 4, steps: {steps}, lr: 3.0e-3, loss: [{{l1: 1.0}}]}}
"""
STOPPED = "Error: stopped; the same command goes on from here.\n"


def long_training(project, pictures: Path, steps: int) -> list[str]:
    """Give the command of a training on small pictures."""
    project.environment_file("long", LONG.format(steps=steps))
    return ["run", "--pipeline", "superres", "--env", "long", "--params", f"pictures={pictures}"]


def measured(project, rows: int):
    return lambda: len(project.history()) >= rows


def assert_measured_once(project, run_id: str, steps: int) -> None:
    """Each step of each metric stands once in the file and once in MLflow, up to the last step."""
    for name in ("train_loss", "valid_loss"):
        noted = [row["step"] for row in project.history() if name in row]
        points = Counter(point.step for point in project.client.get_metric_history(run_id, name))
        assert len(set(noted)) == len(noted)
        assert points == Counter(noted)
        assert max(noted) == steps - 1


def wait_for_the_end_of(group: int) -> None:
    """Wait until no process of a group does anything; what nobody has asked for its end is no longer one."""

    def at_work() -> bool:
        return any(
            os.getpgid(one.pid) == group and one.status() != psutil.STATUS_ZOMBIE for one in psutil.process_iter()
        )

    ends = time.monotonic() + 10
    while at_work():
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_a_stopped_training_goes_on_in_its_run_until_it_is_finished(project, pictures, started, wait_until):
    # Long enough to be stopped twice, also where the machine is so busy that this process is late to notice.
    steps = 1600
    command = long_training(project, pictures, steps)
    for number, sent in enumerate((signal.SIGINT, signal.SIGHUP), start=1):
        process = started(project, *command)
        wait_until(measured(project, 5 * number), process)
        os.killpg(process.pid, sent)
        stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (1, STOPPED)
        assert "Traceback" not in stdout
        assert "superres.train" not in stdout
        assert project.leftovers() == []
        assert [run.info.status for run in project.runs()] == ["KILLED"]
    assert "going on at step" in project.log
    done = project.kedro(*command)
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    assert_measured_once(project, run.info.run_id, steps)


def test_two_processes_train_in_one_run_and_stop_with_the_one_that_started_them(project, pictures, started, wait_until):
    steps = 400
    command = long_training(project, pictures, steps)
    command[-1] += ",superres.training.devices=2"
    process = started(project, *command)
    wait_until(measured(project, 5), process)
    os.kill(process.pid, signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (1, STOPPED), stdout
    wait_for_the_end_of(process.pid)
    done = project.kedro(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("compare runs") == 1
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    assert_measured_once(project, run.info.run_id, steps)


def test_other_parameters_end_the_killed_run_and_an_evaluations_keep_what_is_trained(
    project, pictures, started, wait_until
):
    command = long_training(project, pictures, 400)
    process = started(project, *command)
    wait_until(measured(project, 3), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert [run.info.status for run in project.runs()] == ["RUNNING"]
    before = project.history()
    done = project.kedro(*command[:-1], f"superres.evaluation.sheet_rows=1,{command[-1]}")
    assert (done.returncode, done.stderr) == (0, "")
    old, new = project.runs()
    assert (old.info.status, new.info.status) == ("KILLED", "FINISHED")
    assert old.data.tags["ended_because"] == "a later run had other parameters, data or experiment"
    assert "ended_because" not in new.data.tags
    assert_measured_once(project, new.info.run_id, 400)
    assert project.history()[: len(before)] == before
    # Another training starts anew.
    done = project.kedro(*command[:-1], f"superres.training.ema=0,{command[-1]}")
    assert (done.returncode, done.stderr) == (0, "")
    assert project.history()[: len(before)] != before


@pytest.mark.slow
def test_a_killed_training_ends_where_the_uninterrupted_one_does(project, pictures, started, wait_until, tmp_path):
    # Long enough for a checkpoint, which is written every 20 seconds, on a machine twice as fast.
    steps = 15_000
    command = long_training(project, pictures, steps)
    whole = project.kedro(*command)
    assert whole.returncode == 0, whole.stderr
    assert (project.root / CHECKPOINT).is_file()
    process = started(project, *command)
    wait_until(lambda: not (project.root / CHECKPOINT).is_file(), process)
    wait_until((project.root / CHECKPOINT).is_file, process)
    wait_until(measured(project, len(project.history()) + 5), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert [run.info.status for run in project.runs()] == ["FINISHED", "RUNNING"]
    done = project.kedro(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "going on at step" in done.stdout
    reference, resumed = project.runs()
    assert resumed.info.status == "FINISHED"
    assert_measured_once(project, resumed.info.run_id, steps)
    for name in ("valid_psnr", "psnr"):
        assert resumed.data.metrics[name] == pytest.approx(reference.data.metrics[name], abs=0.05)
