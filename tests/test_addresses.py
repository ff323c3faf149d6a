"""Addresses are URLs, whatever signs a folder's name has."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from uncrappify.addresses import local_path, store_address, store_file, without_password

ODD = [
    "plain",
    "what?",
    "100%41",
    "[x]",
    '"quoted"',
    "a#b",
    "two words",
    "a;b",
    "a&b=c",
    "schöne",
    "me@home",
    "a+b",
    "?%3F",
]


@pytest.mark.parametrize("name", ODD)
def test_a_store_lies_where_its_file_is(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "mlflow.db"
    file.parent.mkdir()
    address = store_address(file)
    assert store_file(address) == file
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE here (what)"))
    engine.dispose()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("here",)]


@pytest.mark.parametrize("name", ODD)
def test_a_file_url_is_taken_apart_as_it_is_built(tmp_path: Path, name: str) -> None:
    assert local_path((tmp_path / name).as_uri()) == tmp_path / name
    assert local_path(str(tmp_path / name)) == tmp_path / name


@pytest.mark.parametrize(
    "address",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:runs?mode=memory&uri=true",
        "postgresql://me:secret@example.org/runs",
        "http://example.org:5000",
        "file:///home/me/mlruns",
        "mlruns",
        "databricks",
    ],
)
def test_other_stores_are_no_file(address: str) -> None:
    assert store_file(address) is None


def test_what_is_quoted_in_an_address_means_what_it_means_in_a_url() -> None:
    assert store_file("sqlite:///my%20runs.db") == Path("my runs.db")
    assert store_file("sqlite:///runs.db?timeout=30") == Path("runs.db")


def test_passwords_are_left_out_of_urls_and_paths_stay_whole() -> None:
    assert without_password("https://me:secret@example.org/a.tar") == "https://example.org/a.tar"
    assert without_password("sqlite:////me@home/mlflow.db") == "sqlite:////me@home/mlflow.db"
