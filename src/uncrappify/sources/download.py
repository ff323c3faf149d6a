"""Archives over HTTP: gone on with where they broke off, never larger than announced, checked before they count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uncrappify.addresses import without_password
from uncrappify.errors import UserError
from uncrappify.progress import bar

if TYPE_CHECKING:
    from requests import RequestException, Response

TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes of an answer."""

RETRIES = 3
"""How often in a row an answer may bring nothing new."""

PAUSE = 1.0
"""Seconds before the first retry; the second waits twice as long, and so on."""

_CHUNK = 1 << 16
_SMALL = 1 << 20
_MEGA = 1e6


def download(url: str, file: Path, sha256: str, size: int | None) -> None:
    """Download a file by pooch, whole and right or not at all.

    What has arrived before a connection breaks stays beside the file, and the next attempt, in this process or a later
    one, asks for the rest (HTTP Range, RFC 9110 section 14).

    Args:
        url: Where from.
        file: Where to; a file with the right checksum that is there already is kept.
        sha256: Of the content.
        size: In bytes; nothing where only the server knows it.

    Raises:
        UserError: The server cannot be reached, refuses, stalls, breaks off again and again, or has another file.
    """
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")
    # Named after the checksum: the beginning of another file is nothing to go on with.
    resuming = ResumingDownloader(file.with_name(f"{sha256[:16]}.partial"), size)
    try:
        pooch.retrieve(url, f"sha256:{sha256}", file.name, file.parent, downloader=resuming)
    except RequestException as error:
        raise UserError(f"{without_password(url)}: {reason(error)}.") from error
    except ValueError as error:
        raise UserError(
            f"{without_password(url)}: the checksum of what was downloaded is not {sha256}. It was thrown away: the "
            "file has changed since its sha256 was written down, or something on the way alters it."
        ) from error


def read_text(url: str) -> str:
    """Read a small text file from a server; of a large one, the beginning.

    Raises:
        UserError: It cannot be had.
    """
    import requests

    try:
        with requests.get(url, timeout=TIMEOUT, stream=True) as response:
            response.raise_for_status()
            return next(response.iter_content(_SMALL), b"").decode(errors="replace")
    except requests.RequestException as error:
        raise UserError(f"{without_password(url)}: {reason(error)}.") from error


def reason(error: RequestException) -> str:
    """Say in a few words why a request failed."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate does not prove who it is"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy between here and the server refuses"
    if isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in str(error):
        return "the server cannot be reached"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server has sent nothing for {TIMEOUT[1]:g} seconds"
    if "NameResolutionError" in str(error):
        return "there is no such server, or no network"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "the connection broke off again and again"
    return without_password(str(error))


class ResumingDownloader:
    """A downloader for pooch, which has none that goes on where it broke off.

    Args:
        partial: Where the beginning of the file is kept from one attempt to the next.
        size: Of the whole file in bytes, if it is known.
    """

    def __init__(self, partial: Path, size: int | None) -> None:
        self.partial = partial
        self.size = size

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download, and move the whole file to where pooch checks it.

        Raises:
            RequestException: The last of several attempts that brought nothing new failed so.
            UserError: The server has a file of another size.
        """
        from requests import RequestException

        failures, furthest = 0, self._have
        while True:
            try:
                self._go_on(url)
                break
            except RequestException as error:
                failures = 0 if self._have > furthest else failures + 1
                furthest = max(furthest, self._have)
                if failures > RETRIES or not _passing(error):
                    raise
                time.sleep(PAUSE * failures)
        self.partial.replace(output_file)

    @property
    def _have(self) -> int:
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def _go_on(self, url: str) -> None:
        import requests

        # Compressed on the way, the numbers of bytes would mean something else.
        headers = {"Accept-Encoding": "identity"}
        if have := self._have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                if have in (self.size, _announced(response)[1]):
                    return
                # It is longer than the server's file, which is therefore another one.
                self.partial.unlink()
                raise requests.ConnectionError("nothing there to go on with")
            response.raise_for_status()
            start, total = _announced(response)
            if total is not None and self.size is not None and total != self.size:
                raise UserError(
                    f"{without_password(url)}: the server has {total} bytes where {self.size} are expected: another "
                    "file."
                )
            if start not in (0, have):
                raise requests.ConnectionError("the server goes on at another place")
            total = self.size if total is None else total
            self._write(response, start, total)
        if total is not None and self._have < total:
            raise requests.ConnectionError("the connection broke off")

    def _write(self, response: Response, start: int, total: int | None) -> None:
        with self.partial.open("ab" if start else "wb") as file, bar() as progress:
            megabytes = total and total / _MEGA
            task = progress.add_task("downloading (MB)", total=megabytes)
            for chunk in _as_sent(response):
                file.write(chunk)
                start += len(chunk)
                progress.update(task, completed=start / _MEGA)
                if total is not None and start > total:
                    self.partial.unlink()
                    raise UserError(
                        f"{without_password(response.url)}: the server sends more than the {total} bytes that are "
                        "expected."
                    )


def _as_sent(response: Response) -> Iterator[bytes]:
    """Give the file's own bytes: servers call a .gz compressed on the way, and requests would unpack it.

    Raises:
        RequestException: As of requests' own way of reading.
    """
    import requests
    from urllib3 import exceptions

    try:
        yield from response.raw.stream(_CHUNK, decode_content=False)
    except exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(str(error)) from error
    except exceptions.HTTPError as error:
        raise requests.ConnectionError(str(error)) from error


def _announced(response: Response) -> tuple[int, int | None]:
    """Read where an answer begins in the file, and how long the whole file is, if it says so."""
    if response.status_code == 200:  # all of it, asked for or not
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    # As in "bytes 1000-1999/2000"; a star stands for an unknown length.
    place, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    begin = place.partition("-")[0]
    return int(begin) if begin.isdigit() else -1, int(total) if total.isdigit() else None


def _passing(error: RequestException) -> bool:
    """Tell a failure that another attempt may mend from one that stays."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code >= 500 or error.response.status_code == 429
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return False
    return isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError)
