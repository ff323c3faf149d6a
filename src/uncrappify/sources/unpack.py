"""Safe unpacking of untrusted archives: completely and inside one folder, or not at all."""

import errno
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath
from stat import S_IFMT, S_ISDIR, S_ISREG
from typing import Any, ClassVar, NamedTuple, Self

from uncrappify.errors import UserError

MOST_MEMBERS = 2_000_000

EXPANSION = 20
"""Largest ratio of unpacked to packed size; pictures are compressed already and hardly grow."""

ALLOWANCE = 100_000_000
"""Unpacked size in bytes that is allowed for any archive, however small."""

LONGEST_HEADER = 1_000_000
"""Largest size in bytes of a header with a member's long name or other attributes."""

ALL_HEADERS = 10_000_000
"""Largest sum of these headers in bytes, or the archive's own size where that is more: tarfile keeps some of them."""

_BLOCK = 1 << 20
# Repeats many of the checks below; available from Python 3.11.4 on.
_FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
_LONG_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
# Of the disk and not of the archive.
_NOT_DAMAGE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}


class _Member(NamedTuple):
    """A file or folder of an archive, and the call that extracts it."""

    name: str
    size: int
    folder: bool
    plain: bool
    extract: Callable[[], object]


class _CautiousHeader(tarfile.TarInfo):
    """Refuses headers of many megabytes, which tarfile would read into memory before it yields a member.

    A subclass for each archive counts them.
    """

    left: ClassVar[int]

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not any(buf):  # zeros, or nothing: the end
                raise
            # Behind the first member, tarfile takes a broken header for the end as well.
            raise tarfile.ReadError(str(error)) from error
        if header.type in _LONG_HEADERS and header.size > LONGEST_HEADER:
            raise _Refusal(f"it has a header of {header.size / 1e6:.0f} MB")
        if header.type in _LONG_HEADERS:
            cls.left -= header.size
            if cls.left < 0:
                raise _Refusal("its members' names and attributes are larger than its files can be")
        if header.size < 0 or header.offset_data < 0:
            raise _Refusal("a size in it is negative")
        return header


class _Refusal(Exception):  # noqa: N818 - a finding, turned into an explanation at once
    """Why an archive is not unpacked."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar (plain or compressed) or a zip into an empty folder.

    Args:
        archive: The file.
        folder: Target. After an error it may contain some of the files; the caller removes it.

    Raises:
        UserError: The archive is damaged or of another format; a member has an absolute path, leads out of the folder,
            or is a link or a device; or there are too many members, or too large ones.
        OSError: A file cannot be written, for example because the disk is full.
    """
    limit = max(ALLOWANCE, EXPANSION * archive.stat().st_size)
    unpacked = 0
    try:
        for number, member in enumerate(_read_members(archive, folder, limit), 1):
            unpacked += member.size
            if number > MOST_MEMBERS:
                raise _Refusal(f"it has more than {MOST_MEMBERS} members")
            if unpacked > limit:
                raise _tell_size(limit)
            _check(member)
            member.extract()
    except _Refusal as refusal:
        raise UserError(f"{archive.name} is refused: {refusal}. Nothing of it was kept.") from refusal
    except Exception as error:  # what tarfile and zipfile raise for broken data differs by version
        if isinstance(error, OSError) and error.errno in _NOT_DAMAGE:
            raise
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            raise UserError(f"{archive.name} is refused: a name in it is too long. Nothing of it was kept.") from error
        raise UserError(
            f"{archive.name} is damaged or of an unknown kind ({str(error) or type(error).__name__}). Nothing of it "
            "was kept. Archives are tar, tar.gz or zip, without a password."
        ) from error


def _check(member: _Member) -> None:
    name = member.name.replace("\\", "/")
    if not member.folder and not PurePosixPath(name).name:
        raise _Refusal("a file in it has no name")
    if member.size < 0:
        raise _Refusal("a size in it is negative")
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        raise _Refusal(f'"{member.name}" is an absolute path')
    if ".." in name.split("/"):
        raise _Refusal(f'"{member.name}" may lead out of the folder')
    if not member.plain:
        raise _Refusal(f'"{member.name}" is a link, a device or the like')


def _tell_size(limit: int) -> _Refusal:
    return _Refusal(f"unpacked it is larger than {limit / 1e6:.0f} MB")


def _read_members(archive: Path, folder: Path, limit: int) -> Iterator[_Member]:
    if tar := _open_tar(archive):
        with tar:
            while entry := tar.next():
                # Else tarfile keeps every member with its attributes.
                tar.members.clear()  # type: ignore[attr-defined]
                extract = partial(tar.extract, entry, folder, set_attrs=False, **_FILTER)
                yield _Member(entry.name, entry.size, entry.isdir(), entry.isreg() or entry.isdir(), extract)
            _read_to_end(tar, limit)
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                take = partial(zipped.extract, info, folder)
                yield _Member(info.filename, info.file_size, info.is_dir(), _is_plain(info), take)
    else:
        raise _Refusal("it is neither a tar nor a zip")


def _open_tar(archive: Path) -> tarfile.TarFile | None:
    header = type("Header", (_CautiousHeader,), {"left": max(ALL_HEADERS, archive.stat().st_size)})
    try:
        return tarfile.open(archive, tarinfo=header)
    except tarfile.ReadError:
        return None


def _read_to_end(tar: tarfile.TarFile, limit: int) -> None:
    """Read what follows the last member, because the checksum of what is compressed is at its end."""
    left = limit
    try:
        while tar.fileobj and (block := tar.fileobj.read(_BLOCK)):
            left -= len(block)
            if left < 0:
                raise _tell_size(limit)
    except BadGzipFile as error:
        # What stands behind the end, gzip itself leaves aside; a wrong checksum it does not.
        if not str(error).startswith("Not a gzipped file"):
            raise


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """Whether a zip entry is a file or folder; Unix keeps the file type in the upper 16 bits, others leave it 0."""
    mode = info.external_attr >> 16
    return S_IFMT(mode) == 0 or S_ISREG(mode) or S_ISDIR(mode)
