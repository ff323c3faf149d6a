"""Archives over HTTP: gone on with where they broke off, never larger than announced, checked before they count."""

import gzip
import hashlib
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from uncrappify.errors import UserError
from uncrappify.sources import download as module
from uncrappify.sources.download import download

CONTENT = np.random.default_rng(0).bytes(300_000)
SIZE = len(CONTENT)
SUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "incoming").mkdir()
    return tmp_path / "incoming" / "a.tar"


@pytest.fixture
def url(server: Any) -> str:
    server.files["a.tar"] = CONTENT
    return f"{server.url}/a.tar"


def left(file: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in file.parent.iterdir()}


def test_a_file_comes_whole_and_once(server, url, file):
    download(url, file, SUM, SIZE)
    download(url, file, SUM, SIZE)
    assert file.read_bytes() == CONTENT
    assert left(file) == {"a.tar": SIZE}
    assert server.asked == [None]


def test_a_connection_that_breaks_off_is_gone_on_with_by_range(server, url, file, mishap):
    server.mishaps = [mishap["break_off"](131_072), mishap["break_off"](65_536)]
    download(url, file, SUM, SIZE)
    assert file.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=131072-", "bytes=196608-"]


def test_a_later_attempt_goes_on_where_an_earlier_one_gave_up(server, url, file, mishap):
    server.mishaps = [mishap["break_off"](131_072), *[mishap["break_off"](0)] * (module.RETRIES + 1)]
    with pytest.raises(UserError, match="broke off again and again"):
        download(url, file, SUM, SIZE)
    assert list(left(file).values()) == [131_072]
    server.asked.clear()
    download(url, file, SUM, SIZE)
    assert server.asked == ["bytes=131072-"]
    assert file.read_bytes() == CONTENT


def test_what_was_complete_when_the_process_was_killed_is_not_sent_again(server, url, file):
    (file.parent / f"{SUM[:16]}.partial").write_bytes(CONTENT)
    for size in (SIZE, None):
        download(url, file, SUM, size)
        assert file.read_bytes() == CONTENT
    assert server.asked == [f"bytes={SIZE}-"]


def test_a_server_without_ranges_sends_all_of_it_again(server, url, file, mishap):
    server.ranges = False
    server.mishaps = [mishap["break_off"](131_072)]
    download(url, file, SUM, SIZE)
    assert server.asked == [None, "bytes=131072-"]
    assert file.read_bytes() == CONTENT


def test_the_beginning_of_a_longer_file_is_thrown_away(server, url, file):
    (file.parent / f"{SUM[:16]}.partial").write_bytes(CONTENT + b"more")
    download(url, file, SUM, None)
    assert server.asked == [f"bytes={SIZE + 4}-", None]
    assert file.read_bytes() == CONTENT


def test_a_server_that_stalls_is_asked_again(server, url, file, mishap):
    server.mishaps = [mishap["stall"](131_072)]
    download(url, file, SUM, SIZE)
    assert server.asked == [None, "bytes=131072-"]
    assert file.read_bytes() == CONTENT


def test_a_server_that_stalls_for_ever_is_given_up(server, url, file, mishap):
    server.mishaps = [mishap["stall"](0)] * 10
    with pytest.raises(UserError, match=r"a\.tar: the server has sent nothing for 0\.2 seconds\."):
        download(url, file, SUM, SIZE)
    assert len(server.asked) == module.RETRIES + 1


def test_a_server_that_announces_another_size_is_refused_at_once(server, url, file, mishap):
    for announced in (SIZE // 2, SIZE * 1000):
        server.mishaps = [mishap["announce"](announced)]
        with pytest.raises(UserError, match=f"has {announced} bytes where {SIZE} are expected"):
            download(url, file, SUM, SIZE)
        assert left(file) == {}


def test_a_server_that_announces_more_than_it_has_is_given_up_where_no_size_is_known(server, url, file, mishap):
    server.mishaps = [mishap["announce"](SIZE + 1)] * 10
    server.ranges = False
    with pytest.raises(UserError, match="broke off again and again"):
        download(url, file, SUM, None)
    assert not file.exists()


def test_a_server_that_announces_less_than_it_has_does_not_pass_the_checksum(server, url, file, mishap):
    server.mishaps = [mishap["announce"](SIZE - 1)]
    with pytest.raises(UserError, match="checksum"):
        download(url, file, SUM, None)
    assert left(file) == {}


def test_an_answer_without_a_length_that_breaks_off_is_gone_on_with(server, url, file, mishap):
    server.mishaps = [mishap["send_without_a_length"](CONTENT[:131_072])]
    download(url, file, SUM, SIZE)
    assert server.asked == [None, "bytes=131072-"]
    assert file.read_bytes() == CONTENT


def test_a_server_without_ranges_that_always_breaks_off_is_given_up(server, url, file, mishap):
    server.ranges = False
    server.mishaps = [mishap["break_off"](places) for places in (65_536, 131_072, *(10, 65_536) * 10)]
    with pytest.raises(UserError, match="broke off again and again"):
        download(url, file, SUM, SIZE)
    assert len(server.asked) == 2 + module.RETRIES + 1


def test_a_file_that_the_server_calls_compressed_on_the_way_is_kept_as_it_is(server, url, file, mishap):
    packed = gzip.compress(CONTENT)
    server.files["a.tar"] = packed
    server.mishaps = [mishap["call_compressed"]()]
    download(url, file, hashlib.sha256(packed).hexdigest(), len(packed))
    assert file.read_bytes() == packed


def test_a_server_that_says_no_length_cannot_fill_the_disk(server, url, file, mishap):
    server.mishaps = [mishap["send_without_a_length"](CONTENT * 20)]
    with pytest.raises(UserError, match=f"more than the {SIZE} bytes"):
        download(url, file, SUM, SIZE)
    assert left(file) == {}


def test_another_content_is_thrown_away(server, url, file):
    server.files["a.tar"] = CONTENT[::-1]
    with pytest.raises(UserError, match=f"the checksum of what was downloaded is not {SUM}"):
        download(url, file, SUM, SIZE)
    assert left(file) == {}


def test_a_file_that_is_not_there_is_asked_for_once(server, file):
    with pytest.raises(UserError, match=r"b\.tar: the server answers 404 Not Found\."):
        download(f"{server.url}/b.tar", file, SUM, SIZE)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [204, 302, 304, 416])
def test_an_answer_without_content_is_told_by_its_status_and_not_asked_for_again(server, url, file, mishap, status):
    server.mishaps = [mishap["answer"](status)]
    with pytest.raises(UserError, match=rf"a\.tar: the server answers {status} \w+"):
        download(url, file, SUM, SIZE)
    server.mishaps = [mishap["answer"](status)]
    with pytest.raises(UserError, match=rf"a\.tar: the server answers {status} \w+"):
        module.read_text(url)
    assert len(server.asked) == 2


def test_a_server_in_trouble_is_asked_again(server, url, file, mishap):
    server.mishaps = [mishap["answer"](500), mishap["answer"](503)]
    download(url, file, SUM, SIZE)
    assert file.read_bytes() == CONTENT
    server.mishaps = [mishap["answer"](500)] * 10
    file.unlink()
    with pytest.raises(UserError, match="the server answers 500 Internal Server Error"):
        download(url, file, SUM, SIZE)


def test_a_server_whose_certificate_is_wrong_is_asked_once(server, url, file, monkeypatch):
    attempts = []

    def refuse(*_: object, **__: object) -> None:
        attempts.append(1)
        raise requests.exceptions.SSLError("certificate verify failed")

    monkeypatch.setattr(requests, "get", refuse)
    with pytest.raises(UserError, match="the server's certificate does not prove who it is"):
        download(url, file, SUM, SIZE)
    assert len(attempts) == 1


def test_where_nobody_listens_the_server_cannot_be_reached(server, file):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(UserError, match="the server cannot be reached"):
        download(f"http://127.0.0.1:{port}/a.tar", file, SUM, SIZE)


def test_the_password_of_a_url_is_not_shown_whatever_goes_wrong(server, url, file, mishap):
    secret = url.replace("//", "//me:sec@ret@")
    server.mishaps = [mishap["announce"](SIZE + 1), mishap["send_without_a_length"](CONTENT + b"more")]
    for asked in (secret, secret, "http://me:sec@ret@[a.tar"):
        with pytest.raises(UserError) as caught:
            download(asked, file, SUM, SIZE)
        assert "sec" not in str(caught.value)
        assert "ret" not in str(caught.value)
