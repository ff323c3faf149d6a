"""Downloads over HTTP: resumed after an interruption, limited in size, and checked by checksum."""

from __future__ import annotations

import errno
import math
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uncrappify.addresses import without_password
from uncrappify.errors import UserError
from uncrappify.progress import make_bar

if TYPE_CHECKING:
    from requests import RequestException, Response

TIMEOUT = (10.0, 30.0)
"""Connection and read timeout, in seconds."""

RETRIES = 3
"""How many attempts in a row may fail without receiving any new bytes."""

PAUSE = 1.0
"""Seconds before the first retry; the second waits twice as long, and so on."""

PATIENCE = 60.0
"""Seconds in which a server has to answer, redirects included, and over which its speed is measured."""

SLOWEST = 1000
"""Bytes a second; a server that sends less is given up like one that sends nothing."""

LEAST = 1 << 15
"""New bytes that make an attempt count as one that got on."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_CHUNK = 1 << 16
_SMALL = 1 << 20
_MEGA = 1e6


def download(url: str, file: Path, sha256: str, size: int | None = None, most: int | None = None) -> None:
    """Download a file with pooch, complete and with the right checksum, or not at all.

    A partial download stays beside the file. The next attempt, in this process or a later one, requests only the rest
    (HTTP range requests, RFC 9110 section 14).

    Args:
        url: Address to download from.
        file: Target; an existing file with the right checksum is kept.
        sha256: Checksum of the content, hexadecimal.
        size: Size in bytes; ``None`` if unknown.
        most: Largest size in bytes where it is unknown; ``None`` for no limit.

    Raises:
        UserError: The server cannot be reached, refuses the request, times out, closes the connection repeatedly, or
            sends a file with another size or checksum; or the disk is full.
    """
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")
    # Named after the checksum, so that a partial download of another file is not resumed.
    resuming = ResumingDownloader(file.with_name(f"{sha256[:16]}.partial"), size, most)
    try:
        pooch.retrieve(url, f"sha256:{sha256}", file.name, file.parent, downloader=resuming)
    except RequestException as error:
        raise UserError(f"{without_password(url)}: {explain_failure(error)}.") from error
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise UserError(
            f"{without_password(url)}: the disk is full. Free space in {file.parent} and run again; what was "
            "downloaded is kept."
        ) from error
    except ValueError as error:
        raise UserError(
            f"{without_password(url)}: the checksum of what was downloaded is not {sha256}. It was thrown away: the "
            "file has changed since its sha256 was written down, or something on the way alters it."
        ) from error


def read_text(url: str) -> str:
    """Read a text file of up to a mebibyte from a server.

    Raises:
        UserError: The file cannot be downloaded, or is larger.
    """
    import requests

    content = b""
    try:
        with _get(url, {}) as response:
            _check_status(response)
            for chunk in _read_chunks(response):
                content += chunk
                if len(content) > _SMALL:
                    raise UserError(f"{without_password(url)}: it is larger than a list of checksums, 1 MB.")
            return content.decode(errors="replace")
    except requests.RequestException as error:
        raise UserError(f"{without_password(url)}: {explain_failure(error)}.") from error


def explain_failure(error: RequestException) -> str:
    """Describe in a few words why a request failed."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate does not prove who it is"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy between here and the server refuses"
    if isinstance(error, requests.Timeout) and "a second" in str(error):
        return f"the server sends {error}"
    if isinstance(error, requests.TooManyRedirects):
        return "the server sends from one address to the next, without an end"
    if isinstance(error, requests.exceptions.InvalidSchema):
        return "the server sends to an address that is not http or https"
    if isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in str(error):
        return "the server cannot be reached"
    if isinstance(error, requests.Timeout) and "no answer" in str(error):
        return f"the server has given {error}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server has sent nothing for {TIMEOUT[1]:g} seconds"
    if "NameResolutionError" in str(error):
        return "there is no such server, or no network"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "the connection broke off again and again"
    return without_password(str(error))


class ResumingDownloader:
    """A downloader for pooch that resumes partial downloads, which pooch's own do not.

    Args:
        partial: File that keeps the partial download between attempts.
        size: Size of the whole file in bytes; ``None`` if unknown.
        most: Largest size in bytes where it is unknown; ``None`` for no limit.
    """

    def __init__(self, partial: Path, size: int | None, most: int | None = None) -> None:
        self.partial = partial
        self.size = size
        self.most = size if most is None else most

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download, and move the whole file to where pooch checks it.

        Raises:
            RequestException: Several attempts in a row received hardly any new bytes; the last one's error.
            UserError: The server has a file of another size, or of more than the largest.
        """
        from requests import RequestException

        failures, furthest = 0, self._received
        while True:
            try:
                self._resume(url)
                break
            except RequestException as error:
                # A server that sends a byte and closes would be asked for ever.
                failures = 0 if self._received - furthest >= LEAST else failures + 1
                furthest = max(furthest, self._received)
                if failures > RETRIES or not _is_temporary(error):
                    raise
                time.sleep(PAUSE * failures)
        self.partial.replace(output_file)

    @property
    def _received(self) -> int:
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def _resume(self, url: str) -> None:
        import requests

        have = self._received
        with _get(url, {"Range": f"bytes={have}-"} if have else {}) as response:
            if have and response.status_code == requests.codes.requested_range_not_satisfiable:
                if have in (self.size, _read_range(response)[1]):
                    return
                # The partial download is longer than the server's file, which is therefore another one.
                self.partial.unlink(missing_ok=True)
                raise requests.ConnectionError("nothing there to go on with")
            _check_status(response)
            start, total = _read_range(response)
            if total is not None and self.size is not None and total != self.size:
                raise UserError(
                    f"{without_password(url)}: the server has {total} bytes where {self.size} are expected: another "
                    "file."
                )
            if start not in (0, have):
                raise requests.ConnectionError("the server goes on at another place")
            total = self.size if total is None else total
            self._check_limit(url, total or 0)
            self._write(response, start, total)
        if total is not None and self._received < total:
            raise requests.ConnectionError("the connection broke off")

    def _write(self, response: Response, start: int, total: int | None) -> None:
        most = math.inf if self.most is None else self.most
        with self.partial.open("ab" if start else "wb") as file, make_bar() as progress:
            megabytes = total and total / _MEGA
            task = progress.add_task("downloading (MB)", total=megabytes)
            for chunk in _read_chunks(response):
                file.write(chunk)
                start += len(chunk)
                progress.update(task, completed=start / _MEGA)
                if start > (most if total is None else total):
                    break
        # Closed before it is removed, as Windows wants it.
        self._check_limit(response.url, start if total is None else 0)
        if total is not None and start > total:
            self.partial.unlink()
            raise UserError(
                f"{without_password(response.url)}: the server sends more than the {total} bytes that are expected."
            )

    def _check_limit(self, url: str, size: int) -> None:
        if self.most is not None and size > self.most:
            self.partial.unlink(missing_ok=True)
            raise UserError(
                f"{without_password(url)}: the server sends more than {self.most / _MEGA:.0f} MB, the most that this "
                "archive can have."
            )


def _get(url: str, headers: dict[str, str]) -> Response:
    """Begin a request, in a thread: requests has no limit of time for redirects and for a head that drips.

    Args:
        url: Address.
        headers: More headers of the request.

    Raises:
        RequestException: As requests raises it, or ``PATIENCE`` is over.
    """
    import requests

    answer: list[Response | Exception] = []

    def ask() -> None:
        try:
            # With a content encoding, byte ranges would refer to the compressed data.
            wanted = {"Accept-Encoding": "identity"} | headers
            answer.append(requests.get(url, headers=wanted, stream=True, timeout=TIMEOUT))
        except Exception as error:
            answer.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if not answer:
        raise requests.ReadTimeout(f"no answer in {PATIENCE:g} seconds")
    if isinstance(answer[0], requests.Response):
        return answer[0]
    # Of a host that cannot be written as a name; requests lets some through as they are.
    if isinstance(answer[0], ValueError) and not isinstance(answer[0], requests.RequestException):
        raise requests.exceptions.InvalidURL(str(answer[0])) from answer[0]
    raise answer[0]


def _check_status(response: Response) -> None:
    """Check that an answer has content; one that has none (204), or sends on without an address, is no error of HTTP.

    Raises:
        HTTPError: It has none.
    """
    import requests

    response.raise_for_status()
    if response.status_code not in (requests.codes.ok, requests.codes.partial_content):
        raise requests.HTTPError(response=response)


def _read_chunks(response: Response) -> Iterator[bytes]:
    """Yield the response's bytes as they are sent; requests would unpack a .gz that comes with a content encoding.

    Raises:
        RequestException: As when reading with requests.
    """
    import requests
    from urllib3 import exceptions

    began, received = time.monotonic(), 0
    try:
        # Not stream(), which waits until a chunk is full.
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            yield chunk
            received += len(chunk)
            if (took := time.monotonic() - began) > PATIENCE:
                if received < SLOWEST * took:
                    raise requests.ReadTimeout(f"less than {SLOWEST} bytes a second")
                began, received = time.monotonic(), 0
    except exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(str(error)) from error
    except exceptions.HTTPError as error:
        raise requests.ConnectionError(str(error)) from error


def _read_range(response: Response) -> tuple[int, int | None]:
    """Return a response's offset in the file (-1 if invalid) and the file's size (``None`` if unknown), in bytes."""
    if response.status_code == 200:  # the whole file, with or without a range request
        length = response.headers.get("Content-Length", "")
        return 0, _read_number(length)
    # As in "bytes 1000-1999/2000"; a star stands for an unknown length.
    place, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    begin = place.partition("-")[0]
    start = _read_number(begin)
    return -1 if start is None else start, _read_number(total)


def _read_number(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def _is_temporary(error: RequestException) -> bool:
    """Whether another attempt may succeed."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code >= 500 or error.response.status_code == 429
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return False
    return isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError)
