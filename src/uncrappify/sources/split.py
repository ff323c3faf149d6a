"""Train, valid or test: a hash of the picture's stem decides, so that new pictures never move old ones."""

from __future__ import annotations

import hashlib

import pandas as pd

from uncrappify.errors import UserError
from uncrappify.sources.layout import find_stems
from uncrappify.sources.parameters import PictureSource

SHARES = {"test": 0.1, "valid": 0.1}


def assign_splits(source: PictureSource, pictures: pd.DataFrame) -> pd.DataFrame:
    """Assign every picture to a split, pictures of one group to the same, and those that differ in their suffix alone.

    The source's own valid and test splits are used where it has them. For a split that it does not name, a tenth of the
    other pictures is taken by a hash of the stem; the rest is for training. Where a set is so small that this would
    leave a split empty, the order of the hashes decides.

    Args:
        source: Its ``own_split`` and ``groups`` are used.
        pictures: One row a usable picture, with ``name`` and ``file``.

    Returns:
        The same rows with ``split``: train, valid or test.

    Raises:
        UserError: If there are too few pictures for three splits.
    """
    stems = dict(zip(pictures["name"], find_stems(pictures), strict=True))
    groups = pictures["name"].map(lambda name: source.groups.get(name, stems[name]))
    owned = {
        source.groups.get(name, stems.get(name, name)): part
        for part, names in source.own_split.items()
        for name in names
    }
    others = sorted(set(groups) - set(owned), key=_hash_to_share)
    split = owned | _split_by_hash(others, [part for part in SHARES if part not in source.own_split])
    assigned = pictures.assign(split=groups.map(split)).reset_index(drop=True)
    counts = {part: int((assigned["split"] == part).sum()) for part in ("train", "valid", "test")}
    if not all(counts.values()):
        raise UserError(_explain_too_few(counts, list(source.own_split)))
    return assigned


def _explain_too_few(counts: dict[str, int], named: list[str]) -> str:
    needed = (
        f"The source names its own pictures for {' and '.join(named)}: leave some for the others, or add pictures"
        if named
        else "At least 3 different ones are needed, one each for training, validation and test"
    )
    found = ", ".join(f"{number} for {part}" for part, number in counts.items())
    return f"source: {sum(counts.values())} usable pictures are too few: {found}. {needed}; for a good model, hundreds."


def _split_by_hash(groups: list[str], parts: list[str]) -> dict[str, str]:
    """Split groups that are sorted by their hash; the groups after the last part are for training.

    Each part gets at least one group, and leaves one for each later part and for training.
    """
    split: list[str] = []
    bound = 0.0
    for after, part in zip(reversed(range(len(parts))), parts, strict=True):
        bound += SHARES[part]
        left = groups[len(split) :]
        split += [part] * max(1, min(sum(_hash_to_share(group) < bound for group in left), len(left) - after - 1))
    return dict(zip(groups, split + ["train"] * len(groups), strict=False))


def _hash_to_share(group: str) -> float:
    """Hash a name to a number that is uniform in [0, 1)."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) / 2**64
