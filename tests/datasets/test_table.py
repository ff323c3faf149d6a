"""Tables, texts and figures are written whole, and a broken one is told in a sentence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, DatasetError
from plotly.graph_objects import Figure, Scatter

from uncrappify.datasets import Chart, Table, Text
from uncrappify.state import BrokenStateError

CATALOG = Path(__file__).parents[2] / "conf/base/catalog.yml"
ROWS = pd.DataFrame({"name": ["a", "ü"], "width": [1, 2], "usable": [True, False], "psnr": [1.5, float("nan")]})


def told(dataset: Table | Chart | Text) -> str:
    """Message of the one exception that the command line prints."""
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    assert isinstance(caught.value.__cause__, BrokenStateError)
    return str(caught.value.__cause__)


def test_of_a_long_text_the_preview_shows_the_beginning(tmp_path: Path) -> None:
    dataset = Table(filepath=str(tmp_path / "t.parquet"))
    dataset.save(pd.DataFrame({"name": ["a"], "text": ["one, two, " * 10_000]}))
    ((name, text),) = dataset.preview()["data"]
    assert (name, text[:9], len(text) <= 200) == ("a", "one, two,", True)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_table_comes_back_with_its_types(tmp_path: Path, suffix: str) -> None:
    dataset = Table(filepath=str(tmp_path / "deep" / f"t.{suffix}"))
    assert not dataset.exists()
    dataset.save(ROWS)
    pd.testing.assert_frame_equal(dataset.load(), ROWS)
    assert dataset.preview(nrows=1)["data"] == [["a", 1, True, 1.5]]
    assert [file.name for file in (tmp_path / "deep").iterdir()] == [f"t.{suffix}"]


def test_a_table_of_kedros_own_is_still_read(tmp_path: Path) -> None:
    ROWS.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(Table(filepath=str(tmp_path / "t.parquet")).load(), ROWS)


def test_one_wrong_bit_among_the_values_of_a_table_is_found(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    dataset = Table(filepath=str(file))
    dataset.save(pd.DataFrame({"value": np.random.default_rng(0).random(200)}))
    content = bytearray(file.read_bytes())
    content[800] ^= 1
    file.write_bytes(content)
    assert len(pd.read_parquet(file)) == 200
    assert told(dataset).startswith(f"{file}: does not hold what it should (")


def test_a_table_that_is_missing_or_another_is_told_with_the_node_to_run(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    dataset = Table(filepath=str(file), node="superres.list", columns={"name": "text", "width": "number"})
    again = "Run again from the node superres.list (--from-nodes superres.list)."
    assert told(dataset) == f"{file}: cannot be read (no such file or directory). {again}"
    ROWS.drop(columns="width").to_parquet(file)
    assert told(dataset) == f"{file}: does not hold what it should (there is no column width). {again}"
    ROWS.assign(width=["1", "2"]).to_parquet(file)
    assert told(dataset) == f"{file}: does not hold what it should (the column width is no number). {again}"


def test_a_write_that_fails_leaves_the_table_that_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Table(filepath=str(tmp_path / "t.parquet"))
    dataset.save(ROWS)

    def full(path: Path, content: bytes) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DatasetError, match="the disk is full"):
        dataset.save(ROWS.head(1))
    pd.testing.assert_frame_equal(dataset.load(), ROWS)
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


def test_a_text_and_a_figure_come_back(tmp_path: Path) -> None:
    text, chart = Text(filepath=str(tmp_path / "README.md")), Chart(filepath=str(tmp_path / "curves.json"))
    text.save("größer\n")
    assert text.load() == "größer\n"
    figure = Figure(Scatter(x=[1, 2], y=[3.5, 4]))
    chart.save(figure)
    assert chart.load() == figure
    # By itself: with all of plotly's code.
    page = (tmp_path / "curves.html").read_text(encoding="utf-8")
    assert '"y":[3.5,4]' in page
    assert len(page) > 1_000_000
    assert chart.preview()["data"][0]["y"] == [3.5, 4]
    (tmp_path / "README.md").write_bytes(b"gr\xf6sser")
    (tmp_path / "curves.json").write_text("[1]")
    assert told(text).endswith("Run the whole pipeline again.")
    assert told(chart).startswith(f"{tmp_path / 'curves.json'}: does not hold what it should (")


def test_the_catalog_knows_which_node_makes_what_others_read() -> None:
    catalog = DataCatalog.from_config(yaml.safe_load(CATALOG.read_text(encoding="utf-8")))
    made = {"raw": "download", "manifest": "list", "class_pixels": "list", "degraded": "crappify", "split": "split"}
    assert {name: catalog[f"x.{name}"]._node for name in made} == {name: f"x.{node}" for name, node in made.items()}


def test_texts_of_a_csv_file_stay_texts_whatever_they_look_like(tmp_path: Path) -> None:
    dataset = Table(filepath=str(tmp_path / "t.csv"), columns={"class": "text", "train": "number"})
    table = pd.DataFrame({"class": ["0", "01", "NA", "", "1e3"], "train": [1, 2, 3, 4, 5]})
    dataset.save(table)
    pd.testing.assert_frame_equal(dataset.load(), table, check_dtype=False)
    assert dataset.load()["class"].tolist() == ["0", "01", "NA", "", "1e3"]
