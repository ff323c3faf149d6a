"""Archives from elsewhere are unpacked with suspicion: whole and inside one folder, or not at all."""

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from uncrappify.errors import UserError
from uncrappify.sources import unpack as module
from uncrappify.sources.unpack import unpack

FILES = {"top.png": b"1", "a/b/deep er.png": b"22", "a/Süden.txt": b"333"}
LINKS = {"symbolic": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}
DEVICES = {"character": tarfile.CHRTYPE, "block": tarfile.BLKTYPE, "pipe": tarfile.FIFOTYPE}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inside").mkdir()
    return tmp_path / "inside"


@pytest.fixture
def refused(tmp_path: Path, folder: Path):
    """Try to unpack; give the message, and check that nothing came out beside the folder."""

    def attempt(content: bytes) -> str:
        archive = tmp_path / "an archive"
        archive.write_bytes(content)
        with pytest.raises(UserError) as caught:
            unpack(archive, folder)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["an archive", "inside"]
        return str(caught.value)

    return attempt


def tar_of(*entries: tarfile.TarInfo) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for entry in entries:
            tar.addfile(entry, io.BytesIO(bytes(entry.size)) if entry.isreg() else None)
    return file.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:xz", "zip"])
def test_files_come_out_as_they_went_in(tmp_path, folder, make, kind):
    archive = tmp_path / "archive without a suffix"
    archive.write_bytes(make["zip"](FILES) if kind == "zip" else make["tar"](FILES, kind))
    unpack(archive, folder)
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == FILES


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_path_that_leads_out_is_refused(refused, make, kind):
    for name in ("../out.png", "a/../../out.png", "a/..", "..\\out.png"):
        told = refused(make[kind]({"a.png": b"1", name: b"2"}))
        assert "may lead out of the folder. Nothing of it was kept." in told, name


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_absolute_path_is_refused(refused, make, kind):
    for name in ("/out.png", "//out.png", "C:/out.png", "C:\\out.png", "\\out.png"):
        assert "is an absolute path" in refused(make[kind]({name: b"1"})), name


@pytest.mark.parametrize("kind", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("target", ["a.png", "../out.png", "/etc/hostname"])
def test_a_link_is_refused_wherever_it_leads(refused, kind, target):
    content = tar_of(entry("a.png"), entry("link.png", kind, target))
    assert '"link.png" is a link, a device or the like' in refused(content)


@pytest.mark.parametrize("kind", DEVICES.values(), ids=DEVICES)
def test_a_device_is_refused(refused, kind):
    assert '"null" is a link, a device or the like' in refused(tar_of(entry("null", kind)))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_or_device_in_a_zip_is_refused(refused, kind):
    file = io.BytesIO()
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(info, "/etc/hostname")
    assert '"link.png" is a link, a device or the like' in refused(file.getvalue())


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_is_refused_before_it_fills_the_disk(refused, folder, make, kind, monkeypatch):
    monkeypatch.setattr(module, "ALLOWANCE", 1_000_000)
    content = make[kind]({"small.png": bytes(10), "large.png": bytes(2_000_000)})
    assert len(content) < 5_000
    assert "unpacked it is larger than 1 MB" in refused(content)
    assert [path.name for path in folder.iterdir()] == ["small.png"]


def test_an_honest_archive_may_fill_twenty_times_its_size(tmp_path, folder, make, monkeypatch):
    monkeypatch.setattr(module, "ALLOWANCE", 0)
    archive = tmp_path / "a.tar"
    archive.write_bytes(make["tar"]({"a.png": bytes(50_000)}, "w"))
    unpack(archive, folder)
    assert (folder / "a.png").stat().st_size == 50_000


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_too_many_members_are_refused(refused, make, kind, monkeypatch):
    monkeypatch.setattr(module, "MOST_MEMBERS", 20)
    assert "more than 20 members" in refused(make[kind]({f"{number}.png": b"" for number in range(21)}))


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("header", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_bomb_in_a_header_is_refused_before_it_fills_the_memory(refused, header, compress):
    info = entry("a.png", header)
    info.size = 8 << 30
    assert "it has a header of 8590 MB" in refused(compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_name_that_is_too_long_for_a_file_is_refused(refused, make, kind):
    assert "a name in it is too long" in refused(make[kind]({f"{'a' * 300}.png": b"1"}))


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_name_that_is_file_and_folder_is_refused(refused, make, kind):
    assert "is damaged or of an unknown kind" in refused(make[kind]({"a": b"1", "a/b.png": b"2"}))


def test_a_damaged_archive_is_refused(refused, make):
    whole = {"tar": make["tar"]({"a.png": bytes(range(256)) * 400}), "zip": make["zip"]({"a.png": bytes(range(256))})}
    assert "is damaged" in refused(whole["tar"][: len(whole["tar"]) // 2])
    assert "is damaged" in refused(make["tar"]({"a.png": bytes(100_000)}, "w")[:50_000])
    assert "is damaged" in refused(whole["zip"].replace(b"PK\x03\x04", b"PK\x03\x05"))


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", bytes(100)])
def test_what_is_no_archive_is_refused(refused, content):
    assert "is refused: it is neither a tar nor a zip." in refused(content)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("header", [b"\xff" * 512, b"cut off", bytes(range(256)) * 2])
def test_a_broken_header_behind_the_first_member_is_damage(refused, compress, header):
    content = tar_of(entry("a.png"), entry("b.png"))
    assert "is damaged" in refused(compress(content[:512] + header + (content[1024:] if len(header) == 512 else b"")))


def test_an_archive_without_a_mark_at_its_end_is_whole(tmp_path, folder):
    (tmp_path / "a.tar").write_bytes(tar_of(entry("a.png"), entry("b.png"))[:1024])
    unpack(tmp_path / "a.tar", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.png"]


# The last bits of a bz2 are none of its checksum.
@pytest.mark.parametrize("place", [-3, -5, -8])
@pytest.mark.parametrize("kind", ["w:gz", "w:xz", "w:bz2"])
def test_a_wrong_checksum_at_the_end_of_what_is_compressed_is_damage(refused, make, kind, place):
    content = bytearray(make["tar"](FILES, kind))
    content[place] ^= 0x40
    assert "is damaged" in refused(bytes(content))
    assert "is damaged" in refused(bytes(content[:place]))


def test_what_stands_behind_a_compressed_archive_is_left_aside_as_gzip_does(tmp_path, folder, make):
    (tmp_path / "a.tgz").write_bytes(make["tar"](FILES, "w:gz") + b"junk")
    unpack(tmp_path / "a.tgz", folder)
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {name.split("/")[-1] for name in FILES}


def test_a_bomb_behind_the_last_member_is_refused(refused, monkeypatch):
    monkeypatch.setattr(module, "ALLOWANCE", 1_000_000)
    assert "unpacked it is larger than 1 MB" in refused(gzip.compress(tar_of(entry("a.png")) + bytes(2_000_000)))
