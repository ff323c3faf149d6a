"""Published data sets: downloaded once, checked by checksum, unpacked into a folder that all pipelines share."""

import errno
import hashlib
import logging
import re
import shutil
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock
from pydantic import BaseModel

from uncrappify.addresses import without_password
from uncrappify.errors import UserError
from uncrappify.sources import masks, pairs
from uncrappify.sources.download import download, read_text
from uncrappify.sources.folder import keep_pairable
from uncrappify.sources.layout import match_globs, match_twins, name_files, summarise_files
from uncrappify.sources.parameters import ArchiveOptions, Globs, PictureSource, make_absolute
from uncrappify.sources.unpack import ALLOWANCE, EXPANSION, unpack
from uncrappify.state import recover_state, write_state
from uncrappify.walking import find_pictures

log = logging.getLogger(__name__)

SUMS = "SHA256SUMS"
MARKER = ".archive.json"
"""File in a completely unpacked folder that records the archive and its checksum."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


class _Marker(BaseModel):
    """What a folder was unpacked from; nothing where that is not known."""

    file: str = ""
    sha256: str = ""
    licence: str = ""


def fetch(options: ArchiveOptions, raw: Path) -> PictureSource:
    """Download, check and unpack an archive; a folder that was unpacked from the same archive is kept.

    A mirror may have another archive of the same name. Its checksum file is therefore read, unless the folder comes
    from the archive with the checksum that the options name.

    Args:
        options: The archive, and the roles of its files.
        raw: Folder for raw data; the archive gets a subfolder of its own name.

    Returns:
        The source, with its own split and degraded pictures where the layout names them.

    Raises:
        UserError: The archive cannot be downloaded, has another checksum, is refused, contains no pictures, or does not
            match the layout.
    """
    folder = raw.absolute() / options.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two pipelines may want the same source at the same time.
    with FileLock(folder.with_name(f".{options.name}.lock")):
        present = _read_marker(folder)
        if present != options.sha256:
            sha256 = _read_mirror_checksum(options) if options.mirror else options.sha256
            if present != sha256:
                _replace_folder(folder, options, sha256)
    return _apply_layout(options, folder)


def _replace_folder(folder: Path, options: ArchiveOptions, sha256: str) -> None:
    """Unpack into a temporary folder, which replaces the old one at the end."""
    if folder.exists() and not (folder / MARKER).is_file():
        raise UserError(
            f"source.archive.name: the folder {folder} is there already and is not from an archive. "
            "Move it away, or give the source another name."
        )
    incoming, unpacked = (folder.with_name(f".{folder.name}.{state}") for state in ("download", "unpacking"))
    archive = _find_archive(options, incoming, sha256)
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    try:
        unpack(archive, unpacked)
        _check_for_pictures(unpacked, archive)
        write_state(unpacked / MARKER, _Marker(file=options.file, sha256=sha256, licence=options.licence))
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        # The archive itself is fine and stays, so that it need not be downloaded again.
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
        raise UserError(f"{archive.name} has no pictures in it. There is: {summarise_files(sorted(files))}.")


def _find_archive(options: ArchiveOptions, incoming: Path, sha256: str) -> Path:
    """Return the checked archive: downloaded to ``incoming``, or used in place if the mirror is a folder."""
    if options.mirror and not _is_url(options.mirror):
        archive = _find_mirror_folder(options.mirror) / options.file
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
        # A mirror's archive may be packed differently, and so have another size.
        if options.mirror:
            download(url, incoming / options.file, sha256, most=max(ALLOWANCE, EXPANSION * options.size))
        else:
            download(url, incoming / options.file, sha256, options.size)
    except UserError as error:
        raise UserError(f"source.archive: {error} {_advice(options)}") from error
    return incoming / options.file


def _read_mirror_checksum(options: ArchiveOptions) -> str:
    mirror = str(options.mirror)
    if _is_url(mirror):
        try:
            text = read_text(f"{mirror.rstrip('/')}/{SUMS}")
        except UserError as error:
            raise UserError(f"mirror: {error} Give a folder or URL with {options.file} and a {SUMS}.") from error
    else:
        file = _find_mirror_folder(mirror) / SUMS
        if not file.is_file():
            raise UserError(f"mirror: there is no {SUMS} in {file.parent}. Write it there: sha256sum * > {SUMS}")
        text = file.read_text(encoding="utf-8")
    # Format of sha256sum: checksum, space, space or star, name.
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


def _find_mirror_folder(mirror: str) -> Path:
    folder = make_absolute(mirror)
    if not folder.is_dir():
        raise UserError(f'mirror: "{mirror}": no folder {folder}. Give a folder or URL with the archive and a {SUMS}.')
    return folder


def _advice(options: ArchiveOptions) -> str:
    return (
        f"Put {options.file} into a folder, with a {SUMS} beside it (sha256sum {options.file} > {SUMS}), "
        "and add --params mirror=<folder or URL>."
    )


def _read_marker(folder: Path) -> str | None:
    """Return the checksum of the archive that a folder was unpacked from; ``None`` if there is no valid marker."""
    marker = recover_state(folder / MARKER, _Marker, _Marker, "the archive is unpacked again")
    return marker.sha256 or None


def _apply_layout(options: ArchiveOptions, folder: Path) -> PictureSource:
    files = find_pictures(folder)
    layout = options.layout
    good = _match_role(files, layout.good, "good")
    names = {file: name for name, file in name_files(good).items()}
    own_split = {
        part: [names[file] for file in _match_role(list(good), globs, part)]
        for part, globs in (("valid", layout.valid), ("test", layout.test))
        if globs
    }
    pairable, others = {file: good[file] for file in keep_pairable(good)}, keep_pairable(files)
    twins = {
        role: match_twins(pairable, _match_role(others, globs, role), "source.archive.layout", names, good)
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


def _match_role(files: list[str], globs: Globs, role: str) -> dict[str, tuple[str, ...]]:
    found = match_globs(files, globs)
    for glob in globs:
        if not match_globs(files, [glob]):
            raise UserError(
                f"source.archive.layout.{role}: nothing in the archive matches {glob}. "
                f"There is: {summarise_files(files)}."
            )
    return found
