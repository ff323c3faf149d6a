"""Safe unpacking of untrusted archives: completely and inside one folder, or not at all."""

import errno
import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from stat import S_IFMT, S_ISDIR, S_ISREG
from typing import Any, NamedTuple, Self

from uncrappify.errors import UserError

MOST_MEMBERS = 2_000_000

EXPANSION = 20
"""Largest ratio of unpacked to packed size; pictures are compressed already and hardly grow."""

ALLOWANCE = 100_000_000
"""Unpacked size in bytes that is allowed for any archive, however small."""

LONGEST_HEADER = 1_000_000
"""Largest size in bytes of a header with a member's long name or other attributes."""

# Repeats many of the checks below; available from Python 3.11.4 on.
_FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
_CONTRADICTIONS = (FileExistsError, IsADirectoryError, NotADirectoryError)
_LONG_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


class _Member(NamedTuple):
    """A file or folder of an archive, and the call that extracts it."""

    name: str
    size: int
    plain: bool
    extract: Callable[[], object]


class _CautiousHeader(tarfile.TarInfo):
    """Refuses headers of many megabytes, which tarfile would read into memory before it yields a member."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header."""
        header = super().frombuf(buf, encoding, errors)
        if header.type in _LONG_HEADERS and header.size > LONGEST_HEADER:
            raise _Refusal(f"it has a header of {header.size / 1e6:.0f} MB")
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
        for number, member in enumerate(_read_members(archive, folder), 1):
            unpacked += member.size
            if number > MOST_MEMBERS:
                raise _Refusal(f"it has more than {MOST_MEMBERS} members")
            if unpacked > limit:
                raise _Refusal(f"unpacked it is larger than {limit / 1e6:.0f} MB")
            _check(member)
            member.extract()
    except _Refusal as refusal:
        raise UserError(f"{archive.name} is refused: {refusal}. Nothing of it was kept.") from refusal
    except (*_DAMAGE, *_CONTRADICTIONS, NotImplementedError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{archive.name} is damaged or of an unknown kind ({error}). Nothing of it was kept. "
            "Archives are tar, tar.gz or zip, without a password."
        ) from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise UserError(f"{archive.name} is refused: a name in it is too long. Nothing of it was kept.") from error


def _check(member: _Member) -> None:
    name = member.name.replace("\\", "/")
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        raise _Refusal(f'"{member.name}" is an absolute path')
    if ".." in name.split("/"):
        raise _Refusal(f'"{member.name}" may lead out of the folder')
    if not member.plain:
        raise _Refusal(f'"{member.name}" is a link, a device or the like')


def _read_members(archive: Path, folder: Path) -> Iterator[_Member]:
    if tar := _open_tar(archive):
        with tar:
            for entry in tar:
                extract = partial(tar.extract, entry, folder, set_attrs=False, **_FILTER)
                yield _Member(entry.name, entry.size, entry.isreg() or entry.isdir(), extract)
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                yield _Member(info.filename, info.file_size, _is_plain(info), partial(zipped.extract, info, folder))
    else:
        raise _Refusal("it is neither a tar nor a zip")


def _open_tar(archive: Path) -> tarfile.TarFile | None:
    try:
        return tarfile.open(archive, tarinfo=_CautiousHeader)
    except tarfile.ReadError:
        return None


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """Whether a zip entry is a file or folder; Unix keeps the file type in the upper 16 bits, others leave it 0."""
    mode = info.external_attr >> 16
    return S_IFMT(mode) == 0 or S_ISREG(mode) or S_ISDIR(mode)
