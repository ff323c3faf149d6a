"""How fast crappify is: the pipeline's own dataset on one thread and on all cores, beside bare Pillow.

Every round measures all three in turn, because timings on a shared machine differ by a factor of three from one
minute to the next; only the ratios within a round mean anything.

    python benchmarks/crappify.py
    python benchmarks/crappify.py --folder ~/Pictures --pictures 200
"""

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table

from uncrappify.datasets import PictureFolder
from uncrappify.degradations import Crappified, Recipe
from uncrappify.sources import FolderOptions, Source, fetch, list_pictures

RECIPE = Recipe.model_validate([{"resize": {"factor": 3, "resample": "bicubic"}}, {"jpeg": {"quality": 60}}])
Way = Callable[[list[Path], Path, int], None]


def with_the_dataset(files: list[Path], folder: Path, threads: int) -> None:
    """Degrade and write all pictures as the pipeline does."""
    plan = {
        f"{index}": Crappified(f"{index}", file, hashlib.sha256(file.read_bytes()).hexdigest(), RECIPE, 42)
        for index, file in enumerate(files)
    }
    PictureFolder(path=str(folder), workers=threads).save(plan)


def with_bare_pillow(files: list[Path], folder: Path, _: int) -> None:
    """Do the same steps with nothing but Pillow's calls, on one thread."""
    folder.mkdir()
    for index, file in enumerate(files):
        picture = Image.open(file).convert("RGB")
        width, height = picture.width // 3, picture.height // 3
        small = picture.crop((0, 0, width * 3, height * 3)).resize((width, height), Image.Resampling.BICUBIC)
        jpeg = BytesIO()
        small.save(jpeg, "JPEG", quality=60)
        Image.open(jpeg).save(folder / f"{index}.png", compress_level=1)


def seconds(way: Way, files: list[Path], threads: int) -> float:
    """Wall time for all pictures, into a new folder."""
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        way(files, Path(scratch) / "degraded", threads)
        return time.perf_counter() - start


def find_pictures(folder: Path | None, count: int, scratch: Path) -> list[Path]:
    """Take ``count`` pictures, some of them more than once when there are fewer."""
    source = Source() if folder is None else Source(kind="folder", folder=FolderOptions(path=str(folder)))
    found = fetch(source, scratch / "raw")
    manifest = list_pictures(found)
    files = [found.root / file for file in manifest.loc[manifest["usable"], "file"]]
    return list(islice(cycle(files), count))


def measure(files: list[Path], rounds: int) -> dict[str, list[float]]:
    """Time the three ways in turn, ``rounds`` times, after one round that warms the caches."""
    cores = os.cpu_count() or 1
    ways: dict[str, tuple[Way, int]] = {
        "bare Pillow, 1 thread": (with_bare_pillow, 1),
        "crappify, 1 thread": (with_the_dataset, 1),
        f"crappify, {cores} threads": (with_the_dataset, cores),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, (way, threads) in ways.items():
            times[name].append(seconds(way, files, threads))
    return {name: taken[1:] for name, taken in times.items()}


def report(times: dict[str, list[float]], count: int) -> Table:
    """Medians, and the median over rounds of each way's time over bare Pillow's in the same round."""
    table = Table(title=f"crappify, {count} pictures, median of {len(next(iter(times.values())))} rounds")
    for heading in ("way", "seconds", "pictures/s", "time / bare Pillow", "times as fast as 1 thread"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    bare, single, _ = times.values()
    for way, taken in times.items():
        median = statistics.median(taken)
        slower = statistics.median(mine / theirs for mine, theirs in zip(taken, bare, strict=True))
        faster = statistics.median(one / mine for mine, one in zip(taken, single, strict=True))
        table.add_row(way, f"{median:.2f}", f"{count / median:.1f}", f"{slower:.2f}", f"{faster:.2f}")
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="your own pictures; without it, the embedded photographs")
    parser.add_argument("--pictures", type=int, default=48, help="how many pictures a round degrades (default 48)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that are counted (default 5)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        files = find_pictures(arguments.folder, arguments.pictures, Path(scratch))
        Console().print(report(measure(files, arguments.rounds), len(files)))


if __name__ == "__main__":
    main()
