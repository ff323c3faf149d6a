"""What answers at MLFLOW_TRACKING_URI is an MLflow server that lets the user in, or the reason is said."""

from __future__ import annotations

import base64
import gzip
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from threading import Thread

import pytest
from urllib3.connection import HTTPConnection

from uncrappify.errors import UserError
from uncrappify.tracking import connection, server

SEARCH = "/api/2.0/mlflow/experiments/search"


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve fixed answers by path, ``(status, text)``, and give the address; with ``password``, only to who has it."""
    running = []

    def start(answers: dict[str, tuple[int, str]], password: str | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, text = answers.get(self.path.partition("?")[0], (404, "not found"))
                basic = base64.b64encode(f"me:{password}".encode()).decode()
                if password and self.headers.get("Authorization") != f"Basic {basic}":
                    status, text = 401, "You are not authenticated"
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: object) -> None:
                pass

        made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=made.serve_forever, daemon=True).start()
        running.append(made)
        return f"http://127.0.0.1:{made.server_port}"

    yield start
    for made in running:
        made.shutdown()
        made.server_close()


@pytest.fixture
def set_address(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def set_(value: str) -> None:
        server.address.cache_clear()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", value)

    yield set_
    server.address.cache_clear()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("http://log.example.org:5000/", "http://log.example.org:5000"),
        ("https://log.example.org/mlflow", "https://log.example.org/mlflow"),
        ("sqlite:///mlflow.db", None),
        ("", None),
    ],
)
def test_the_address_is_the_variables_where_it_is_a_server(given, found, set_address) -> None:
    set_address(given)
    assert server.address() == found


@pytest.mark.parametrize("version", ["3.0.0", "3.17.2", "4.1.0rc1"])
def test_a_server_that_fits_answers(version, serve) -> None:
    assert not server.why_away(serve({"/version": (200, version), SEARCH: (200, "{}")}))


def test_a_server_that_is_away_or_ill_may_come_back(serve) -> None:
    assert server.why_away("http://127.0.0.1:9") == "nothing listens there"
    assert server.why_away("http://nowhere.invalid") == "there is no host of that name, or no network"
    ill = serve({"/version": (200, "3.17.2"), SEARCH: (503, "busy")})
    assert server.why_away(ill) == "it answers with error 503"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 504])
@pytest.mark.parametrize("asked", ["/version", SEARCH])
def test_an_error_that_passes_is_not_another_server(asked, status, serve) -> None:
    answers = {"/version": (200, "3.17.2"), SEARCH: (200, "{}"), asked: (status, "later")}
    assert server.why_away(serve(answers)) == f"it answers with error {status}"


def test_a_redirect_is_told_with_its_place_and_not_followed(listen, serve) -> None:
    followed = serve({"/version": (200, "3.17.2"), SEARCH: (200, "{}")})
    place = followed.replace("//", "//me:secret@")
    address = listen(lambda: [f"HTTP/1.0 302 Found\r\nLocation: {place}/version\r\n\r\n".encode()])
    with pytest.raises(UserError) as caught:
        server.why_away(address)
    assert str(caught.value) == (
        f"{address} does not answer itself: it sends on to {followed}/version. Set MLFLOW_TRACKING_URI to the address "
        "that answers, or log in there as its keeper says."
    )


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[], Iterable[bytes]]], str]]:
    """Answer every request with pieces of bytes, and give the address."""
    listening = []

    def start(answer: Callable[[], Iterable[bytes]]) -> str:
        made = socket.create_server(("127.0.0.1", 0))
        listening.append(made)

        def work() -> None:
            with suppress(OSError):
                while True:
                    connection = made.accept()[0]
                    Thread(target=speak, args=(connection,), daemon=True).start()

        def speak(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                connection.recv(1 << 16)
                for piece in answer():
                    connection.sendall(piece)

        Thread(target=work, daemon=True).start()
        return f"http://127.0.0.1:{made.getsockname()[1]}"

    yield start
    for made in listening:
        made.close()


def drip(text: bytes) -> Iterator[bytes]:
    for sign in text:
        yield bytes([sign])
        time.sleep(0.05)


HEAD = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: drip(HEAD[:-2] + b"X: " + b"x" * 1000),
        lambda: (HEAD, *drip(b"3.17.2" + b" " * 1000)),
        lambda: chain([HEAD], drip(b" " * 1000)),
        lambda: (time.sleep(1) or b"" for _ in range(20)),
    ],
)
def test_a_server_that_drips_has_no_more_time_than_one_that_is_silent(answer, listen, monkeypatch) -> None:
    monkeypatch.setattr(server, "TIMEOUT", 0.5)
    started = time.monotonic()
    assert server.why_away(listen(answer)) == "no answer in time"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_an_end_is_not_read_to_it(packed, listen) -> None:
    if packed:
        head = b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
        bomb = gzip.compress(bytes(1 << 28), 1)
        address = listen(lambda: [head, bomb])
    else:
        address = listen(lambda: chain([HEAD], repeat(b"3" * (1 << 20))))
    assert server.why_away(address) == "it answers with more than 16 MiB"


def test_a_file_that_is_taken_slowly_but_steadily_has_the_time_that_it_needs(monkeypatch) -> None:
    monkeypatch.setattr(connection, "SLOWEST", 1000)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = HTTPConnection("127.0.0.1")
        line.sock = ours
        watch = connection._Watch(0.3)
        for _ in range(10):
            watch.note_sent(line, bytes(200))
            time.sleep(0.1)
        assert not watch.late
        # From here on nothing is taken any more: 2000 bytes have had 2 s, and the answer 0.3 s.
        assert theirs.recv(1) == b""
        assert watch.late


def test_a_wrong_password_is_told_and_not_shown(serve, monkeypatch) -> None:
    address = serve({"/version": (200, "3.17.2"), SEARCH: (200, "{}")}, password="right")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(UserError, match=r"does not let you in \(401\)\. Set MLFLOW_TRACKING_USERNAME and") as caught:
        server.why_away(address)
    assert "wrong" not in str(caught.value)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "right")
    assert server.why_away(address) is None


def test_a_name_that_the_server_does_not_know_is_no_wrong_password(serve) -> None:
    refused = serve({"/version": (200, "3.17.2"), SEARCH: (403, "Invalid Host header - possible DNS rebinding attack")})
    with pytest.raises(
        UserError, match=r"does not know itself by that name \(403: Invalid Host header.*--allowed-hosts"
    ):
        server.why_away(refused)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("[Errno 111] Connection refused"), "nothing listens there"),
        (RuntimeError("first line.\nsecond line"), "first line"),
        (RuntimeError(), "RuntimeError"),
        (RuntimeError("at https://me:secret@log.example.org"), "at https://log.example.org"),
    ],
)
def test_errors_are_told_in_short_and_without_passwords(error, said) -> None:
    assert server.in_short(error) == said


@pytest.mark.parametrize("page", [(404, "not found"), (200, "<html>a page</html>")])
def test_another_server_is_told(page, serve) -> None:
    with pytest.raises(UserError, match=r"answers, but not as an MLflow server does"):
        server.why_away(serve({"/version": page}))


def test_a_server_that_is_too_old_is_told(serve) -> None:
    with pytest.raises(UserError, match=r"runs MLflow 2\.9\.2, which does not know logged models\. Update it to 3\.0"):
        server.why_away(serve({"/version": (200, "2.9.2"), SEARCH: (200, "{}")}))
