"""Published data sets: fetched once, checked, unpacked into a folder that all pipelines share."""

import errno
import hashlib
import json
import logging
import re
import shutil
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock

from uncrappify.addresses import without_password
from uncrappify.errors import UserError
from uncrappify.sources import masks, pairs
from uncrappify.sources.download import download, read_text
from uncrappify.sources.folder import find_pictures
from uncrappify.sources.layout import match_twins, matching, named, shape
from uncrappify.sources.parameters import ArchiveOptions, Globs, PictureSource, absolute
from uncrappify.sources.unpack import unpack

log = logging.getLogger(__name__)

SUMS = "SHA256SUMS"
MARKER = ".archive.json"
"""Lies in a folder that was unpacked to its end, and says from which archive."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


def bring(options: ArchiveOptions, raw: Path) -> PictureSource:
    """Download, check and unpack an archive; what is there already, from the same archive, is kept.

    A mirror may have another archive of the same name, so that it is asked for its checksum, unless what is there comes
    from the very archive that the options name.

    Args:
        options: Which archive, and which of its files are what.
        raw: Folder for raw data; the archive's own folder in it is named after it.

    Returns:
        The source, with its own split and degraded pictures where the layout names them.

    Raises:
        UserError: The archive cannot be had, is not the right one, is refused, has no pictures, or has not the layout
            that was expected.
    """
    folder = raw.absolute() / options.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two pipelines may want the same source at the same time.
    with FileLock(folder.with_name(f".{options.name}.lock")):
        there = _unpacked_from(folder)
        if there != options.sha256:
            sha256 = _mirrored_sum(options) if options.mirror else options.sha256
            if there != sha256:
                _fill(folder, options, sha256)
    return _laid_out(options, folder)


def _fill(folder: Path, options: ArchiveOptions, sha256: str) -> None:
    """Unpack into a temporary folder that takes the place of the old one at the end."""
    if folder.exists() and not (folder / MARKER).is_file():
        raise UserError(
            f"source.archive.name: the folder {folder} is there already and is not from an archive. "
            "Move it away, or give the source another name."
        )
    incoming, unpacked = (folder.with_name(f".{folder.name}.{state}") for state in ("download", "unpacking"))
    archive = _fetched(options, incoming, sha256)
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    try:
        unpack(archive, unpacked)
        _check_for_pictures(unpacked, archive)
        marker = {"file": options.file, "sha256": sha256, "licence": options.licence}
        (unpacked / MARKER).write_text(json.dumps(marker), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        # Says nothing against the archive, which stays: it need not be downloaded again.
        raise UserError(
            f"the disk is full: {archive.name} was not unpacked. Free space in {folder.parent} (more than "
            f"{archive.stat().st_size / 1e6:.0f} MB) and run again; what was downloaded is kept."
        ) from error
    except UserError:
        shutil.rmtree(incoming, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    shutil.rmtree(incoming, ignore_errors=True)


def _check_for_pictures(folder: Path, archive: Path) -> None:
    if not find_pictures(folder):
        files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
        raise UserError(f"{archive.name} has no pictures in it. There is: {shape(sorted(files))}.")


def _fetched(options: ArchiveOptions, incoming: Path, sha256: str) -> Path:
    """Give the checked archive: on a mirror that is a folder it is used where it is."""
    if options.mirror and not _is_url(options.mirror):
        archive = _folder(options.mirror) / options.file
        if not archive.is_file():
            raise UserError(f"mirror: there is no {options.file} in {archive.parent}.")
        with archive.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
                raise UserError(
                    f"mirror: the checksum of {archive} is not the one in {SUMS}. Copy it again, or, where "
                    f"it is as it should be, write the sums anew: sha256sum {options.file} > {SUMS}"
                )
        return archive
    url = f"{options.mirror.rstrip('/')}/{quote(options.file)}" if options.mirror else options.url
    if url is None:
        raise UserError(f"source.archive: {options.file} has no url to download it from. {_advice(options)}")
    incoming.mkdir(exist_ok=True)
    log.info("downloading %s", without_password(url))
    try:
        # What a mirror has may be another packing of the same pictures, and so of another size.
        download(url, incoming / options.file, sha256, None if options.mirror else options.size)
    except UserError as error:
        raise UserError(f"source.archive: {error} {_advice(options)}") from error
    return incoming / options.file


def _mirrored_sum(options: ArchiveOptions) -> str:
    mirror = str(options.mirror)
    if _is_url(mirror):
        try:
            text = read_text(f"{mirror.rstrip('/')}/{SUMS}")
        except UserError as error:
            raise UserError(f"mirror: {error} Give a folder or URL with {options.file} and a {SUMS}.") from error
    else:
        file = _folder(mirror) / SUMS
        if not file.is_file():
            raise UserError(f"mirror: there is no {SUMS} in {file.parent}. Write it there: sha256sum * > {SUMS}")
        text = file.read_text(encoding="utf-8")
    # As sha256sum writes it: the sum, a space, a space or a star, and the name.
    lines = (line.split(maxsplit=1) for line in text.splitlines())
    sums = {
        line[1].removeprefix("*").removeprefix("./").strip(): line[0].lower()
        for line in lines
        if len(line) == 2 and re.fullmatch("[0-9a-fA-F]{64}", line[0])
    }
    if options.file not in sums:
        raise UserError(
            f"mirror: {SUMS} of {without_password(mirror)} does not name {options.file}. It names: {', '.join(sums)}."
        )
    return sums[options.file]


def _is_url(mirror: str) -> bool:
    return mirror.startswith(("http://", "https://"))


def _folder(mirror: str) -> Path:
    folder = absolute(mirror)
    if not folder.is_dir():
        raise UserError(f'mirror: "{mirror}": no folder {folder}. Give a folder or URL with the archive and a {SUMS}.')
    return folder


def _advice(options: ArchiveOptions) -> str:
    return (
        f"Put {options.file} into a folder, with a {SUMS} beside it (sha256sum {options.file} > {SUMS}), "
        "and add --params mirror=<folder or URL>."
    )


def _unpacked_from(folder: Path) -> str | None:
    """Give the checksum of the archive that a folder was unpacked from."""
    try:
        return str(json.loads((folder / MARKER).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError):
        return None


def _laid_out(options: ArchiveOptions, folder: Path) -> PictureSource:
    files = find_pictures(folder)
    layout = options.layout
    good = _found(files, layout.good, "good")
    names = {file: name for name, file in named(good).items()}
    own_split = {
        part: [names[file] for file in _found(list(good), globs, part)]
        for part, globs in (("valid", layout.valid), ("test", layout.test))
        if globs
    }
    twins = {
        role: match_twins(good, _found(files, globs, role), "source.archive.layout", names)
        for role, globs, names in (("degraded", layout.degraded, pairs.TWINS), ("masks", layout.masks, masks.TWINS))
        if globs
    }
    return PictureSource(
        name=options.name,
        root=folder,
        licence=options.licence,
        good=layout.good,
        own_split=own_split,
        **twins,
    )


def _found(files: list[str], globs: Globs, role: str) -> dict[str, tuple[str, ...]]:
    found = matching(files, globs)
    for glob in globs:
        if not matching(files, [glob]):
            raise UserError(
                f"source.archive.layout.{role}: nothing in the archive matches {glob}. There is: {shape(files)}."
            )
    return found
