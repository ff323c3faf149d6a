"""Train, valid or test: decided by a picture's name alone, so that new pictures move no old ones."""

from __future__ import annotations

import hashlib

import pandas as pd

from uncrappify.errors import UserError
from uncrappify.sources.parameters import PictureSource

TEST_SHARE = 0.1
VALID_SHARE = 0.1


def assign_splits(source: PictureSource, pictures: pd.DataFrame) -> pd.DataFrame:
    """Assign every picture to a split, pictures of one group to the same.

    A source that names its own valid and test pictures is obeyed, and the rest is for training. Else a tenth of the
    pictures is for validation and a tenth for the test, by a hash of the name. Only where a set is so small that the
    hash leaves a split empty, the pictures with the lowest hashes fill it.

    Args:
        source: Its ``own_split`` and ``groups`` count.
        pictures: One row a usable picture, with ``name``.

    Returns:
        The same rows with ``split``: train, valid or test.

    Raises:
        UserError: If there are too few pictures for three splits.
    """
    groups = pictures["name"].map(lambda name: source.groups.get(name, name))
    if source.own_split:
        owned = {source.groups.get(name, name): part for part, names in source.own_split.items() for name in names}
        split = {group: owned.get(group, "train") for group in groups}
    else:
        split = _by_hash(sorted(set(groups), key=_share))
    assigned = pictures.assign(split=groups.map(split)).reset_index(drop=True)
    counts = {part: int((assigned["split"] == part).sum()) for part in ("train", "valid", "test")}
    if not all(counts.values()):
        found = ", ".join(f"{number} for {part}" for part, number in counts.items())
        raise UserError(
            f"source: {len(pictures)} usable pictures are too few: {found}. At least 3 different ones are needed, "
            "one each for training, validation and test; for a good model, hundreds."
        )
    return assigned


def _by_hash(groups: list[str]) -> dict[str, str]:
    """Split groups that are sorted by their hash."""
    tests = max(1, sum(_share(group) < TEST_SHARE for group in groups))
    valids = max(1, sum(_share(group) < TEST_SHARE + VALID_SHARE for group in groups[tests:]))
    parts = ["test"] * tests + ["valid"] * valids
    return dict(zip(groups, parts + ["train"] * len(groups), strict=False))


def _share(group: str) -> float:
    """Map a name evenly to 0..1."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) / 2**64
