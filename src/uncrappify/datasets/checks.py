"""Checks of datasets, which the catalog runs when they are saved or loaded."""

import pandas as pd

SPLITS = ("train", "valid", "test")


def disjoint(split: pd.DataFrame) -> None:
    """Check that splits are disjoint, by the pictures' names and by their content.

    Args:
        split: One row a picture with ``name``, ``split`` (train, valid or test) and, where its content
            is known, ``sha256``.

    Raises:
        ValueError: If a picture is in two splits, or a split is none of the three.
    """
    unknown = sorted(set(split["split"]) - set(SPLITS))
    if unknown:
        raise ValueError(f"unknown splits: {', '.join(map(str, unknown))}")
    for column in ("name", "sha256"):
        if column not in split:
            continue
        places = split.groupby(column)["split"].nunique()
        shared = places.index[places > 1].tolist()
        if shared:
            raise ValueError(f"in more than one split, by {column}: {', '.join(shared[:5])}")
