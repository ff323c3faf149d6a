"""What a part of a pipeline takes from earlier runs has to be there, and made as is said now."""

from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from uncrappify.errors import UserError
from uncrappify.tracking.partial import check_left_out, find_missing, find_read

TREE = {"p": {"seed": 1, "source": {"kind": "folder", "mirror": "/m"}, "evaluation": {"rows": 6}}}


def same(*values: Any) -> Any:
    return values[0]


@pytest.fixture
def whole() -> Pipeline:
    return Pipeline(
        [
            Node(same, ["params:source"], "raw", name="download"),
            Node(same, ["raw", "params:seed"], "split", name="split"),
            Node(same, ["split"], "model", name="train"),
            Node(same, ["split", "model", "params:evaluation"], "scores", name="evaluate", tags="evaluation"),
            Node(same, ["model"], "descendant", name="tune"),
        ],
        namespace="p",
    )


@pytest.fixture
def catalog(whole: Pipeline) -> DataCatalog:
    """Everything is there."""
    return DataCatalog({name: MemoryDataset(1) for name in whole.datasets()})


@pytest.fixture
def read(whole: Pipeline) -> dict[str, dict[str, Any]]:
    return {node.name: find_read(node, TREE) for node in whole.nodes}


def changed(key: str, value: object) -> dict[str, Any]:
    return {"p": TREE["p"] | {key: value}}


def test_a_node_reads_its_parameters_and_where_an_archive_is_taken_from_is_none(whole: Pipeline) -> None:
    read = {node.name: find_read(node, TREE) for node in whole.nodes}
    assert read["p.download"] == {"p.source": {"kind": "folder"}}
    assert read["p.train"] == {}


def test_the_same_parameters_and_those_of_nodes_that_run_may_be_given(whole, catalog, read) -> None:
    evaluate = whole.filter(from_nodes=["p.evaluate"])
    check_left_out(whole, evaluate, catalog, read, TREE)
    check_left_out(whole, evaluate, catalog, read, changed("evaluation", {"rows": 3}))
    check_left_out(whole, evaluate, catalog, read, changed("source", {"kind": "folder", "mirror": "/elsewhere"}))
    check_left_out(whole, whole, catalog, read, changed("seed", 2))
    check_left_out(whole, evaluate, catalog, {}, changed("seed", 2))


def test_a_parameter_that_contradicts_what_is_there_is_refused(whole, catalog, read) -> None:
    evaluate = whole.filter(from_nodes=["p.evaluate"])
    with pytest.raises(UserError, match=r"^p\.seed: p\.split, which this run leaves out, ran with 1 and not with 2\."):
        check_left_out(whole, evaluate, catalog, read, changed("seed", 2))
    with pytest.raises(UserError, match=r'^p\.source\.kind: p\.download, .* ran with "folder" and not with "archive"'):
        check_left_out(whole, evaluate, catalog, read, changed("source", {"kind": "archive"}))


def test_what_is_not_used_may_be_missing(whole, catalog, read) -> None:
    catalog["p.model"] = MemoryDataset()
    check_left_out(whole, whole.filter(node_names=["p.train"]), catalog, read, TREE)
    with pytest.raises(
        UserError, match=r"^p\.model is not there yet: the node p\.train makes it, .* \(--from-nodes p\.train\)"
    ):
        check_left_out(whole, whole.filter(node_names=["p.evaluate"]), catalog, read, TREE)


def test_a_model_that_is_optional_may_be_missing(whole, catalog, read) -> None:
    catalog["p.model"] = MemoryDataset()
    catalog["p.model"].optional = True
    check_left_out(whole, whole.filter(node_names=["p.evaluate"]), catalog, read, TREE)
    # But not for a training that starts from it.
    with pytest.raises(UserError, match=r"^p\.model is not there yet"):
        check_left_out(whole, whole.filter(node_names=["p.tune"]), catalog, read, TREE)


def test_a_model_that_is_there_was_to_be_made_as_is_said_now_though_it_is_optional(whole, catalog, read) -> None:
    catalog["p.model"].optional = True
    with pytest.raises(UserError, match=r"^p\.seed: p\.split"):
        check_left_out(whole, whole.filter(node_names=["p.evaluate"]), catalog, read, changed("seed", 2))


def test_results_that_are_older_than_what_they_were_made_from_are_refused(whole, catalog, read) -> None:
    del read["p.split"]
    with pytest.raises(UserError, match=r"^p\.split, which this run leaves out, has not run to its end since"):
        check_left_out(whole, whole.filter(node_names=["p.evaluate"]), catalog, read, TREE)


def test_where_nothing_is_missing_every_node_is_left_out(whole, catalog, read) -> None:
    nothing = find_missing(whole, catalog)
    assert not nothing.nodes
    check_left_out(whole, nothing, catalog, read, TREE)
    with pytest.raises(UserError, match=r"^p\.evaluation\.rows: p\.evaluate, .* ran with 6 and not with 3"):
        check_left_out(whole, nothing, catalog, read, changed("evaluation", {"rows": 3}))


def test_one_of_several_models_may_be_trained_beside_others_that_were_trained_otherwise() -> None:
    several = Pipeline(
        [
            Node(same, ["params:source"], "raw", name="download", tags="data"),
            *(
                Node(same, ["raw", "params:seed"], f"{model}.model", name=f"{model}.train", tags=["training", model])
                for model in ("one", "other")
            ),
            Node(same, ["raw", "one.model", "other.model"], "scores", name="evaluate", tags="evaluation"),
        ],
        namespace="p",
    )
    catalog = DataCatalog({name: MemoryDataset(1) for name in several.datasets()})
    for model in ("one", "other"):
        catalog[f"p.{model}.model"].optional = True
    read = {node.name: find_read(node, TREE) for node in several.nodes}
    check_left_out(several, several.filter(tags=["data", "one", "evaluation"]), catalog, read, changed("seed", 2))
    # But what it learns from is that of this run.
    with pytest.raises(UserError, match=r'^p\.source\.kind: p\.download, .* ran with "folder" and not with "archive"'):
        check_left_out(
            several,
            several.filter(tags=["one", "evaluation"]),
            catalog,
            read,
            changed("source", {"kind": "archive"}),
        )
    # Nor does an evaluation alone pretend that models were trained as they were not.
    with pytest.raises(UserError, match=r"^p\.seed: p\.(one|other)\.train, .* ran with 1 and not with 2"):
        check_left_out(several, several.filter(tags=["data", "evaluation"]), catalog, read, changed("seed", 2))
