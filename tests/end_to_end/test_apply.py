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
        after = Image.open(trained.smoke / "07_model_output/apply" / name)
        assert after.size == (3 * before.width, 3 * before.height)
    (run,) = [run for run in trained.runs() if run.info.run_name == "apply"]
    assert run.data.metrics["pictures_failed"] == 3
    assert run.data.params["apply.weights"].endswith("smoke/06_models/superres/model.safetensors")


def test_the_command_takes_a_runs_id(trained, pictures):
    (run,) = trained.runs()
    done = trained.uncrappify("apply", run.info.run_id, str(pictures), "--output", "repaired")
    # Three are damaged.
    assert done.returncode == 3, done.stdout + done.stderr
    assert "written to repaired/" in done.stdout
    assert any((trained.root / "repaired").iterdir())
