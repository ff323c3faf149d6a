"""Motion blur, as of a camera that was moved while it took the picture."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from uncrappify.degradations.step import Range, Step, Within

PIXELS_AT_ONCE = 1 << 16
NEGLIGIBLE = 1e-6


class MotionBlur(Step):
    """Average along a line, as MATLAB's ``fspecial("motion", length, angle)``; at its edges the picture is mirrored.

    The mean brightness stays what it was, but for rounding and, where the line is oblique, the corners.
    """

    name = "motion_blur"
    length: Annotated[Range[float], Within(1, 100)] = Field(description="Of the line in pixels; 1 does nothing.")
    angle: Annotated[Range[float], Within(-180, 180)] = Field(
        Range(0.0, 180.0), description="Degrees, counterclockwise; 0 is horizontal, 90 vertical."
    )

    def apply(self, picture: Image.Image, length: float, angle: float) -> Image.Image:
        """Blur all channels alike."""
        kernel = compute_kernel(length, angle)
        reach = len(kernel) // 2
        rows, columns = (np.pad(np.arange(side), reach, mode="symmetric") for side in (picture.height, picture.width))
        pixels, result = np.asarray(picture), picture.copy()
        # Strip by strip, because floats of a whole picture would take three times its memory.
        height = max(1, PIXELS_AT_ONCE // picture.width)
        for top in range(0, picture.height, height):
            mirrored = pixels[rows[top : top + height + 2 * reach]][:, columns].astype(np.float32)
            blurred = np.zeros((len(mirrored) - 2 * reach, *pixels.shape[1:]), np.float32)
            for y, x in np.argwhere(kernel):
                blurred += kernel[y, x] * mirrored[y : y + blurred.shape[0], x : x + blurred.shape[1]]
            result.paste(Image.fromarray(np.rint(blurred).astype(np.uint8)), (0, top))
        return result


def compute_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """Compute the weights of a line through the middle, whose ends are the middles of pixels ``length - 1`` apart.

    A pixel's weight falls from the line to a distance of one pixel, where it is 0.

    Args:
        length: In pixels, at least 1.
        angle: In degrees, counterclockwise from the horizontal.

    Returns:
        Square with an odd side, symmetric about its middle, of sum 1.
    """
    half = (length - 1) / 2
    reach = int(np.ceil(half))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    # Rows count downwards, angles upwards.
    along, across = x * cosine - y * sine, x * sine + y * cosine
    beyond = np.maximum(np.abs(along) - half, 0)
    weights = np.maximum(1 - np.hypot(beyond, across), 0)
    # Rounding leaves traces beside an upright line, each of which would cost as much time as a weight.
    weights[weights < NEGLIGIBLE] = 0
    normalised: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return normalised
