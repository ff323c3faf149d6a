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
    leave a split empty, the order of the hashes decides. Where pictures have a class, all this is done within each.

    A source of classes may name the same pictures for valid and test, as published results that were chosen on the
    test do: these are the test, no picture is for valid, and none is held out of the training.

    Args:
        source: Its ``own_split`` and ``groups`` are used.
        pictures: One row a usable picture, with ``name`` and ``file``, and perhaps ``label``, its class.

    Returns:
        The same rows with ``split``: train, valid or test.

    Raises:
        UserError: If there are too few pictures for three splits.
    """
    stems: dict[str, str] = dict(zip(pictures["name"], find_stems(pictures), strict=True))
    groups = pictures["name"].map(lambda name: source.groups.get(name, stems[name]))
    owned: dict[str, str] = {
        source.groups.get(name, stems.get(name, name)): part
        for part, names in source.own_split.items()
        for name in names
    }
    filled = ["train", "valid", "test"]
    if "label" in pictures and _validates_on_test(source):
        owned, filled = dict.fromkeys(owned, "test"), ["train", "test"]
    classes = dict(zip(groups, pictures["label"], strict=True)) if "label" in pictures else dict.fromkeys(groups, "")
    others: dict[str, list[str]] = {}
    for group in sorted(set(groups) - set(owned), key=_hash_to_share):
        others.setdefault(classes[group], []).append(group)
    split = owned.copy()
    for members in others.values():
        split.update(_split_by_hash(members, list_parts_by_hash(source)))
    assigned = pictures.assign(split=groups.map(split)).reset_index(drop=True)
    counts = {part: int((assigned["split"] == part).sum()) for part in filled}
    if not all(counts.values()):
        raise UserError(_explain_too_few(counts, list(source.own_split)))
    return assigned


def list_parts_by_hash(source: PictureSource) -> list[str]:
    """List the splits that a source does not name, so that pictures are taken for them by hash."""
    return [part for part in SHARES if part not in source.own_split]


def _validates_on_test(source: PictureSource) -> bool:
    """Whether a source names the same pictures for valid and test."""
    valid, test = (set(source.own_split.get(part, ())) for part in ("valid", "test"))
    return bool(test) and valid == test


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
