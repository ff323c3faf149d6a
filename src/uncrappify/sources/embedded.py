"""The photographs that ship with installed packages: training data without a download."""

import logging
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from uncrappify.atomic import written_whole
from uncrappify.errors import UserError
from uncrappify.sources.parameters import EmbeddedOptions, PictureSource

logger = logging.getLogger(__name__)


class Photograph(NamedTuple):
    """Location and licence of a photograph.

    Attributes:
        package: The package that it ships in.
        file: Path inside the package.
        licence: As stated by the package, or by the source that it names.
    """

    package: str
    file: str
    licence: str


# Licences: docstrings of skimage.data, README.txt beside scikit-learn's pictures, matplotlib pull request 1599.
# Left out are drawings, test patterns, and pictures that are not everyday photographs: textures, coins, microscopy, a
# retina, the sky. A model that was also trained on those was 0.1 dB worse on other photographs (docs/results.md).
PHOTOGRAPHS = {
    "astronaut": Photograph("skimage", "data/astronaut.png", "public domain (NASA)"),
    "camera": Photograph("skimage", "data/camera.png", "CC0 (Lav Varshney)"),
    "chelsea": Photograph("skimage", "data/chelsea.png", "CC0 (Stefan van der Walt)"),
    "china": Photograph("sklearn", "datasets/images/china.jpg", "CC BY 2.0 (danielbuechele, flickr 6061409035)"),
    "coffee": Photograph("skimage", "data/coffee.png", "CC0 (Rachel Michetti, courtesy of Pikolo Espresso Bar)"),
    "flower": Photograph("sklearn", "datasets/images/flower.jpg", "CC BY 2.0 (vultilion, flickr 6056698931)"),
    "grace_hopper": Photograph("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "public domain (US Navy)"),
    "motorcycle_left": Photograph("skimage", "data/motorcycle_left.png", "none stated (Middlebury Stereo 2014)"),
    "motorcycle_right": Photograph("skimage", "data/motorcycle_right.png", "none stated (Middlebury Stereo 2014)"),
    "rocket": Photograph("skimage", "data/rocket.jpg", "public domain (SpaceX)"),
}
"""Picture name to where it is; the names are those of ``skimage.data`` where it has one."""

GROUPS = {"motorcycle_left": "motorcycle", "motorcycle_right": "motorcycle"}
"""Picture name to group: two views of one scene must be in the same split."""


def collect(options: EmbeddedOptions, folder: Path) -> PictureSource:
    """Copy the photographs out of their packages, without importing the packages.

    A photograph that the installed version does not contain is left out with a warning. Existing copies are kept.

    Args:
        options: Names of the pictures for validation and test.
        folder: Target folder; created if missing.

    Returns:
        The source with its own split and groups.

    Raises:
        UserError: A name is unknown or in both splits, no photograph is found, or the folder cannot be written to.
    """
    _check_names(options)
    found = {name: path for name in PHOTOGRAPHS if (path := _find_photograph(name)) is not None}
    if missing := sorted(PHOTOGRAPHS.keys() - found.keys()):
        logger.warning("not in the installed packages, left out: %s", ", ".join(missing))
    if not found:
        raise UserError(
            "source.kind: embedded: the installed packages have no photographs. Install scikit-image and scikit-learn "
            "again, or give your own pictures: kedro run --pipeline superres --params pictures=~/Pictures"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two pipelines may want them at the same time.
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        for name, path in found.items():
            _copy(path, folder / f"{name}{path.suffix}")
    return PictureSource(
        name="embedded",
        root=folder.absolute(),
        licence="; ".join(f"{name}: {PHOTOGRAPHS[name].licence}" for name in found),
        own_split={
            "valid": [name for name in options.valid if name in found],
            "test": [name for name in options.test if name in found],
        },
        groups={name: group for name, group in GROUPS.items() if name in found},
    )


def _check_names(options: EmbeddedOptions) -> None:
    for split, names in (("valid", options.valid), ("test", options.test)):
        if unknown := [name for name in names if name not in PHOTOGRAPHS]:
            raise UserError(
                f"source.embedded.{split}: no embedded picture is called {', '.join(unknown)}. "
                f"There are: {', '.join(PHOTOGRAPHS)}."
            )
    if both := [name for name in options.valid if name in options.test]:
        raise UserError(
            f"source.embedded: {', '.join(both)} cannot be in both valid and test. Take it out of one of the two lists."
        )


def _find_photograph(name: str) -> Path | None:
    package, file, _ = PHOTOGRAPHS[name]
    spec = find_spec(package)
    roots = (spec.submodule_search_locations if spec else None) or []
    return next((path for root in roots if (path := Path(root, file)).is_file()), None)


def _copy(path: Path, target: Path) -> None:
    if target.is_file() and target.stat().st_size == path.stat().st_size:
        return
    with written_whole(target) as temporary:
        shutil.copyfile(path, temporary)
