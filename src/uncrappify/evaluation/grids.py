"""A grid of losses around a network's weights: how large it may be, where its points lie, how rough it is."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

LARGEST_GRID = 501
"""Points on an axis: a figure holds its numbers as text, a quarter of a million of them in 5 MB for each surface."""

SMALLEST_LOSS = 1e-8
"""What lies below counts as this where a logarithm is taken: nobody can tell 0 from it, and the logarithm can."""

Floats = NDArray[np.float64]


def _check_points(points: int) -> int:
    if points > LARGEST_GRID:
        raise PydanticCustomError(
            "grid",
            "a grid of {points} x {points} points is too large for memory. Take {largest} or fewer",
            {"points": points, "largest": LARGEST_GRID},
        )
    if points % 2 == 0:
        raise PydanticCustomError(
            "grid", "expected an odd number: the point in the middle is the network as it was trained"
        )
    return points


GridPoints = Annotated[int, Field(ge=3, json_schema_extra={"maximum": LARGEST_GRID}), AfterValidator(_check_points)]


def place(points: int) -> Floats:
    """Place points evenly from -1 to 1.

    Args:
        points: How many, an odd number; the one in the middle is 0, and not nearly 0.
    """
    half = points // 2
    return np.arange(-half, half + 1) / half


def arrange(table: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Make a grid of a table of points.

    Args:
        table: Columns ``a``, ``b`` and ``loss``, a row a point, in any order.

    Returns:
        The places on the first axis (columns), those on the second (rows), and the loss (rows, columns).
    """
    grid = table.pivot(index="b", columns="a", values="loss")
    return grid.columns.to_numpy(float), grid.index.to_numpy(float), grid.to_numpy(float)


def take_log(losses: Floats) -> Floats:
    """Take the natural logarithm of losses, which are at least 0; any shape."""
    return np.log(np.maximum(losses, SMALLEST_LOSS))


def roughness(losses: Floats) -> float:
    """Measure how far a surface is from being flat: the mean absolute second difference of the log loss.

    ``|log L(i - 1) - 2 log L(i) + log L(i + 1)|`` along each row and each column, the mean over all of them: 0 for a
    loss that grows by the same factor from point to point. It is not divided by the step, so that only grids of the
    same points can be compared.

    Args:
        losses: (rows, columns), three or more of each.

    Returns:
        At least 0; in logarithms of the loss.
    """
    logarithms = take_log(losses)
    along = [np.abs(np.diff(logarithms, 2, axis)).ravel() for axis in (0, 1)]
    return float(np.concatenate(along).mean())
