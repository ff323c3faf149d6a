"""The quality that a JPEG was saved with, by the tables in its file."""

from collections.abc import Mapping, Sequence

import numpy as np

# ITU-T T.81, table K.1: what quality 50 divides luminance by, line by line.
_STANDARD = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
    ]
)


def estimate_quality(tables: Mapping[int, Sequence[int]]) -> int | None:
    """Estimate the quality, 1 to 100 on the scale of the Independent JPEG Group (libjpeg), which Pillow uses.

    Args:
        tables: The file's quantisation tables, as Pillow's ``Image.quantization`` gives them.

    Returns:
        The quality whose table for luminance is the nearest; of programs with tables of their own, a number that means
        about the same. None where there is no table.
    """
    if 0 not in tables or len(tables[0]) != _STANDARD.size:
        return None
    qualities = np.arange(1, 101)
    percent = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    known = ((_STANDARD * percent[:, None] + 50) // 100).clip(1, 255)
    # By ratio: a step of 1 is much in a fine table, and nothing in a coarse one.
    distance = np.abs(np.log(known / np.maximum(1, np.array(tables[0])))).mean(1)
    return int(qualities[distance.argmin()])
