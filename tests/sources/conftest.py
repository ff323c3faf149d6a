"""A real server on this machine that can misbehave, and small archives."""

import hashlib
import io
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uncrappify.sources import download

Mishap = Callable[["Handler", bytes, int], None]


class Server(ThreadingHTTPServer):
    """Serves ``files``; each request takes one mishap from ``mishaps``, as long as there are any."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.mishaps: list[Mishap] = []
        self.asked: list[str | None] = []
        self.ranges = True
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about connections that a client, or a mishap, has closed."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET, whole or by range; ``asked`` gets each request's range."""

    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        content = self.server.files.get(self.path.strip("/"))
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        if self.server.mishaps:
            self.server.mishaps.pop(0)(self, content, start)
        else:
            self.head(start, len(content))
            self.wfile.write(content[start:])

    def head(self, start: int, total: int) -> None:
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(total - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def break_off(after: int) -> Mishap:
    """Announce everything and close the connection after some bytes."""

    def mishap(handler: Handler, content: bytes, start: int) -> None:
        handler.head(start, len(content))
        handler.wfile.write(content[start : start + after])

    return mishap


def stall(after: int) -> Mishap:
    """Announce everything and send nothing any more after some bytes."""

    def mishap(handler: Handler, content: bytes, start: int) -> None:
        break_off(after)(handler, content, start)
        handler.server.closing.wait(10)

    return mishap


def answer(status: int) -> Mishap:
    """Answer with an error."""
    return lambda handler, content, start: handler.send_error(status)


def announce(total: int) -> Mishap:
    """Lie about the size: what is sent is the file."""

    def mishap(handler: Handler, content: bytes, start: int) -> None:
        handler.head(start, total)
        handler.wfile.write(content[start:])

    return mishap


def send_without_a_length(content: bytes) -> Mishap:
    """Say no length, and send something else until the connection closes."""

    def mishap(handler: Handler, _: bytes, start: int) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)

    return mishap


def call_compressed() -> Mishap:
    """Call a .gz compressed on the way, as Apache does."""

    def mishap(handler: Handler, content: bytes, start: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Content-Encoding", "x-gzip")
        handler.end_headers()
        handler.wfile.write(content)

    return mishap


@pytest.fixture
def mishap() -> dict[str, Callable[..., Mishap]]:
    functions: tuple[Callable[..., Mishap], ...] = (
        *(break_off, stall, answer, announce),
        *(send_without_a_length, call_compressed),
    )
    return {function.__name__: function for function in functions}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server, and a client without patience."""
    monkeypatch.setattr(download, "TIMEOUT", (2.0, 0.2))
    monkeypatch.setattr(download, "PAUSE", 0.0)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


def picture_bytes(seed: int, width: int = 48, height: int = 36, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()


def tar_bytes(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), int(time.time())
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def zip_bytes(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def make() -> dict[str, Callable[..., bytes]]:
    return {"picture": picture_bytes, "tar": tar_bytes, "zip": zip_bytes}


@pytest.fixture
def pets(make: dict[str, Callable[..., bytes]]) -> bytes:
    """Eight pictures in the layout of Oxford-IIIT Pets, and what else lies in that archive."""
    pictures = {f"images/Abyssinian_{number}.jpg": picture_bytes(number, kind="JPEG") for number in range(8)}
    return tar_bytes(pictures | {"images/Abyssinian_100.mat": b"MATLAB", "images/._hidden.jpg": b"x"})


@pytest.fixture
def sha256() -> Callable[[bytes], str]:
    return lambda content: hashlib.sha256(content).hexdigest()


@pytest.fixture
def write_mirror(tmp_path: Path) -> Callable[..., Path]:
    """Write archives into a folder with their sums, as sha256sum does."""

    def write(files: dict[str, bytes]) -> Path:
        folder = tmp_path / "mirror"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        sums = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()]
        (folder / "SHA256SUMS").write_text("".join(sums))
        return folder

    return write
