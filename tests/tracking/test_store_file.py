"""A store is made whole or not at all, is brought up to date in one step, and its faults are told apart."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.store.db import utils
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from uncrappify.addresses import store_address
from uncrappify.errors import UserError
from uncrappify.tracking import store_file
from uncrappify.tracking.store_file import is_current, prepare_store

HEAD = utils._get_latest_schema_revision()


def execute(file: Path, *statements: str) -> list[tuple[object, ...]]:
    """Run statements, and give what the last one finds."""
    with closing(sqlite3.connect(file)) as connection, connection:
        found = [connection.execute(statement).fetchall() for statement in statements]
    return found[-1]


def tables(file: Path) -> dict[str, list[str]]:
    """Give the lines of each table's definition; the order of constraints changes from one process to the next."""
    found = execute(file, "SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    return {str(name): sorted(line.strip(" ,\t") for line in str(sql).splitlines()) for name, sql in found}


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Addresses whose connections are closed in the end."""
    addresses: list[str] = []
    yield addresses
    for address in addresses:
        if engine := SqlAlchemyStore._engine_map.pop(address, None):
            engine.dispose()


@pytest.fixture
def used(empty_store: Path, tmp_path: Path) -> Path:
    """A store with a run in it."""
    file = Path(shutil.copy(empty_store, tmp_path / "mlflow.db"))
    execute(file, "INSERT INTO runs (run_uuid, name, experiment_id, status) VALUES ('ab', 'a run', 0, 'FINISHED')")
    return file


def step_back(file: Path) -> str:
    """Make a store older by a revision: the same tables, which the newest migration may or may not take."""
    before = store_file._revisions()[HEAD]
    execute(file, f"UPDATE alembic_version SET version_num = '{before}'")
    return before


def test_the_newest_revision_is_the_one_that_mlflow_knows(empty_store: Path) -> None:
    revisions = store_file._revisions()
    assert set(revisions) - set(revisions.values()) == {HEAD}
    assert is_current(empty_store)


def test_a_new_store_is_the_one_that_mlflow_makes(empty_store: Path, tmp_path: Path, opened: list[str]) -> None:
    file = tmp_path / "what? 41%41" / "mlflow.db"
    # Of a store that somebody has removed.
    file.parent.mkdir()
    file.with_name("mlflow.db-journal").write_bytes(b"of another store")
    opened.append(store_address(file))
    prepare_store(opened[0])
    assert tables(file) == tables(empty_store)
    assert [path.name for path in tmp_path.iterdir()] == ["what? 41%41"]
    assert {path.name for path in file.parent.iterdir()} == {"mlflow.db", "mlflow.db.lock"}
    (default,) = MlflowClient(opened[0]).search_experiments()
    assert (default.name, default.experiment_id) == ("Default", "0")


def test_what_a_killed_birth_leaves_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mlflow.db"
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        patched.setattr(SqlAlchemyStore, "_initialize_store_state", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare_store(store_address(file))
    assert not file.exists()
    (left,) = tmp_path.glob(".*.partial.db")
    left.write_bytes(left.read_bytes()[:5000])
    prepare_store(store_address(file))
    assert is_current(file)
    assert not left.exists()


@pytest.mark.parametrize("fault", ["tables without revision", "table of the next migration", "empty", "half a move"])
def test_a_half_made_store_without_runs_is_made_anew(empty_store: Path, tmp_path: Path, fault: str) -> None:
    file = tmp_path / "mlflow.db"
    if fault != "empty":
        shutil.copy(empty_store, file)
    if fault == "tables without revision":
        execute(file, "DELETE FROM alembic_version")
    elif fault == "table of the next migration":
        # The revision in which logged models came.
        execute(file, "UPDATE alembic_version SET version_num = '0584bdc529eb'")
    elif fault == "half a move":
        execute(file, "ALTER TABLE experiments RENAME TO _alembic_tmp_experiments")
        step_back(file)
    else:
        file.touch()
    prepare_store(store_address(file))
    assert is_current(file)
    assert tables(file) == tables(empty_store)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_a_half_migrated_store_with_runs_is_told_and_stays_as_it_is(used: Path) -> None:
    execute(used, "DELETE FROM alembic_version")
    before = used.read_bytes()
    with pytest.raises(UserError, match=r"mlflow\.db was left half migrated, with runs in it.*put a copy in its place"):
        prepare_store(store_address(used))
    assert used.read_bytes() == before
    used.with_name("mlflow.db.0584bdc529eb.bak").write_bytes(b"")
    with pytest.raises(UserError, match=r"put mlflow\.db\.0584bdc529eb\.bak, which is a copy, in its place"):
        prepare_store(store_address(used))
    assert not used.with_name(".mlflow.db.migrated").exists()


@pytest.fixture
def older(used: Path) -> Path:
    """A store with a run, in which nothing of the newest migrations is there yet."""
    made = used.with_name("older.db")
    engine = utils.create_sqlalchemy_engine(store_address(made))
    utils.InitialBase.metadata.create_all(engine)
    engine.dispose()
    execute(
        made,
        "INSERT INTO experiments VALUES (0, 'Default', 'mlruns/0', 'active')",
        "INSERT INTO runs (run_uuid, name, experiment_id, status, lifecycle_stage, source_type, start_time, user_id, "
        "source_name, entry_point_name, source_version, artifact_uri) "
        "VALUES ('ab', 'a run', 0, 'FINISHED', 'active', 'LOCAL', 1, '', '', '', '', 'mlruns/0/ab')",
    )
    used.unlink()
    return made


def test_an_older_store_is_brought_up_to_date_and_kept_as_it_was(older: Path) -> None:
    before = tables(older)
    number = older.stat().st_ino
    prepare_store(store_address(older))
    assert is_current(older)
    assert older.stat().st_ino == number
    assert execute(older, "SELECT run_uuid, name FROM runs") == [("ab", "a run")]
    (copy,) = older.parent.glob("older.db.*.bak")
    assert tables(copy) == before
    assert execute(copy, "SELECT run_uuid FROM runs") == [("ab",)]


def test_a_migration_that_is_stopped_leaves_the_store_as_it_was(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = older.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(SqlAlchemyStore, "_initialize_store_state", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare_store(store_address(older))
    assert older.read_bytes() == before
    prepare_store(store_address(older))
    assert is_current(older)


def test_a_store_of_a_newer_mlflow_is_left_alone(used: Path) -> None:
    execute(used, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(UserError, match="was made by a newer version of MLflow"):
        prepare_store(store_address(used))


def test_what_is_no_store_is_told_by_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("these are notes and no database of any kind")
    with pytest.raises(UserError, match=r"notes\.txt cannot be opened: file is not a database"):
        prepare_store(store_address(notes))
    monkeypatch.setattr(store_file, "BUSY", 0.1)
    with closing(sqlite3.connect(used)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="another program holds it"):
            prepare_store(store_address(used))
    assert is_current(used)


def test_a_store_that_may_only_be_read_is_told_before_anything_runs(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    # As a file's mode does for all but root.
    monkeypatch.setattr(sqlite3, "connect", lambda file, **more: connect(f"file:{file}?mode=ro", uri=True, **more))
    with pytest.raises(UserError, match="cannot be opened: attempt to write a readonly database"):
        prepare_store(store_address(used))
    prepare_store(store_address(used), writing=False)


@pytest.mark.parametrize("fault", ["DROP TABLE metrics", "ALTER TABLE metrics RENAME COLUMN step TO steps"])
def test_a_store_that_lacks_a_table_or_a_part_of_one_is_told_and_stays_as_it_is(used: Path, fault: str) -> None:
    prepare_store(store_address(used))
    whole = tables(used)
    execute(used, fault)
    with pytest.raises(UserError, match="is not whole: tables that are missing, or lack columns: metrics"):
        prepare_store(store_address(used))
    assert {name for name, table in tables(used).items() if table != whole[name]} <= {"metrics"}


def test_a_full_disk_is_told_and_leaves_nothing_half_made(small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes((4 << 20) - (1 << 19)))
    with pytest.raises(UserError, match="the disk is full"):
        prepare_store(store_address(small_disk / "mlflow.db"))
    assert not (small_disk / "mlflow.db").exists()
    filler.unlink()
    prepare_store(store_address(small_disk / "mlflow.db"))
    assert is_current(small_disk / "mlflow.db")


def test_two_first_runs_at_once_make_one_store(tmp_path: Path) -> None:
    address = store_address(tmp_path / "mlflow.db")
    failed: list[Exception] = []

    def prepare() -> None:
        try:
            prepare_store(address)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert is_current(tmp_path / "mlflow.db")
