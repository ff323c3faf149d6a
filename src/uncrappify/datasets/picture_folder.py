"""A folder of computed pictures as one dataset: computed by a thread pool, cached by key, written atomically."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview
from PIL import Image

from uncrappify.atomic import written_whole
from uncrappify.pictures import read_picture, write_picture
from uncrappify.progress import track

LazyPictures = Mapping[str, Callable[[], Image.Image]]
INDEX = "index.json"
JOURNAL = "index.partial.jsonl"


@dataclass(frozen=True)
class Pictures:
    """A lazy mapping of picture names to pictures, which are read on demand.

    Args:
        paths: Picture name to file.
    """

    paths: Mapping[str, Path]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __getitem__(self, name: str) -> Image.Image:
        """Read a picture.

        Raises:
            UserError: The file is missing or cannot be read.
        """
        return read_picture(self.paths[name])


class PictureFolder(AbstractDataset[LazyPictures, Pictures]):
    """A folder of PNG files that are computed when the dataset is saved.

    A node returns a mapping from name to a callable. A callable may have an attribute ``key``, which identifies
    everything that its picture depends on: a picture that was written before under the same key is not computed again.
    The index is written last, so a folder without one is incomplete. A journal lists the finished pictures of an
    interrupted save, which are kept.

    Args:
        path: The folder; it belongs to this dataset alone, other files in it are removed.
        workers: Size of the thread pool (Pillow releases Python's GIL); ``None`` for the number of cores.
        metadata: For kedro-viz.
    """

    def __init__(self, *, path: str, workers: int | None = None, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self._workers = workers
        self.metadata = metadata

    def save(self, data: LazyPictures) -> None:
        """Compute and write the pictures that are missing or have another key."""
        self._path.mkdir(parents=True, exist_ok=True)
        done = self._reopen()
        wanted = {name: getattr(picture, "key", None) for name, picture in data.items()}
        entries = {name: done[name] for name, key in wanted.items() if key and done.get(name, {}).get("key") == key}
        missing = [name for name in wanted if name not in entries]
        self._remove_strangers(set(entries))
        pool = ThreadPoolExecutor(self._workers or os.cpu_count())
        try:
            with (self._path / JOURNAL).open("a", encoding="utf-8") as journal:
                written = pool.map(lambda name: self._write(name, data[name]), missing)
                for name, size in track(zip(missing, written, strict=True), "degrading pictures", len(missing)):
                    entries[name] = {"key": wanted[name], "bytes": size}
                    journal.write(json.dumps({"name": name, **entries[name]}) + "\n")
                    journal.flush()
        finally:
            pool.shutdown(cancel_futures=True)
        with written_whole(self._path / INDEX) as path:
            path.write_text(json.dumps(entries), encoding="utf-8")
        (self._path / JOURNAL).unlink()

    def load(self) -> Pictures:
        """Read the index.

        Returns:
            The pictures, which are read on demand.

        Raises:
            DatasetError: If the folder is incomplete.
        """
        if not self._exists():
            raise DatasetError(f"{self._path} is not complete; run the node that writes it again")
        index = json.loads((self._path / INDEX).read_text(encoding="utf-8"))
        return Pictures({name: self._file(name) for name in index})

    def _exists(self) -> bool:
        return (self._path / INDEX).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

    def preview(self) -> ImagePreview:
        """Show the first picture."""
        pictures = self.load()
        first = self._file(next(iter(pictures)))
        return ImagePreview(base64.b64encode(first.read_bytes()).decode())

    def _file(self, name: str) -> Path:
        return self._path / f"{name}.png"

    def _write(self, name: str, picture: Callable[[], Image.Image]) -> int:
        file = self._file(name)
        write_picture(picture(), file)
        return file.stat().st_size

    def _reopen(self) -> dict[str, dict[str, Any]]:
        """Convert the index to a journal, and return the entries whose files still have the recorded size."""
        index, journal = self._path / INDEX, self._path / JOURNAL
        entries: dict[str, dict[str, Any]] = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else {}
        if journal.is_file():
            for line in journal.read_text(encoding="utf-8").splitlines():
                # The last line may be incomplete if the process was killed.
                if line.endswith("}"):
                    entry = json.loads(line)
                    entries[entry.pop("name")] = entry
        entries = {
            name: entry
            for name, entry in entries.items()
            if self._file(name).is_file() and self._file(name).stat().st_size == entry["bytes"]
        }
        with written_whole(journal) as path:
            lines = (json.dumps({"name": name, **entry}) + "\n" for name, entry in entries.items())
            path.write_text("".join(lines), encoding="utf-8")
        index.unlink(missing_ok=True)
        return entries

    def _remove_strangers(self, names: set[str]) -> None:
        keep = {self._file(name) for name in names} | {self._path / JOURNAL}
        for file in self._path.rglob("*"):
            if file.is_file() and file not in keep:
                file.unlink()
