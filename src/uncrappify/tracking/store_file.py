"""MLflow's store in an SQLite file: made whole or not at all, brought up to date in one step, its faults told apart.

MLflow makes a store's tables by some seventy migrations, each with commits of its own. Whoever is stopped among them
would leave a file that no version opens, and two processes would stand in each other's way. So the migrations run on a
file beside the store's, under a lock, and what they have made takes the store's place in one step.
"""

from __future__ import annotations

import glob
import logging
import os
import re
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from uncrappify.addresses import store_address, store_file, without_password
from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.names import shorten_list
from uncrappify.tracking.server import in_short

log = logging.getLogger(__name__)

PATIENCE = 120
"""Seconds to wait for another process that makes the store or brings it up to date."""

BUSY = 30
"""Seconds to wait for another process that writes to the store."""

OWN_TABLES = ("alembic_version", "workspaces")
"""Tables in which a store that was never used has rows."""


def prepare_store(address: str, *, writing: bool = True) -> None:
    """Make sure that a store is there, whole, of this MLflow's version, and takes what is logged.

    A store that was left when it was being made is made anew; an older one is brought up to date, and kept as it was
    in a file beside it. Stores that are no file take care of themselves.

    Args:
        address: Of the store.
        writing: Whether it has to take what is logged; to read one that is up to date takes no permission to write.

    Raises:
        UserError: The store cannot be opened, made or brought up to date; the message says which and why.
    """
    file = store_file(address)
    if file is None:
        return
    # What a link points at takes the place of what it pointed at, and not of the link.
    file = Path(os.path.realpath(file))
    try:
        if not is_current(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = file.with_name(f"{file.name}.lock")
            # Where nothing can be made, it says so at once; the lock would try again until its time is over.
            lock.touch()
            with FileLock(lock, timeout=PATIENCE):
                if not is_current(file):
                    _make(file)
        if writing:
            _try_to_write(file)
            _check_tables(file)
    except Timeout as error:
        raise UserError(
            f"another process has been making MLflow's store {file} for {PATIENCE} seconds. Wait until it has ended, "
            "or end it, and run again."
        ) from error
    except UserError:
        raise
    except Exception as error:
        raise UserError(explain_store(address, error)) from error


def is_current(file: Path) -> bool:
    """Say whether a file is a store of this MLflow's version, by a look that changes nothing.

    Raises:
        sqlite3.Error: It is no database, or cannot be read.
    """
    if not file.exists() or not file.stat().st_size:
        return False
    with closing(sqlite3.connect(file, timeout=BUSY)) as connection:
        return _version(connection) in set(_revisions()) - set(_revisions().values())


def explain_store(address: str, error: Exception) -> str:
    """Say why a store cannot be used, and what to do about it.

    Args:
        address: Of the store.
        error: What SQLite, the system or MLflow said.
    """
    said = in_short(error)
    subject = f"MLflow's store {without_password(address)} cannot be opened"
    if "disk is full" in said or "No space left" in said or "Disk quota" in said:
        return f"{subject}: the disk is full. Free space and run again; what is done is kept."
    if "disk I/O error" in said:
        return f"{subject}: the disk does not take it (full, over a limit, or broken). Free space and run again."
    if "is locked" in said:
        return f"{subject}: another program holds it. Wait until that has ended, or end it, and run again."
    if "malformed" in said:
        return (
            f"{subject}: its content is damaged. Put a copy in its place, or move it away, and a new one is made; the "
            "models in data/ do not depend on it."
        )
    return (
        f"{subject}: {said}. Make it and its folder readable and writable, or set MLFLOW_TRACKING_URI to a store that "
        "is."
    )


def _try_to_write(file: Path) -> None:
    """Write to a store and take it back; MLflow tries ten times, for more than a minute, before it says it cannot."""
    with closing(sqlite3.connect(file, timeout=BUSY)) as connection:
        # The lock alone says nothing of a file that may only be read.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE probe (empty)")
        connection.rollback()


def _check_tables(file: Path) -> None:
    """Look whether a store has what its version says; MLflow makes a table that is missing as it was years ago.

    Raises:
        UserError: If a table is missing, or some of its columns.
    """
    import mlflow.store.db.utils  # noqa: F401 (it knows all tables)
    from mlflow.store.db.base_sql_model import Base

    lacking = []
    with closing(sqlite3.connect(file, timeout=BUSY)) as store:
        for name, table in Base.metadata.tables.items():
            # Of the pragmas, the one that gives generated columns too.
            there = {column[1] for column in store.execute(f'PRAGMA table_xinfo("{name}")')}
            if not there.issuperset(table.columns.keys()):
                lacking.append(name)
    if lacking:
        raise UserError(
            f"MLflow's store {file} is not whole: tables that are missing, or lack columns: {shorten_list(lacking)}. "
            "Put a copy in its place, or move it away, and a new one is made; the models in data/ do not depend on it."
        )


@cache
def _revisions() -> dict[str, str]:
    """Give each revision of MLflow's tables, and the one before it; MLflow's own way takes 20 times as long."""
    import mlflow

    found = {}
    for script in (Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions").glob("*_*.py"):
        pairs = re.findall(r'^(revision|down_revision) = "(\w+)"', script.read_text(encoding="utf-8"), re.M)
        if "revision" in (noted := dict(pairs)):
            found[noted["revision"]] = noted.get("down_revision", "")
    return found


def _version(store: sqlite3.Connection) -> str | None:
    """Give the revision of a store's tables; None where none is noted."""
    if not store.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return None
    noted = store.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(noted[0]) if noted else None


def _is_used(store: sqlite3.Connection) -> bool:
    """Say whether a store holds anything that MLflow has not put there by itself when it was made."""
    for (table,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        # A migration moves what a table holds by way of one of this name.
        plain = table.removeprefix("_alembic_tmp_")
        ignored = " WHERE experiment_id != 0" if plain == "experiments" else ""
        own = plain in OWN_TABLES or plain.startswith("sqlite_")
        if not own and store.execute(f'SELECT 1 FROM "{table}"{ignored} LIMIT 1').fetchone():
            return True
    return False


def _make(file: Path) -> None:
    """Make a store, or mend or bring up to date the one that is there; only one process at a time."""
    if file.exists():
        made = file.with_name(f".{file.name}.migrated")
        try:
            with closing(sqlite3.connect(file, timeout=BUSY)) as store:
                _bring_up_to_date(file, store, made)
        finally:
            made.unlink(missing_ok=True)
        return
    with written_whole(file) as made:
        _migrate(made, None)
        # A journal that has lost its store would be taken for the new one's.
        for suffix in ("-journal", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)


def _bring_up_to_date(file: Path, store: sqlite3.Connection, made: Path) -> None:
    """Replace what a store holds by the same as this version of MLflow keeps it.

    Args:
        file: The store.
        store: The same, opened.
        made: A file beside it, to work on.

    Raises:
        UserError: It is newer, half migrated, or in use.
    """
    before, used, version = _data_version(store), _is_used(store), _version(store)
    if version is not None and version not in _revisions():
        raise UserError(
            f"MLflow's store {file} was made by a newer version of MLflow. Update MLflow, or set MLFLOW_TRACKING_URI "
            "to another store."
        )
    try:
        _migrate(made, store)
    except Exception as error:
        if "disk" in str(error) or isinstance(error, OSError):
            raise
        if used:
            raise UserError(_half_migrated(file)) from error
        log.warning("MLflow's store %s was left half made, without any run in it, and is made anew", file)
        _migrate(made, None)
    if used:
        copy = file.with_name(f"{file.name}.{version or 'other'}.bak")
        with written_whole(copy) as kept, closing(sqlite3.connect(kept)) as target:
            store.backup(target)
        log.info("MLflow's store is brought up to date; %s is what it was", copy.name)
    if _data_version(store) != before:
        raise UserError(f"another program writes to MLflow's store {file}, which is older. End it, and run again.")
    with closing(sqlite3.connect(made)) as source:
        # One transaction: all of it or nothing.
        source.backup(store)


def _half_migrated(file: Path) -> str:
    copies = [one for one in file.parent.iterdir() if one.match(f"{glob.escape(file.name)}.*.bak")]
    newest = max(copies, key=lambda one: one.stat().st_mtime, default=None)
    copy = f"put {newest.name}, which is a copy, in its place" if newest else "put a copy in its place"
    return (
        f"MLflow's store {file} was left half migrated, with runs in it. Nothing is lost that was not lost before: "
        f"{copy}, or move it away, and a new one is made. The models in data/ do not depend on it."
    )


def _migrate(made: Path, before: sqlite3.Connection | None) -> None:
    """Make a file that holds a store of this version: a new one, or what another one holds.

    Args:
        made: The file; what is there is of somebody who was killed.
        before: The older store, which stays as it is.
    """
    from mlflow.store.db import utils
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy import event

    made.unlink(missing_ok=True)
    if before is not None:
        with closing(sqlite3.connect(made)) as copy:
            before.backup(copy)
    address = store_address(made)
    engine = utils.create_sqlalchemy_engine(address)  # type: ignore[no-untyped-call]
    event.listen(engine, "connect", _hurry)
    try:
        utils._initialize_tables(engine)  # type: ignore[no-untyped-call]
        # It makes the experiment that each store begins with, which two first runs would both make.
        SqlAlchemyStore._engine_map[address] = engine
        SqlAlchemyStore(address, (made.parent / "mlartifacts").as_uri())  # type: ignore[no-untyped-call]
    finally:
        SqlAlchemyStore._engine_map.pop(address, None)
        engine.dispose()


def _hurry(connection: Any, _: Any) -> None:
    """Leave out what makes a file outlast a crash: whoever is stopped begins anew, and the whole is flushed at once."""
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")


def _data_version(store: sqlite3.Connection) -> int:
    """Give a number that changes when another process has written."""
    return int(store.execute("PRAGMA data_version").fetchone()[0])
