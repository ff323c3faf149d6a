"""How fast crappify is: a recipe on one thread and on all cores, beside bare Pillow doing the same steps.

Every round measures all three in turn, because timings on a shared machine differ by a factor of three from one
minute to the next; only the ratios within a round mean anything.

    python benchmarks/crappify.py
    python benchmarks/crappify.py --folder ~/Pictures --pictures 200
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table

from uncrappify.degradations import Recipe
from uncrappify.pictures import read_picture, write_picture
from uncrappify.sources import FolderOptions, Source, fetch, list_pictures

RECIPE = Recipe.model_validate([{"resize": {"factor": 3, "resample": "bicubic"}}, {"jpeg": {"quality": 60}}])
Job = tuple[Path, Path]


def degrade_with_the_recipe(job: Job) -> None:
    """Read, degrade and write one picture as the pipeline does."""
    source, target = job
    write_picture(RECIPE.degrade(read_picture(source), source.stem, 42), target)


def degrade_with_bare_pillow(job: Job) -> None:
    """Do the same steps with nothing but Pillow's calls."""
    source, target = job
    picture = Image.open(source).convert("RGB")
    width, height = picture.width // 3, picture.height // 3
    small = picture.crop((0, 0, width * 3, height * 3)).resize((width, height), Image.Resampling.BICUBIC)
    file = BytesIO()
    small.save(file, "JPEG", quality=60)
    Image.open(file).save(target, compress_level=1)


def seconds(degrade: Callable[[Job], None], jobs: list[Job], threads: int) -> float:
    """Wall time for all jobs on so many threads."""
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(degrade, jobs))
    return time.perf_counter() - start


def find_jobs(folder: Path | None, count: int, scratch: Path) -> list[Job]:
    """Take ``count`` pictures, some of them more than once when there are fewer."""
    source = Source() if folder is None else Source(kind="folder", folder=FolderOptions(path=str(folder)))
    found = fetch(source, scratch / "raw")
    manifest = list_pictures(found)
    files = [found.root / file for file in manifest.loc[manifest["usable"], "file"]]
    return [(file, scratch / f"{index}.png") for index, file in enumerate(islice(cycle(files), count))]


def measure(jobs: list[Job], rounds: int) -> dict[str, list[float]]:
    """Time the three ways in turn, ``rounds`` times, after one round that warms the caches."""
    cores = os.cpu_count() or 1
    ways: dict[str, tuple[Callable[[Job], None], int]] = {
        "bare Pillow, 1 thread": (degrade_with_bare_pillow, 1),
        "recipe, 1 thread": (degrade_with_the_recipe, 1),
        f"recipe, {cores} threads": (degrade_with_the_recipe, cores),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, (degrade, threads) in ways.items():
            times[way].append(seconds(degrade, jobs, threads))
    return {way: taken[1:] for way, taken in times.items()}


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
        jobs = find_jobs(arguments.folder, arguments.pictures, Path(scratch))
        Console().print(report(measure(jobs, arguments.rounds), len(jobs)))


if __name__ == "__main__":
    main()
