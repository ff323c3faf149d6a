"""Parts of a pipeline, several pipelines, environments, and the commands that list."""

import re
from pathlib import Path

import pandas as pd
import yaml

PAGE = Path(__file__).parents[2] / "docs" / "add-a-task.md"


def test_the_damage_can_be_seen_before_any_training(project):
    done = project.kedro("run", "--pipeline", "superres", "--to-nodes", "superres.crappify")
    assert (done.returncode, done.stderr) == (0, "")
    assert "data/08_reporting/superres/damage.png" in done.stdout
    assert (project.root / "data/08_reporting/superres/damage.png").stat().st_size > 10_000
    degraded = (project.root / "data/02_intermediate/superres/degraded").glob("*.png")
    good = (project.root / "data/01_raw/embedded").iterdir()
    assert {file.stem.rpartition("-")[0] for file in degraded} == {file.stem for file in good}
    assert not list((project.root / "data/06_models").rglob("*.safetensors"))
    (run,) = project.runs()
    assert run.info.status == "FINISHED"


def test_registry_and_catalog_can_be_listed(project):
    registry = project.kedro("registry", "list")
    assert registry.returncode == 0
    assert yaml.safe_load(registry.stdout) == [
        "__default__",
        "apply",
        "digits",
        "landscape",
        "numbers",
        "restore",
        "segmentation",
        "superres",
    ]
    catalog = project.kedro("catalog", "describe-datasets", "--pipeline", "superres")
    assert catalog.returncode == 0
    by_type = yaml.safe_load(catalog.stdout)["superres"]["factories"]
    assert by_type["uncrappify.datasets.weights.Weights"] == ["superres.model"]
    assert "superres.manifest" in by_type["uncrappify.datasets.table.Table"]


def test_a_second_task_is_one_yaml_file_and_each_pipeline_has_its_own_run(project, pictures):
    descratch = re.search(
        r"^```yaml\n(descratch:\n.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )[1]
    (project.root / "conf/base/parameters/descratch.yml").write_text(descratch)
    parameters = f"smoke=true,pictures={pictures}"
    done = project.kedro("run", "--pipelines", "superres,descratch", "--params", parameters)
    assert (done.returncode, done.stderr) == (0, "")
    runs = project.runs()
    assert [run.info.run_name for run in runs] == ["superres", "descratch"]
    for run in runs:
        assert run.info.status == "FINISHED"
        assert {name.split(".")[0] for name in run.data.params} == {run.info.run_name}
        assert run.data.metrics["psnr"] > 5
    assert (project.smoke / "06_models/descratch/model.safetensors").is_file()
    drawn = pd.read_parquet(project.smoke / "02_intermediate/descratch/draws.parquet")
    assert len(drawn) == 12
    assert drawn["scratches.number"].between(10, 30).all()


def test_an_environment_changes_one_value_and_leaves_its_siblings(project):
    project.environment_file("other", "superres: {source: {embedded: {valid: [astronaut]}}}")
    done = project.kedro("run", "--env", "other", "--to-nodes", "superres.list")
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = project.runs()
    assert run.data.tags["env"] == "other"
    wanted = {"kind": "embedded", "embedded.valid": "['astronaut']", "embedded.test": "['chelsea', 'coffee', 'flower']"}
    assert {name: run.data.params[f"superres.source.{name}"] for name in wanted} == wanted
    # What no node of the run has read is not said of it.
    assert {name.split(".")[1] for name in run.data.params} == {"template", "source", "test_source"}
