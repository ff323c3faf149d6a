"""From a trained pipeline to a repaired folder, by Kedro and by the command."""

from __future__ import annotations

import pandas as pd
from PIL import Image


def test_a_pipeline_repairs_a_folder_in_a_run_of_its_own(trained, pictures):
    done = trained.kedro("run", "--pipeline", "apply", "--params", f"weights=superres,pictures={pictures},smoke=true")
    assert done.returncode == 0, done.stdout + done.stderr
    results = pd.read_parquet(trained.smoke / "08_reporting/apply/results.parquet").set_index("name")
    good = results[results["failure"] == ""]
    assert results.loc["cut short.png", "failure"] == "truncated"
    assert len(good) == len(results) - 3 > 0
    for name in good.index:
        before = Image.open(pictures / name)
        (result,) = (trained.smoke / "07_model_output/apply").glob(f"*/{name}")
        after = Image.open(result)
        assert after.size == (3 * before.width, 3 * before.height)
    (run,) = [run for run in trained.runs() if run.info.run_name == "apply"]
    assert run.data.metrics["pictures_failed"] == 3
    assert run.data.params["apply.weights"].endswith("smoke/06_models/superres/model.safetensors")


def test_another_task_has_a_folder_of_its_own_and_the_same_one_goes_on(trained, pictures):
    def apply(*options):
        given = ",".join([f"weights=superres,pictures={pictures},smoke=true", *options])
        done = trained.kedro("run", "--pipeline", "apply", "--params", given)
        assert done.returncode == 0, done.stdout + done.stderr
        results = pd.read_parquet(trained.smoke / "08_reporting/apply/results.parquet")
        return " ".join((done.stdout + done.stderr).split()), results

    told, first = apply("apply.options.scale_to=2x")
    assert "there already" not in told
    good = first[first["failure"] == ""]
    told, again = apply("apply.options.scale_to=2x")
    assert f"{len(good)} there already (apply.options.overwrite=true makes them again)" in told
    assert sorted(again["name"]) == sorted(first["name"])
    for name in good["name"]:
        widths = {Image.open(file).width for file in (trained.smoke / "07_model_output/apply").glob(f"*/{name}")}
        assert 2 * Image.open(pictures / name).width in widths


def test_the_command_takes_a_runs_id(trained, pictures):
    (run,) = trained.runs()
    done = trained.uncrappify("apply", run.info.run_id, str(pictures), "--output", "repaired")
    # Three are damaged.
    assert done.returncode == 3, done.stdout + done.stderr
    assert "written to repaired/" in done.stdout
    assert any((trained.root / "repaired").iterdir())
