"""A folder of computed pictures as one dataset: computed by a thread pool, cached by key, proved by their hashes."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import ImagePreview
from PIL import Image
from pydantic import BaseModel

from uncrappify.atomic import written_whole
from uncrappify.datasets.file import advise
from uncrappify.errors import UserError
from uncrappify.names import shorten_list
from uncrappify.pictures import encode, read_picture
from uncrappify.progress import track
from uncrappify.sources.layout import place_file
from uncrappify.state import read_lines, read_state, recover_state, write_state

log = logging.getLogger(__name__)

LazyPictures = Mapping[str, Callable[[], Image.Image]]
INDEX = "index.json"
JOURNAL = "index.partial.jsonl"


class Entry(BaseModel):
    """What is noted of a picture that is written.

    Attributes:
        key: Of all that it depends on; None where it is to be computed every time.
        file: Relative to the folder, forward slashes.
        bytes: Size of the file.
        sha256: Of the file's content.
    """

    key: str | None
    file: str
    bytes: int
    sha256: str


class Line(Entry):
    """An entry in the journal.

    Attributes:
        name: The picture's name.
    """

    name: str


@dataclass(frozen=True)
class Pictures:
    """A lazy mapping of picture names to pictures, which are read on demand.

    Args:
        paths: Picture name to file.
        sha256: Picture name to the checksum of its file, where it is known: no other content is ever given.
    """

    paths: Mapping[str, Path]
    sha256: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __getitem__(self, name: str) -> Image.Image:
        """Read a picture.

        Raises:
            UserError: The file is missing, cannot be read, or has changed.
        """
        return read_picture(self.paths[name], self.sha256.get(name))


class PictureFolder(AbstractDataset[LazyPictures, Pictures]):
    """A folder of PNG files that are computed when the dataset is saved.

    A node returns a mapping from name to a callable. A callable may have an attribute ``key``, which identifies
    everything that its picture depends on: a picture that was written before under the same key, and whose file has
    still the content that was written, is not computed again. The place of its file follows from an attribute
    ``identity``, or from the name where it has none. It may have a method ``reserve``, a context that waits for the
    memory that the picture takes until it is written. The index is written last, so a folder without one is incomplete.
    A journal lists the finished pictures of an interrupted save, which are kept.

    Args:
        path: The folder; it belongs to this dataset alone, other files in it are removed.
        node: Name of the node that saves it, for errors.
        workers: Size of the thread pool (Pillow releases Python's GIL); ``None`` for the number of cores.
        title: What the bar says.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        path: str,
        node: str | None = None,
        workers: int | None = None,
        title: str = "writing pictures",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = Path(path)
        self._node = node
        self._workers = workers
        self._title = title
        self.metadata = metadata

    def save(self, data: LazyPictures) -> None:
        """Compute and write the pictures that are missing, have another key, or are not as they were written."""
        self._path.mkdir(parents=True, exist_ok=True)
        plan = {
            name: (getattr(picture, "key", None), place_file(getattr(picture, "identity", name)).as_posix())
            for name, picture in data.items()
        }
        pool = ThreadPoolExecutor(self._workers or os.cpu_count())
        try:
            entries = self._reopen(plan, pool)
            missing = [name for name in plan if name not in entries]
            with (self._path / JOURNAL).open("ab") as journal:
                written = pool.map(lambda name: self._write(*plan[name], data[name]), missing)
                for name, entry in track(zip(missing, written, strict=True), self._title, len(missing)):
                    entries[name] = entry
                    journal.write(_to_line(name, entry))
                    journal.flush()
        finally:
            pool.shutdown(cancel_futures=True)
        if missing and hasattr(os, "sync"):
            # Once for all the pictures: what the index says is written is on the disk before it.
            os.sync()
        write_state(self._path / INDEX, {name: entries[name].model_dump() for name in plan})
        (self._path / JOURNAL).unlink()

    def load(self) -> Pictures:
        """Read the index.

        Returns:
            The pictures, which are read on demand.

        Raises:
            UserError: If the folder is incomplete, or its index is broken or one of an earlier version.
        """
        if not self._exists():
            raise UserError(f"{self._path} is not complete. {advise(self._node)}")
        index = read_state(self._path / INDEX, dict[str, Entry], advise(self._node))
        return Pictures(
            {name: self._path / entry.file for name, entry in index.items()},
            {name: entry.sha256 for name, entry in index.items()},
        )

    def _exists(self) -> bool:
        return (self._path / INDEX).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

    def preview(self) -> ImagePreview:
        """Show the first picture, if there is one."""
        first = next(iter(self.load().paths.values()), None)
        return ImagePreview(base64.b64encode(first.read_bytes()).decode() if first else "")

    def _write(self, key: str | None, place: str, picture: Callable[[], Image.Image]) -> Entry:
        with getattr(picture, "reserve", nullcontext)():
            content = encode(picture())
        with written_whole(self._path / place, durable=False) as temporary:
            temporary.write_bytes(content)
        return Entry(key=key, file=place, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def _reopen(self, plan: Mapping[str, tuple[str | None, str]], pool: ThreadPoolExecutor) -> dict[str, Entry]:
        """Convert the index to a journal of what is kept, remove all else, and return the journal's entries."""
        index, journal = self._path / INDEX, self._path / JOURNAL
        found = recover_state(index, dict[str, Entry], dict, "the pictures are made again")
        found |= {line.name: line for line in read_lines(journal, Line)}
        wanted = [name for name, (key, place) in plan.items() if key and _matches(found.get(name), key, place)]
        whole = dict(zip(wanted, pool.map(self._is_whole, [found[name] for name in wanted]), strict=True))
        if broken := [found[name].file for name in wanted if not whole[name]]:
            log.warning("made again, because they are not as they were written: %s", shorten_list(broken))
        kept = {name: found[name] for name in wanted if whole[name]}
        with written_whole(journal) as temporary:
            temporary.write_bytes(b"".join(_to_line(name, entry) for name, entry in kept.items()))
        index.unlink(missing_ok=True)
        self._remove_strangers({entry.file for entry in kept.values()})
        return kept

    def _is_whole(self, entry: Entry) -> bool:
        file = self._path / entry.file
        try:
            # The size first: it costs nothing.
            return file.stat().st_size == entry.bytes and _hash(file) == entry.sha256
        except OSError:
            return False

    def _remove_strangers(self, places: set[str]) -> None:
        keep = {self._path / place for place in places} | {self._path / JOURNAL}
        for file in self._path.rglob("*"):
            if not file.is_dir() and file not in keep:
                file.unlink()


def _matches(entry: Entry | None, key: str, place: str) -> bool:
    return entry is not None and (entry.key, entry.file) == (key, place)


def _to_line(name: str, entry: Entry) -> bytes:
    values = {**entry.model_dump(), "name": name}
    return Line.model_validate(values).model_dump_json().encode() + b"\n"


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
