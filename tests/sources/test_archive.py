"""Published data sets: fetched once, checked, unpacked into a folder that all pipelines share."""

import errno
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from uncrappify.errors import UserError
from uncrappify.sources import ArchiveOptions, Layout, PictureSource, Source, fetch
from uncrappify.sources import download as downloading


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


@pytest.fixture
def options(server, pets, sha256) -> dict[str, Any]:
    """Options of an archive that the server has."""
    server.files["data/images.tar.gz"] = pets
    return {
        "name": "pets",
        "file": "images.tar.gz",
        "url": f"{server.url}/data/images.tar.gz",
        "sha256": sha256(pets),
        "size": len(pets),
        "licence": "CC BY-SA 4.0",
        "layout": Layout(good=["images/*.jpg"]),
    }


def bring(options: dict[str, Any], raw: Path, **changes: Any) -> PictureSource:
    return fetch(Source(kind="archive", archive=ArchiveOptions(**(options | changes))), raw)


def failure(options: dict[str, Any], raw: Path, **changes: Any) -> str:
    with pytest.raises(UserError) as caught:
        bring(options, raw, **changes)
    return str(caught.value)


def served(server: Any, sha256: Any, content: bytes) -> dict[str, Any]:
    """Serve another archive under the same name; give what changes in its options."""
    server.files["data/images.tar.gz"] = content
    return {"sha256": sha256(content), "size": len(content)}


def visible(raw: Path) -> list[str]:
    """What lies in the folder for raw data, apart from the lock."""
    return sorted(path.name for path in raw.iterdir() if path.suffix != ".lock")


def test_an_archive_becomes_a_folder_of_its_name(options, raw):
    source = bring(options, raw)
    assert (source.name, source.root, source.licence) == ("pets", raw / "pets", "CC BY-SA 4.0")
    assert len(list((raw / "pets/images").glob("Abyssinian_*.jpg"))) == 8
    assert visible(raw) == ["pets"]


def test_what_is_there_is_not_downloaded_again_whatever_the_layout(server, options, raw):
    bring(options, raw)
    source = bring(options, raw, layout=Layout(good=["images/*_1.jpg"]))
    assert len(server.asked) == 1
    assert source.good == ["images/*_1.jpg"]


def test_two_pipelines_at_once_download_once(server, options, raw):
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(bring, options, raw) for _ in range(2))
        assert first.result() == second.result()
    assert len(server.asked) == 1
    assert visible(raw) == ["pets"]


def test_another_checksum_is_another_archive(server, options, raw, make, sha256):
    bring(options, raw)
    bring(options, raw, **served(server, sha256, make["tar"]({"images/new.jpg": make["picture"](99)})))
    assert [path.name for path in (raw / "pets/images").iterdir()] == ["new.jpg"]


def test_a_download_that_failed_goes_on_in_the_next_run(server, options, raw, pets, sha256, mishap):
    options |= served(server, sha256, pets + bytes(100_000))
    server.mishaps = [mishap["break_off"](65_536), *[mishap["break_off"](0)] * (downloading.RETRIES + 1)]
    message = failure(options, raw)
    assert message.startswith(f"source.archive: {options['url']}: the connection broke off again and again. Put images")
    assert message.endswith("and add --params mirror=<folder or URL>.")
    server.asked.clear()
    bring(options, raw)
    assert server.asked == ["bytes=65536-"]


def test_a_layout_names_valid_and_test_pictures(server, options, raw, make, sha256):
    pictures = {f"d/{part}/{number}.png": make["picture"](number) for part in ("train", "val") for number in range(2)}
    changes = served(server, sha256, make["tar"](pictures))
    source = bring(options, raw, **changes, layout=Layout(good=["d/*/*.png"], valid=["d/val/*.png"]))
    assert source.own_split == {"valid": ["d/val/0", "d/val/1"]}
    source = bring(options, raw, **changes, layout=Layout(valid=["d/val/0.png"], test=["d/val/1.png"]))
    assert source.own_split == {"valid": ["d/val/0"], "test": ["d/val/1"]}


def test_a_layout_pairs_degraded_pictures_with_good_ones(server, options, raw, make, sha256):
    pictures = {f"x2/{name}_{side}.png": make["picture"](1) for name in "ab" for side in ("HR", "LR")}
    layout = Layout(good=["x2/*_HR.png"], degraded=["x2/*_LR.png"])
    source = bring(options, raw, **served(server, sha256, make["tar"](pictures)), layout=layout)
    assert source.degraded == {"x2/a_HR": "x2/a_LR.png", "x2/b_HR": "x2/b_LR.png"}


def test_a_layout_that_leaves_a_pair_incomplete_names_it(server, options, raw, make, sha256):
    pictures = {f"x2/{name}.png": make["picture"](1) for name in ("a_HR", "a_LR", "b_HR")}
    layout = Layout(good=["x2/*_HR.png"], degraded=["x2/*_LR.png"])
    message = failure(options, raw, **served(server, sha256, make["tar"](pictures)), layout=layout)
    assert message.startswith("source.archive.layout: no degraded picture belongs to x2/b_HR.png.")


def test_a_wrong_layout_shows_what_was_looked_for_and_what_is_there(server, options, raw):
    message = failure(options, raw, layout=Layout(good=["pictures/*.jpg"]))
    assert message == (
        "source.archive.layout.good: nothing in the archive matches pictures/*.jpg. There is: images/*.jpg (8)."
    )
    bring(options, raw)
    assert len(server.asked) == 1


def test_an_archive_without_pictures_leaves_nothing(server, options, raw, make, sha256):
    message = failure(options, raw, **served(server, sha256, make["tar"]({"a/notes.txt": b"x", "a/more.txt": b"y"})))
    assert message == "images.tar.gz has no pictures in it. There is: a/*.txt (2)."
    assert visible(raw) == []


def test_a_refused_archive_leaves_nothing(server, options, raw, make, sha256, tmp_path):
    content = make["tar"]({"good.png": make["picture"](1), "../../evil.png": make["picture"](2)})
    assert 'images.tar.gz is refused: "../../evil.png"' in failure(options, raw, **served(server, sha256, content))
    assert visible(raw) == []
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_refused_archive_leaves_what_was_there(server, options, raw, make, sha256):
    bring(options, raw)
    failure(options, raw, **served(server, sha256, b"no archive at all"))
    assert len(list((raw / "pets/images").glob("Abyssinian_*.jpg"))) == 8
    assert visible(raw) == ["pets"]


def test_a_wrong_checksum_is_told_with_a_way_out(options, raw):
    message = failure(options, raw, sha256="0" * 64)
    assert "the checksum of what was downloaded is not 000" in message
    assert "add --params mirror=<folder or URL>" in message
    assert not (raw / "pets").exists()


def test_an_unreachable_server_is_told_with_a_way_out(server, options, raw):
    message = failure(options, raw, url="http://127.0.0.1:9/images.tar.gz")
    assert message.startswith("source.archive: http://127.0.0.1:9/images.tar.gz: the server cannot be reached.")
    assert "add --params mirror=<folder or URL>" in message


def test_an_archive_without_a_url_needs_a_mirror(options, raw):
    message = failure(options, raw, url=None)
    assert message.startswith("source.archive: images.tar.gz has no url to download it from. Put images.tar.gz into")
    assert "mirror=" in message


def test_a_full_disk_says_so_and_the_download_is_kept(server, options, raw, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(tarfile, "copyfileobj", full)
        message = failure(options, raw)
    assert message.startswith(f"the disk is full: images.tar.gz was not unpacked. Free space in {raw}")
    assert visible(raw) == [".pets.download"]
    bring(options, raw)
    assert len(server.asked) == 1
    assert visible(raw) == ["pets"]


def test_leftovers_of_a_killed_process_are_no_pictures(options, raw, make):
    (raw / ".pets.unpacking/images").mkdir(parents=True)
    (raw / ".pets.unpacking/images/stale.jpg").write_bytes(make["picture"](3))
    bring(options, raw)
    assert not (raw / "pets/images/stale.jpg").exists()


def test_a_folder_of_the_users_own_is_left_alone(options, raw):
    (raw / "pets").mkdir(parents=True)
    (raw / "pets/mine.txt").touch()
    assert "is there already and is not from an archive" in failure(options, raw)
    assert [path.name for path in (raw / "pets").iterdir()] == ["mine.txt"]


def test_a_mirror_that_is_a_folder_is_read_in_place(server, options, raw, pets, write_mirror):
    source = bring(options, raw, mirror=str(write_mirror({"images.tar.gz": pets})))
    assert len(list((source.root / "images").glob("Abyssinian_*.jpg"))) == 8
    assert server.asked == []
    assert visible(raw) == ["pets"]
    bring(options, raw)
    assert server.asked == []


def test_a_mirror_may_be_a_url(server, options, raw, pets, write_mirror):
    folder = write_mirror({"images.tar.gz": pets})
    server.files = {f"m/{path.name}": path.read_bytes() for path in folder.iterdir()}
    bring(options, raw, mirror=f"{server.url}/m/", url="http://127.0.0.1:9/nowhere")
    assert len(server.asked) == 2
    assert visible(raw) == ["pets"]


def test_a_mirror_may_have_another_packing_and_its_own_sum_counts(options, raw, make, write_mirror):
    small = make["tar"]({"images/only.jpg": make["picture"](5)})
    source = bring(options, raw, mirror=str(write_mirror({"images.tar.gz": small})))
    assert [path.name for path in (source.root / "images").iterdir()] == ["only.jpg"]
    bring(options, raw)
    assert len(list((raw / "pets/images").glob("Abyssinian_*.jpg"))) == 8


def test_a_mirror_whose_archive_has_another_sum_is_refused(options, raw, pets, write_mirror):
    folder = write_mirror({"images.tar.gz": pets})
    (folder / "images.tar.gz").write_bytes(pets + b"x")
    message = failure(options, raw, mirror=str(folder))
    assert message.startswith(f"mirror: the checksum of {folder}/images.tar.gz is not the one in SHA256SUMS.")
    assert visible(raw) == []


def test_a_mirror_without_what_is_needed_says_what_that_is(server, options, raw, pets, tmp_path, write_mirror):
    assert failure(options, raw, mirror="nowhere").startswith('mirror: "nowhere": no folder ')
    (tmp_path / "empty").mkdir()
    assert "there is no SHA256SUMS" in failure(options, raw, mirror=str(tmp_path / "empty"))
    folder = write_mirror({"other.tar": pets})
    assert failure(options, raw, mirror=str(folder)).endswith("does not name images.tar.gz. It names: other.tar.")
    (folder / "SHA256SUMS").write_text(f"{'0' * 64} *images.tar.gz\n")
    assert "there is no images.tar.gz in" in failure(options, raw, mirror=str(folder))
    message = failure(options, raw, mirror=server.url)
    assert message.startswith(f"mirror: {server.url}/SHA256SUMS: the server answers 404 Not Found.")


def test_a_mirror_that_is_away_is_not_asked_when_all_is_there(options, raw):
    bring(options, raw)
    assert bring(options, raw, mirror="http://127.0.0.1:9").root == raw / "pets"
    assert bring(options, raw, mirror="nowhere").root == raw / "pets"


def test_the_password_of_a_mirror_is_neither_shown_nor_logged(server, options, raw, pets, write_mirror, caplog):
    mirror = server.url.replace("//", "//me:secret@")
    messages = [failure(options, raw, mirror=mirror)]
    folder = write_mirror({"other.tar": pets})
    server.files = {"SHA256SUMS": (folder / "SHA256SUMS").read_bytes()}
    messages.append(failure(options, raw, mirror=mirror))
    server.files = {"SHA256SUMS": f"{'0' * 64}  images.tar.gz".encode(), "images.tar.gz": pets}
    messages.append(failure(options, raw, mirror=mirror))
    server.files.pop("images.tar.gz")
    with caplog.at_level("INFO"):
        messages.append(failure(options, raw, mirror=mirror))
    assert f"downloading {server.url}/images.tar.gz" in caplog.messages
    for text in [*messages, *caplog.messages]:
        assert "secret" not in text
        assert "me:" not in text
    assert all(server.url.removeprefix("http") in message for message in messages)
