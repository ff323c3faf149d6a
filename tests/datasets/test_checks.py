"""No picture is in two splits: the catalog refuses a table that says otherwise."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, DatasetError

from uncrappify.datasets import disjoint

CATALOG = Path(__file__).parents[2] / "conf" / "base" / "catalog.yml"


def table(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["name", "sha256", "split"])


GOOD = table(("a", "1", "train"), ("b", "2", "valid"), ("c", "3", "test"))
SHARED_NAME = table(("a", "1", "train"), ("a", "2", "test"))
SHARED_CONTENT = table(("a", "1", "train"), ("b", "1", "valid"))
UNKNOWN = table(("a", "1", "train"), ("b", "2", "validation"))


def test_disjoint_splits_pass() -> None:
    disjoint(GOOD)


@pytest.mark.parametrize(
    ("split", "told"),
    [
        (SHARED_NAME, "in more than one split, by name: a"),
        (SHARED_CONTENT, "in more than one split, by sha256: 1"),
        (UNKNOWN, "unknown splits: validation"),
    ],
)
def test_other_splits_are_refused(split: pd.DataFrame, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        disjoint(split)


def catalog(tmp_path: Path) -> DataCatalog:
    config = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))
    entry = config["{pipeline}.split"]
    return DataCatalog.from_config({"{pipeline}.split": entry | {"filepath": f"{tmp_path}/{{pipeline}}/split.parquet"}})


def test_the_catalog_saves_a_good_split(tmp_path: Path) -> None:
    catalog(tmp_path).save("superres.split", GOOD)
    assert catalog(tmp_path).load("superres.split").to_dict("list") == GOOD.to_dict("list")


@pytest.mark.parametrize("split", [SHARED_NAME, SHARED_CONTENT, UNKNOWN])
def test_the_catalog_refuses_to_save_a_bad_split(tmp_path: Path, split: pd.DataFrame) -> None:
    with pytest.raises(Exception, match=r"more than one split|unknown splits") as caught:
        catalog(tmp_path).save("superres.split", split)
    assert isinstance(caught.value, DatasetError | ValueError)
    assert not list(tmp_path.rglob("*.parquet"))
