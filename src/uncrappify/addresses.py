"""Addresses of servers, stores and files: built and taken apart as URLs, and as they may be shown."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit


def without_password(text: str) -> str:
    """Leave the user's name and password out of the URLs in a text that is shown or logged.

    Example:
        >>> without_password("https://me:secret@example.org/a.tar")
        'https://example.org/a.tar'
    """
    return re.sub(r"(?<=:)//[^/\s]*@", "//", text)


def store_address(file: Path) -> str:
    """Give the address under which MLflow finds a store in an SQLite file, whatever signs its path has.

    Example:
        >>> store_address(Path("/home/me/mlflow.db"))
        'sqlite:////home/me/mlflow.db'
        >>> store_address(Path("/home/what?/mlflow.db"))
        'sqlite+pysqlite:////home/what%3F/mlflow.db'
    """
    path = re.sub("[%?]", lambda sign: quote(sign[0]), str(file))
    # MLflow makes the folder that stands behind `sqlite:///`, as if nothing in it were quoted; the driver's name is
    # SQLAlchemy's way of saying the same.
    return f"sqlite:///{path}" if path == str(file) else f"sqlite+pysqlite:///{path}"


def store_file(address: str) -> Path | None:
    """Give the SQLite file of a store's address; None for other databases, servers, folders, and for no file.

    Example:
        >>> store_file("sqlite:////home/what%3F/mlflow.db")
        PosixPath('/home/what?/mlflow.db')
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except ArgumentError:
        return None
    # With `uri=true` the path is SQLite's own kind of URL, which may mean memory or another machine's disk.
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:") or "uri" in url.query:
        return None
    return Path(str(url.database))


def local_path(address: str) -> Path:
    """Give the path of a ``file:`` URL, as ``Path.as_uri`` makes it; a plain path stays itself.

    Example:
        >>> local_path("file:///home/a%20b")
        PosixPath('/home/a b')
    """
    return Path(unquote(urlsplit(address).path)) if address.startswith("file:") else Path(address)
