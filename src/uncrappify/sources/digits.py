"""The source ``digits``: handwritten digits that come with scikit-learn, for a classification without a download."""

import gzip
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.pictures import encode
from uncrappify.sources.parameters import PictureSource

SIDE = 8
INK = 16
"""Value of a pixel that is black on paper: of its 4x4 dots all are."""


def collect(raw: Path) -> PictureSource:
    """Write the digits as PNG files, bright on black, without importing scikit-learn.

    They are the test set of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, Cascading
    Classifiers): 1,797 pictures of 8x8, by 13 people. Digits that are there already are kept.

    Args:
        raw: Folder for raw data; they get the subfolder ``digits``, with a folder for each of the ten classes.

    Returns:
        The source; its pictures are split by hash.

    Raises:
        UserError: scikit-learn's file is missing.
    """
    folder = raw.absolute() / "digits"
    pictures, labels = _read()
    files = [f"{label}/{number:04}.png" for number, label in enumerate(labels)]
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two pipelines may want them at the same time.
    with FileLock(folder.with_name(".digits.lock")):
        if sorted(files) != sorted(file.relative_to(folder).as_posix() for file in folder.glob("*/*")):
            _replace(folder, dict(zip(files, pictures, strict=True)))
    return PictureSource(
        name="digits",
        root=folder,
        licence="CC BY 4.0 (E. Alpaydin and C. Kaynak 1998, Optical Recognition of Handwritten Digits, UCI, "
        "of which scikit-learn's copy states no other)",
        good=["*/**/*"],
    )


def _read() -> tuple[NDArray[np.uint8], list[int]]:
    """Read the pictures, (N, 8, 8) in 0..255, and their digits."""
    spec = find_spec("sklearn")
    roots = (spec.submodule_search_locations if spec else None) or []
    file = next((path for root in roots if (path := Path(root, "datasets/data/digits.csv.gz")).is_file()), None)
    if file is None:
        raise UserError(
            "source.kind: digits: the digits of scikit-learn are not there. Install scikit-learn again, or give your "
            "own pictures, a folder for each class: --params pictures=~/pets"
        )
    with gzip.open(file) as content:
        values = np.loadtxt(content, delimiter=",")
    pictures = np.rint(values[:, :-1] * 255 / INK).astype(np.uint8).reshape(-1, SIDE, SIDE)
    return pictures, values[:, -1].astype(int).tolist()


def _replace(folder: Path, pictures: dict[str, NDArray[np.uint8]]) -> None:
    """Write the pictures into a temporary folder, which takes the place of the old one at the end."""
    incoming = folder.with_name(".digits.writing")
    shutil.rmtree(incoming, ignore_errors=True)
    for file, picture in pictures.items():
        (incoming / file).parent.mkdir(parents=True, exist_ok=True)
        (incoming / file).write_bytes(encode(Image.fromarray(picture)))
    shutil.rmtree(folder, ignore_errors=True)
    incoming.rename(folder)
