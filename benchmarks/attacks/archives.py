"""Damaged and malicious archives: nothing lands outside the folder, and whatever fails is told in one sentence."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import struct
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from attacks.mutation import Tally, mutate
from uncrappify.errors import UserError
from uncrappify.sources.unpack import unpack

TarMode = Literal["w", "w:gz", "w:xz"]
MUTATIONS_EACH = 40
MOST_SECONDS = 10
MOST_MEMORY = 1_000_000_000

FILES = {
    "top.png": b"1" * 700,
    "a/b/deeper.png": np.random.default_rng(0).bytes(3000),
    f"{'long ' * 30}/Süden.txt": b"333",
}


def attack(folder: Path, seed: int, share: float) -> Tally:
    """Unpack archives of each kind that are damaged by seeded mutations, and such as only malice makes.

    Args:
        folder: To work in.
        seed: Of the mutations.
        share: Of the mutations; the malicious ones are always tried, the large ones only beside all mutations.

    Returns:
        What was tried; survived is an archive that is unpacked or refused with a UserError, within 10 s and 1 GB, with
        nothing outside the folder.
    """
    tally = Tally("archives")
    for kind, content in sound().items():
        for number, (way, damaged) in enumerate(mutate(content, seed, round(MUTATIONS_EACH * share))):
            tally.count(f"{kind}, {way} ({number})", partial(try_to_unpack, damaged, folder))
    for name, make in (MALICIOUS | (LARGE if share >= 1 else {})).items():
        content = make()
        tally.count(name, partial(try_to_unpack, content, folder, refused=True))
    return tally


def try_to_unpack(content: bytes, folder: Path, *, refused: bool = False) -> str | None:
    """Unpack an archive, and say what is wrong with how that went.

    Args:
        content: The archive.
        folder: To work in; it is empty afterwards.
        refused: Whether it must not be unpacked.
    """
    archive, inside = folder / "archive", folder / "around" / "inside"
    archive.write_bytes(content)
    inside.mkdir(parents=True)
    before = begin_peak()
    started = time.perf_counter()
    try:
        unpack(archive, inside)
        told = ""
    except UserError as error:
        told = str(error)
    took, peak = time.perf_counter() - started, read_peak() - before
    outside = [path.name for path in (*folder.iterdir(), *inside.parent.iterdir())]
    odd = [path for path in inside.rglob("*") if path.is_symlink() or not (path.is_dir() or path.is_file())]
    shutil.rmtree(inside.parent)
    archive.unlink()
    found = {
        f"{outside} lie around it": sorted(outside) != ["archive", "around", "inside"],
        f"{odd} are no files": bool(odd),
        f"it took {took:.0f} s": took > MOST_SECONDS,
        f"it took {peak / 1e6:.0f} MB": peak > MOST_MEMORY,
        "it was unpacked": refused and not told,
        f"it is told in several lines: {told}": "\n" in told,
    }
    return next((wrong for wrong, holds in found.items() if holds), None)


def begin_peak() -> int:
    """Forget the highest memory so far, and give it now, in bytes; on Linux alone."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")
    return read_peak()


def read_peak() -> int:
    """Give the highest resident memory since then, in bytes; 0 where the system does not tell it."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+)", status.read_text()) if status.is_file() else None
    return int(found[1]) * 1024 if found else 0


def sound() -> dict[str, bytes]:
    """Make an archive of each kind."""
    formats = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    tars = {f"tar, {name}": tar_of(FILES, "w", form) for name, form in formats.items()}
    packed = {
        "tar.gz": tar_of(FILES, "w:gz", tarfile.PAX_FORMAT),
        "tar.xz": tar_of(FILES, "w:xz", tarfile.PAX_FORMAT),
    }
    sparse = header("a.png", tarfile.GNUTYPE_SPARSE, 512, sparse=[(0, 512)], real=4096) + bytes(512) + bytes(1024)
    return tars | packed | {"tar, sparse": sparse, "zip": zip_of(FILES)}


def tar_of(files: dict[str, bytes], mode: TarMode = "w", form: int = tarfile.GNU_FORMAT) -> bytes:
    """Make a tar; names that the format is too short for are shortened."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=form) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name[-90:] if form == tarfile.USTAR_FORMAT else name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Make a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            # Not writestr, which takes no empty name.
            with zipped.open(info, "w") as entry:
                entry.write(content)
    return file.getvalue()


def header(
    name: str, kind: bytes, size: int, *, target: str = "", sparse: list[tuple[int, int]] | None = None, real: int = 0
) -> bytes:
    """Make a tar's header of any content; negative numbers are written in the format's binary form.

    Args:
        name: Of the member.
        kind: Its type.
        size: Of what follows it.
        target: Of a link.
        sparse: Offset and length of each part of a sparse file.
        real: Size of the sparse file.
    """
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT)[:512])
    block[124:136] = number(size)
    for place, (offset, length) in enumerate(sparse or []):
        block[386 + 24 * place : 410 + 24 * place] = number(offset) + number(length)
    if sparse:
        block[483:495] = number(real)
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def number(value: int) -> bytes:
    """Write a number of a tar's header: octal, or binary where that is too short."""
    if 0 <= value < 8**11:
        return f"{value:011o}\0".encode()
    return bytes([0xFF if value < 0 else 0x80]) + (value % 256**11).to_bytes(11, "big")


def pax_headers(count: int, kind: bytes) -> bytes:
    """Make a tar of many headers of nearly a megabyte, each with attributes of its own."""
    made = []
    for place in range(count):
        record = f" key{place}={'x' * 999_000}\n"
        content = f"{len(record) + 6}{record}".encode()
        padded = content + bytes(-len(content) % 512)
        made.append(header("pax", kind, len(content)) + padded)
        if kind == tarfile.XHDTYPE:
            made.append(header(f"{place}.png", tarfile.REGTYPE, 0))
    return b"".join(made) + header("a.png", tarfile.REGTYPE, 0) + bytes(1024)


def many_records() -> bytes:
    """Make a header of as many attributes as fit into it."""
    content = b"".join(f"12 {place:06}=1\n".encode() for place in range(80_000))
    return header("pax", tarfile.XGLTYPE, len(content)) + content + bytes(-len(content) % 512)


def zip_with(change: Callable[[bytes], bytes]) -> bytes:
    """Make a zip and change its bytes."""
    return change(zip_of({"name.png": b"1" * 5000}, zipfile.ZIP_STORED))


def overwrite(content: bytes, place: int) -> bytes:
    """Write a number of two thousand millions at a place."""
    return content[:place] + struct.pack("<I", 1 << 31) + content[place + 4 :]


SPARSE = tarfile.GNUTYPE_SPARSE
#: What only malice makes, and each has to be refused.
MALICIOUS: dict[str, Callable[[], bytes]] = {
    "zip, a file without a name": lambda: zip_of({"": b"1"}),
    "zip, a file that is a dot": lambda: zip_of({".": b"1"}),
    "zip, out of the folder": lambda: zip_of({"../out.png": b"1"}),
    "zip, out by backslashes": lambda: zip_of({"..\\out.png": b"1"}),
    "zip, a name with a zero": lambda: zip_with(lambda content: content.replace(b"name.png", b"/ame.\0ng")),
    "zip, its list begins beyond the end": lambda: zip_with(lambda content: overwrite(content, len(content) - 6)),
    "zip, its file begins beyond the end": lambda: zip_with(
        lambda content: overwrite(content, content.rindex(b"PK\1\2") + 42)
    ),
    "tar, a negative size": lambda: header("a.png", tarfile.REGTYPE, -512) + bytes(1024),
    "tar, a negative sparse size": lambda: header("a", SPARSE, 512, sparse=[(0, 512)], real=-5) + bytes(1536),
    "tar, a negative sparse part": lambda: header("a", SPARSE, 512, sparse=[(-9, 512)], real=4096) + bytes(1536),
    "tar, a sparse part of negative length": lambda: (
        header("a", SPARSE, 512, sparse=[(0, -9)], real=4096) + bytes(1536)
    ),
    "tar, a sparse file of a terabyte": lambda: header("a", SPARSE, 512, sparse=[(0, 512)], real=1 << 40) + bytes(1536),
    "tar, a size beyond all": lambda: header("a.png", tarfile.REGTYPE, 1 << 80) + bytes(1024),
    "tar, a header beyond all": lambda: header("a.png", tarfile.XHDTYPE, 1 << 80) + bytes(1024),
    "tar, a file without a name": lambda: header("", tarfile.REGTYPE, 0) + bytes(1024),
    "tar, a link out": lambda: header("a.png", tarfile.SYMTYPE, 0, target="/etc/hostname") + bytes(1024),
    "tar, a device": lambda: header("a.png", tarfile.CHRTYPE, 0) + bytes(1024),
    "tar, an absolute path": lambda: header("/tmp/out.png", tarfile.REGTYPE, 0) + bytes(1024),
    "tar, headers upon headers": lambda: gzip.compress(
        header("a", tarfile.GNUTYPE_LONGNAME, 0) * 5000 + bytes(1024), 1
    ),
}

#: Such as take seconds to make.
LARGE: dict[str, Callable[[], bytes]] = {
    "zip, a bomb": lambda: zip_of({"a.png": bytes(150_000_000)}),
    "zip, a bomb in bzip2": lambda: zip_of({"a.png": bytes(150_000_000)}, zipfile.ZIP_BZIP2),
    "tar, many global headers": lambda: gzip.compress(pax_headers(300, tarfile.XGLTYPE), 1),
    "tar, many headers": lambda: gzip.compress(pax_headers(300, tarfile.XHDTYPE), 1),
    "tar, many attributes": lambda: gzip.compress(many_records() * 40, 1),
    "tar.gz, a bomb": lambda: tar_of({"a.png": bytes(150_000_000)}, "w:gz"),
    "tar.xz, a bomb": lambda: tar_of({"a.png": bytes(150_000_000)}, "w:xz"),
}
