"""Mirrors that misbehave: a real server on this machine, and every download ends with the right file or a sentence."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from attacks.mutation import Tally
from uncrappify.errors import UserError
from uncrappify.sources import download
from uncrappify.sources.archive import SUMS

#: What patience is cut down to, so that an attack takes no minutes.
IMPATIENT = {"TIMEOUT": (2.0, 0.3), "PATIENCE": 0.8, "PAUSE": 0.0, "SLOWEST": 20_000}
MOST_SECONDS = 10
MOST_BYTES = 2_000_000
CONTENT = np.random.default_rng(0).bytes(200_000)
SIZE = len(CONTENT)
SUM = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers each request as the behaviour that is tried does."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer."""
        self.close_connection = True
        self.server.asked += 1
        self.server.behave(self)

    @property
    def start(self) -> int:
        """First byte that is asked for."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))

    def head(self, status: int = 200, **headers: object) -> None:
        """Send the head of an answer; an underscore stands for a hyphen."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, content: bytes) -> None:
        """Send bytes at once."""
        self.wfile.write(content)
        self.wfile.flush()

    def drip(self, content: bytes, pause: float = 0.1) -> None:
        """Send byte after byte."""
        for value in content:
            self.send(bytes([value]))
            time.sleep(pause)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server with one behaviour."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, behave: Callable[[Handler], object]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave, self.asked = behave, 0

    def handle_error(self, *_: Any) -> None:
        """Say nothing of connections that are closed."""


def attack(folder: Path, seed: int, share: float) -> Tally:
    """Download an archive, and the list of its checksums, from mirrors of every behaviour.

    Args:
        folder: To work in.
        seed: Of the choice, where not all are tried.
        share: Of the behaviours.

    Returns:
        What was tried; survived is the right content, or a UserError, within 10 s and 2 MB on the disk.
    """
    tally = Tally("mirrors")
    attempts = {f"archive, {name}": partial(try_archive, behave, folder) for name, behave in BEHAVIOURS.items()}
    attempts |= {f"checksums, {name}": partial(try_sums, behave) for name, behave in BEHAVIOURS.items()}
    chosen = np.random.default_rng(seed).permutation(list(attempts))[: round(len(attempts) * share)]
    patient = {name: getattr(download, name) for name in IMPATIENT}
    try:
        for name, value in IMPATIENT.items():
            setattr(download, name, value)
        for name in chosen:
            tally.count(name, attempts[name])
    finally:
        for name, value in patient.items():
            setattr(download, name, value)
    return tally


def try_archive(behave: Callable[[Handler], object], folder: Path) -> str | None:
    """Download an archive of unknown size, and say what is wrong with how that went."""
    target = folder / "incoming"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    started, told = time.perf_counter(), ""
    try:
        with serving(behave) as server:
            url = f"http://127.0.0.1:{server.server_port}/a.tar"
            download.download(url, target / "a.tar", SUM, most=MOST_BYTES)
    except UserError as error:
        told = str(error)
    took = time.perf_counter() - started
    there = (target / "a.tar").read_bytes() if (target / "a.tar").is_file() else b""
    largest = max((path.stat().st_size for path in target.iterdir()), default=0)
    shutil.rmtree(target)
    found = {
        f"it took {took:.0f} s": took > MOST_SECONDS,
        f"{largest} bytes lie there": largest > MOST_BYTES + (1 << 17),
        "there is another content": there not in (b"", CONTENT),
        "there is nothing, and nothing is told": not there and not told,
        f"it is told in several lines: {told}": "\n" in told,
    }
    return next((wrong for wrong, holds in found.items() if holds), None)


def try_sums(behave: Callable[[Handler], object]) -> str | None:
    """Read a list of checksums, and say what is wrong with how that went."""
    started = time.perf_counter()
    try:
        with serving(behave) as server:
            text = download.read_text(f"http://127.0.0.1:{server.server_port}/{SUMS}")
    except UserError:
        text = ""
    took = time.perf_counter() - started
    if took > MOST_SECONDS:
        return f"it took {took:.0f} s"
    return f"it is {len(text)} letters long" if len(text) > MOST_BYTES else None


@contextmanager
def serving(behave: Callable[[Handler], object]) -> Iterator[Server]:
    """Run a server for the block."""
    server = Server(behave)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(status: int = 200, body: bytes | None = None, **headers: object) -> Callable[[Handler], None]:
    """Answer with a status and headers, and with a body or the content."""

    def behave(handler: Handler) -> None:
        handler.head(status, **headers)
        handler.send(CONTENT if body is None else body)

    return behave


def part(handler: Handler, stop: int) -> None:
    """Announce everything by range, and send it up to a byte."""
    start = handler.start
    ranged = {"Content_Range": f"bytes {start}-{SIZE - 1}/{SIZE}"} if start else {}
    handler.head(206 if start else 200, Content_Length=SIZE - start, **ranged)
    handler.send(CONTENT[start:stop])


def endless(handler: Handler) -> None:
    """Send for ever."""
    while True:
        handler.send(CONTENT)


def first(begin: Callable[[Handler], object], then: Callable[[Handler], object]) -> Callable[[Handler], object]:
    """Do one thing, and then another."""
    return lambda handler: (begin(handler), then(handler))


def by_range(text: str) -> Callable[[Handler], None]:
    """Send half, and then answer a range with a header of any text."""

    def behave(handler: Handler) -> None:
        if handler.start:
            answer(206, CONTENT[handler.start :], Content_Range=text)(handler)
        else:
            part(handler, SIZE // 2)

    return behave


def chunked(handler: Handler) -> None:
    """Send in chunks, as servers do that know no length."""
    handler.head(Transfer_Encoding="chunked")
    for begin in range(0, SIZE, 30_000):
        piece = CONTENT[begin : begin + 30_000]
        handler.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    handler.send(b"0\r\n\r\n")


def raw(content: bytes) -> Callable[[Handler], None]:
    """Send what is no answer at all, or a broken one."""
    return lambda handler: handler.send(content)


BEHAVIOURS: dict[str, Callable[[Handler], object]] = {
    "as it should be": lambda handler: part(handler, SIZE),
    "no length": answer(),
    "in chunks": chunked,
    "a chunk of garbage": first(lambda handler: handler.head(Transfer_Encoding="chunked"), raw(b"zz\r\nabc")),
    "an endless chunk": first(
        lambda handler: handler.head(Transfer_Encoding="chunked"), first(raw(b"ffffffff\r\n"), endless)
    ),
    "a length that is too short": answer(Content_Length=SIZE - 7),
    "a length that is too long": answer(Content_Length=SIZE + 7),
    "a length of a terabyte": answer(Content_Length=10**12),
    "a length that is negative": answer(Content_Length=-1),
    "a length that is no number": answer(Content_Length="many"),
    "a length in raised digits": answer(Content_Length="\xb2\xb3"),
    "a length of 5000 digits": answer(Content_Length="9" * 5000),
    "two lengths": answer(Content_Length=f"{SIZE}, {SIZE + 1}"),
    "endless": first(lambda handler: handler.head(), endless),
    "endless, with a length": first(lambda handler: handler.head(Content_Length=SIZE), endless),
    "dripping": first(lambda handler: handler.head(), lambda handler: handler.drip(CONTENT)),
    "dripping, with a length": first(
        lambda handler: handler.head(Content_Length=SIZE), lambda handler: handler.drip(CONTENT)
    ),
    "a head that drips": lambda handler: handler.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000),
    "chunks that drip": first(
        lambda handler: handler.head(Transfer_Encoding="chunked"), lambda handler: handler.drip(b"1\r\nx\r\n" * 9999)
    ),
    "silent": lambda _: time.sleep(1),
    "silent after half": first(lambda handler: part(handler, SIZE // 2), lambda _: time.sleep(1)),
    "cut after half": lambda handler: part(handler, SIZE // 2),
    "cut after every byte": lambda handler: part(handler, handler.start + 1),
    "cut after 50 kB": lambda handler: part(handler, handler.start + 50_000),
    "cut at once": lambda _: None,
    "500": answer(500, b"", Content_Length=0),
    "503 for ever": answer(503, b"", Content_Length=0, Retry_After=10**9),
    "429 for ever": answer(429, b"", Content_Length=0),
    "404 that is endless": first(lambda handler: handler.head(404), endless),
    "403": answer(403, b"", Content_Length=0),
    "204": lambda handler: handler.head(204),
    "a status that does not exist": answer(799, b"", Content_Length=0),
    "a redirect to itself": answer(302, b"", Content_Length=0, Location="/a.tar"),
    "a redirect to a file": answer(302, b"", Content_Length=0, Location="file:///etc/hostname"),
    "a redirect to another protocol": answer(302, b"", Content_Length=0, Location="ftp://127.0.0.1/a.tar"),
    "a redirect to no host": answer(302, b"", Content_Length=0, Location="http://"),
    "a redirect to an impossible host": answer(302, b"", Content_Length=0, Location=f"http://{'a' * 70}..b/"),
    "a redirect to nowhere": answer(302, b"", Content_Length=0),
    "a range elsewhere": by_range(f"bytes 5-{SIZE - 1}/{SIZE}"),
    "a range of garbage": by_range("lines 1 to many"),
    "a range in raised digits": by_range("bytes \xb2-\xb3/\xb9"),
    "a range of another file": by_range(f"bytes {SIZE // 2}-{SIZE * 3}/{SIZE * 3}"),
    "no range for ever": lambda handler: handler.head(416, Content_Length=0, Content_Range=f"bytes */{SIZE}"),
    "another content": answer(200, CONTENT[::-1], Content_Length=SIZE),
    "a page of HTML": answer(200, b"<html>please log in</html>", Content_Length=26),
    "empty": answer(200, b"", Content_Length=0),
    "compressed on the way": answer(200, gzip.compress(CONTENT), Content_Encoding="gzip"),
    "a bomb on the way": answer(200, gzip.compress(bytes(30_000_000)), Content_Encoding="gzip"),
    "not HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "an endless head": first(raw(b"HTTP/1.1 200 OK\r\n"), raw(b"X: y\r\n" * 9999)),
    "an endless line": first(raw(b"HTTP/1.1 200 OK\r\nX: "), endless),
}
