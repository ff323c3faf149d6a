"""Every dataset of every pipeline has a file of its own, in a folder that no namespace's dot gets into."""

from pathlib import Path

import pytest
import yaml
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from uncrappify.pipeline_registry import register_pipelines

ROOT = Path(__file__).parents[1]
CATALOG = yaml.safe_load((ROOT / "conf/base/catalog.yml").read_text(encoding="utf-8"))
OF_A_TRAINING = ["run", "model", "model_card", "history", "layers", "curves", "training_metrics", "test_metrics"]


def same(*values: object) -> object:
    return values


def make_several() -> Pipeline:
    """A pipeline of two models, with all that a training may make."""
    model = Pipeline([Node(same, "run", OF_A_TRAINING[1:], name="train")])
    models = [Pipeline(model, namespace=name) for name in ("cnn", "resnet")]
    end = Node(same, ["cnn.model", "resnet.model"], ["comparison", "test_metrics"], name="evaluate")
    return Pipeline([*models, end], namespace="digits")


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Pipeline]:
    monkeypatch.chdir(ROOT)
    return register_pipelines() | {"digits": make_several()}


def test_every_dataset_resolves_to_a_place_of_its_own_without_a_dotted_namespace(
    pipelines: dict[str, Pipeline],
) -> None:
    catalog = DataCatalog.from_config(CATALOG)
    places: dict[str, str] = {}
    for name in {name for pipeline in pipelines.values() for name in pipeline.datasets()}:
        if name.startswith("params:"):
            continue
        assert name in catalog, f"{name} is kept in memory alone"
        described = catalog[name]._describe()
        place = Path(described.get("filepath") or described["path"])
        assert not any("." in part for part in place.parts[:-1]), (name, place)
        namespace, _, _ = name.rpartition(".")
        assert "/".join(namespace.split(".")) in place.as_posix(), (name, place)
        assert places.setdefault(str(place), name) == name, place


def test_each_model_of_several_has_the_folder_that_its_name_says() -> None:
    catalog = DataCatalog.from_config(CATALOG)
    for name in ("model", "model_card", "history", "layers"):
        outer, inner = (Path(catalog[f"{namespace}.{name}"]._describe()["filepath"]) for namespace in ("x", "x.cnn"))
        assert inner == Path("data/06_models/x/cnn") / outer.name
        assert outer == Path("data/06_models/x") / outer.name
    assert Path(catalog["x.cnn.run"]._describe()["path"]) == Path("data/06_models/x/cnn")
    assert (catalog["x.model"].optional, catalog["x.cnn.model"].optional) == (False, True)
