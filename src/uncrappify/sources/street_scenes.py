"""The source ``streets``: scenes and masks that are drawn once, for segmentation without a download."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock

from uncrappify.pictures import write_picture
from uncrappify.progress import track
from uncrappify.scenes.streets import STYLE, draw_street
from uncrappify.sources.parameters import PictureSource, StreetsOptions

#: First seed of each split; the ranges are disjoint, so that no test scene is seen in training or validation.
SEEDS = {"train": 0, "valid": 1_000_000, "test": 2_000_000}


def collect(options: StreetsOptions, raw: Path) -> PictureSource:
    """Draw the scenes that do not exist yet.

    Args:
        options: Number of scenes in each split.
        raw: Folder for raw data; scenes of another ``STYLE`` are removed.

    Returns:
        The source with its own split and masks.
    """
    root = raw.absolute() / "streets"
    folder = root / f"style{STYLE}"
    root.mkdir(parents=True, exist_ok=True)
    wanted = {
        part: [f"{part}_{number:05}" for number in range(count)]
        for part, count in (("train", options.train), ("valid", options.valid), ("test", options.test))
    }
    names = [name for part in wanted.values() for name in part]
    # Two pipelines may want them at the same time.
    with FileLock(raw / ".streets.lock"):
        for old in root.iterdir():
            if old.is_dir() and old != folder:
                shutil.rmtree(old)
        _draw([name for name in names if not (folder / f"masks/{name}.png").is_file()], folder)
    return PictureSource(
        name="streets",
        root=folder,
        licence="CC0 (drawn by this project)",
        # By name, not by a glob: another pipeline may have more of them drawn.
        good=[f"images/{name}.png" for name in names],
        own_split={part: [f"images/{name}" for name in wanted[part]] for part in ("valid", "test")},
        masks={f"images/{name}": f"masks/{name}.png" for name in names},
    )


def _draw(names: list[str], folder: Path) -> None:
    def write(name: str) -> None:
        part, _, number = name.partition("_")
        picture, mask = draw_street(SEEDS[part] + int(number))
        write_picture(picture, folder / f"images/{name}.png")
        # Last: where there is a mask, there is a picture.
        write_picture(mask, folder / f"masks/{name}.png")

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for _ in track(pool.map(write, names), "drawing streets", len(names)):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
