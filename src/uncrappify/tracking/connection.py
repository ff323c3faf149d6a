"""Requests to a server that may be anything: each has an end in time and size, and stays at the address it went to.

MLflow's own timeout begins anew with every byte that arrives, and its answers are read whole, however large: a server
that drips holds a thread for ever, and one that never stops talking fills the memory.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mlflow.utils import request_utils
from requests import PreparedRequest, RequestException, Response
from requests.exceptions import ReadTimeout
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from uncrappify.foreign import in_one_line

LARGEST_ANSWER = 16 << 20
"""Bytes of an answer, unpacked: what MLflow says of a run, or a page of 25,000 metrics, has less than 3 MiB."""

SLOWEST = 10_000
"""Bytes a second that a server takes of a file, at least, after the time that it has for any answer."""


class ServerFault(RequestException):
    """The server answers in a way that no MLflow server does; the message says how."""


class SentElsewhere(ServerFault):
    """The server sends the request on to another address."""


class _Watch:
    """Cuts the connection of a request that takes too long, whatever is being read or written on it.

    Args:
        seconds: For the answer, from the moment when the request has been sent.
    """

    def __init__(self, seconds: float) -> None:
        self.late = False
        self._seconds, self._since, self._sent = seconds, time.monotonic(), 0
        self._socket: socket.socket | None = None
        self._lock, self._over = threading.Lock(), False
        self._arm(seconds)

    def note_sent(self, connection: HTTPConnection, data: Any) -> None:
        """Take that a part of the request has been sent."""
        self._socket = connection.sock
        self._sent += len(data) if hasattr(data, "__len__") else 0

    def note_asked(self) -> None:
        """Take that the whole request has been sent: the time for the answer begins."""
        self._since, self._sent = time.monotonic(), 0

    def end(self) -> None:
        """Leave the connection alone from now on."""
        with self._lock:
            self._over = True
            self._timer.cancel()

    def _arm(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        with self._lock:
            left = self._since + self._seconds + self._sent / SLOWEST - time.monotonic()
            if self._over:
                return
            if left > 0:
                self._arm(left)
                return
            self.late = True
            if self._socket is not None:
                with suppress(OSError):
                    # Not that of TLS, which another thread is in the middle of.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Requests(threading.local):
    """What a thread has on its way.

    Attributes:
        watch: Of the request that it has sent.
        until: When all its requests have to be over (``time.monotonic``), where that is limited.
    """

    watch: _Watch | None = None
    until: float | None = None


_requests = _Requests()


class _Noting(HTTPConnection):
    """Tells the watch of the thread's request what has been sent."""

    def send(self, data: Any) -> None:
        super().send(data)
        if _requests.watch:
            _requests.watch.note_sent(self, data)

    def request(self, *arguments: Any, **named: Any) -> None:
        super().request(*arguments, **named)
        if _requests.watch:
            _requests.watch.note_asked()


class _NotingTLS(_Noting, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Noting


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _NotingTLS


class _Adapter(request_utils.TCPKeepAliveHTTPAdapter):
    """MLflow's, within bounds."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)  # type: ignore[no-untyped-call]
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}

    def proxy_manager_for(self, *arguments: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **named)  # type: ignore[no-untyped-call]
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}
        return manager

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        seconds = timeout if isinstance(timeout, int | float) else None
        if _requests.until is not None:
            left = _requests.until - time.monotonic()
            if left <= 0:
                raise ReadTimeout("timed out: its answers have no end")
            seconds = min(left, seconds or left)
        if seconds is None:
            # Parts of a file that go to a cloud's storage.
            return super().send(request, stream, timeout, verify, cert, proxies)
        watch = _requests.watch = _Watch(seconds)
        try:
            response = super().send(request, stream, seconds, verify, cert, proxies)
            if response.is_redirect:
                response.close()
                raise SentElsewhere(f"it sends on to {in_one_line(response.headers['location'], 100)}")
            if not stream or _requests.until is not None:
                _read(response)
        except Exception as error:
            if watch.late:
                raise ReadTimeout("timed out") from error
            raise
        finally:
            watch.end()
            _requests.watch = None
        if watch.late:
            # An answer that ends with its connection seems to be whole.
            raise ReadTimeout("timed out")
        return response


def guard() -> None:
    """Set bounds to MLflow's requests in this process; it has no setting for them."""
    if request_utils.TCPKeepAliveHTTPAdapter is not _Adapter:
        request_utils.TCPKeepAliveHTTPAdapter = _Adapter  # type: ignore[misc]
        request_utils._cached_get_request_session.cache_clear()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let all requests of this thread together take so many seconds, and read each answer whole, files too."""
    guard()
    _requests.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _requests.until = None


def _read(response: Response) -> None:
    """Read an answer, up to a limit; gzip is unpacked a piece at a time."""
    parts, size = [], 0
    for part in response.iter_content(1 << 16):
        size += len(part)
        if size > LARGEST_ANSWER:
            response.close()
            raise ServerFault(f"it answers with more than {LARGEST_ANSWER >> 20} MiB")
        parts.append(part)
    response._content = b"".join(parts)
    # Else it is guessed, which takes long.
    response.encoding = response.encoding or "utf-8"
