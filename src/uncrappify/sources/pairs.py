"""Given pairs of degraded picture and target: matched by name, checked by size, used as they are."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.names import shorten_list
from uncrappify.pictures import is_enlargement, read_picture, reserve_memory
from uncrappify.sources.folder import find_folder, find_pairable
from uncrappify.sources.layout import find_stems, key_by_name, match_twins
from uncrappify.sources.parameters import PairsOptions, PictureSource
from uncrappify.walking import find_pictures

TWINS = "target", "degraded picture"
"""What the two pictures of a pair are called."""


@dataclass(frozen=True)
class GivenPair:
    """A callable that reads the degraded picture of a source, instead of computing it by a recipe.

    Args:
        identity: What the place of its copy goes by: the good picture's path below its source.
        target: File of the good picture.
        target_sha256: Checksum of that file's content.
        degraded: File of the degraded picture.
        sha256: Checksum of that file's content.
    """

    identity: str
    target: Path
    target_sha256: str
    degraded: Path
    sha256: str

    @property
    def key(self) -> str:
        """Identifies the result: equal keys mean equal pictures."""
        return f"given {self.sha256}"

    def read_good(self) -> Image.Image:
        """Read the good picture.

        Raises:
            UserError: The file is missing, or has changed since it was listed.
        """
        return read_picture(self.target, self.target_sha256)

    def reserve(self) -> AbstractContextManager[None]:
        """Wait for the memory that the degraded picture takes, and keep it for the block."""
        return reserve_memory(self.degraded)

    def __call__(self) -> Image.Image:
        """Read the degraded picture.

        Raises:
            UserError: As for :meth:`read_good`.
        """
        return read_picture(self.degraded, self.sha256)


def point_at(options: PairsOptions) -> PictureSource:
    """Check the user's two folders and refer to them where they are.

    Args:
        options: The folders; a relative path counts from the current folder.

    Returns:
        The source; its pictures are split by hash.

    Raises:
        UserError: A folder is missing or has no pictures, or a picture has no counterpart of the same name.
    """
    degraded, target = (
        find_folder(given, f"source.pairs.{which}")
        for which, given in (("degraded", options.degraded), ("target", options.target))
    )
    if degraded == target:
        raise UserError(
            f"source.pairs: degraded and target are the same folder, {target}. Give one folder with bad pictures and "
            "another with good ones of the same names."
        )
    bad, good = (key_by_name(find_pairable(root)) for root in (degraded, target))
    listed = find_pictures(target)
    twins = match_twins(good, bad, "source.pairs", TWINS, listed)
    return PictureSource(
        name=target.name,
        root=target,
        licence="the user's own pictures, no licence stated",
        degraded={name: str(degraded / file) for name, file in twins.items()},
    )


def find_given_pairs(source: PictureSource, pictures: pd.DataFrame) -> dict[str, GivenPair]:
    """Find the pictures that come with a degraded twin.

    Args:
        source: Where the pictures are.
        pictures: Rows of its manifest.

    Returns:
        Picture name to its pair; empty where a recipe makes all degraded pictures.
    """
    if "degraded" not in pictures:
        return {}
    pairs = pictures[pictures["degraded"] != ""]
    if pairs.empty:
        return {}
    columns = (pairs["name"], find_stems(pairs), pairs["file"], pairs["sha256"], pairs["degraded"])
    return {
        name: GivenPair(
            f"{stem}{PurePosixPath(file).suffix}", source.root / file, sha256, source.root / degraded, degraded_sha256
        )
        for name, stem, file, sha256, degraded, degraded_sha256 in zip(*columns, pairs["degraded_sha256"], strict=True)
    }


def check_sizes(pictures: pd.DataFrame, scale: int) -> None:
    """Check that the sizes of given pairs fit the model's scale.

    At scale s both sides of a target are s times the degraded picture's and less than 2 s pixels more (those are cut
    off). At scale 1 the degraded picture is no larger than the target and has the same shape, rounded sides allowed.

    Args:
        pictures: The usable rows of a manifest.
        scale: Size of the target over size of the network's input.

    Raises:
        UserError: A pair does not fit; the message names it.
    """
    if "degraded" not in pictures:
        return
    pairs = pictures.loc[pictures["degraded"] != "", ["name", "degraded_width", "degraded_height", "width", "height"]]
    wrong = [
        f"{name} (degraded {bad[0]}x{bad[1]}, target {good[0]}x{good[1]})"
        for name, bad, good in ((row[0], row[1:3], row[3:]) for row in pairs.itertuples(index=False, name=None))
        if not _fits(bad, good, scale)
    ]
    if wrong:
        rule = f"the target is {scale} times as large" if scale > 1 else "both have the same shape"
        raise UserError(
            f"the two pictures of a pair do not fit: {shorten_list(wrong)}. The model's scale is {scale}: {rule}. "
            "Put pictures of the same content together, or set the model's scale to theirs."
        )


def _fits(degraded: Sequence[int], target: Sequence[int], scale: int) -> bool:
    if scale > 1:
        return is_enlargement(degraded, target, scale)
    shrunk = [bad / good for bad, good in zip(degraded, target, strict=True)]
    return max(shrunk) <= 1 and abs(shrunk[0] - shrunk[1]) <= 1 / target[0] + 1 / target[1]
