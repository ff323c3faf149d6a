"""Prediction on a picture of any size, in tiles without seams."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.memory import freed_is_kept

if TYPE_CHECKING:
    from torch import Tensor, nn

logger = logging.getLogger(__name__)

SMALLEST_TILE = 64
#: Input pixels that blended tiles have in common with their neighbours, to each side, and how many of these count not.
BLENDED_HALO, UNSEEN = 96, 32
SMALLEST_WEIGHT = 1e-6
#: left, top, right, bottom in input pixels, right and bottom excluded.
Box = tuple[int, int, int, int]


def predict_picture(network: "nn.Module", picture: Image.Image, tile: int = 512) -> Image.Image:
    """Run a network over a picture and give the restored one, with the memory of a tile whatever the picture's size.

    Each tile is read with a halo of ``network.receptive_radius`` pixels, which is cut off the result, so an output
    pixel sees what it would see in the whole picture: there are no seams and nothing is blended. Only inner edges have
    a halo; at the picture's border the network's own padding does what it always does. What is left between two tile
    sizes is the order of floating-point sums: a value within that error of a half may round to the next of 256 steps.

    A network whose ``receptive_radius`` is None sees more than a tile. Its tiles overlap, and what they say is blended
    from one to the next, in a sum that takes 16 bytes for each pixel of the
    restored picture; a picture of one tile is done whole.

    When memory ends, the picture is done again with tiles of half the side, down to 64.

    Args:
        network: Maps (N, 3, h, w), values 0 to 1, to (N, 3, h * scale, w * scale); has the integers ``scale`` and
            ``receptive_radius`` (input pixels an output pixel depends on, to each side, or None). Stays where it is, on
            any device and in any precision, and is put into eval mode.
        picture: Any size, RGB.
        tile: Side of a tile without its halo, in input pixels; a multiple of 32 keeps a U-Net's grid where it is.

    Returns:
        RGB, ``scale`` times as wide and high; values clamped and rounded to 8 bit.

    Raises:
        ValueError: If the picture is not RGB, the tile is less than one pixel, or the network's output has another
            size than its scale says.
        UserError: If memory does not even suffice for tiles of 64 pixels, or the network's output holds NaN or
            infinity.
    """
    if picture.mode != "RGB":
        raise ValueError(f"the network takes RGB pictures, this one is {picture.mode}")
    if tile < 1:
        raise ValueError(f"a tile has at least one pixel, got {tile}")
    network.eval()
    pixels = np.asarray(picture)
    while (restored := _predict_or_none(network, pixels, tile)) is None:
        if tile <= SMALLEST_TILE:
            raise UserError(
                f"Memory does not suffice to restore a picture in tiles of {tile} pixels. "
                "Close other programs, or use a smaller model or another device."
            )
        tile = max(tile // 2, SMALLEST_TILE)
        logger.warning("memory ended; going on with tiles of %d pixels", tile)
    return Image.fromarray(restored)


def _predict_or_none(network: "nn.Module", pixels: np.ndarray, tile: int) -> np.ndarray | None:
    """The restored pixels, or None when memory ended.

    A function of its own, so that the exception, whose traceback holds the big tensors, is gone before the next try.
    """
    try:
        with freed_is_kept(next((weights.device.type for weights in network.parameters()), "cpu")):
            return _predict(network, pixels, tile)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        return None


def _predict(network: "nn.Module", pixels: np.ndarray, tile: int) -> np.ndarray:
    if network.receptive_radius is None:
        return _predict_blended(network, pixels, tile)
    height, width, channels = pixels.shape
    scale, halo = int(network.scale), int(network.receptive_radius)  # type: ignore[arg-type]
    restored = np.empty((height * scale, width * scale, channels), dtype=np.uint8)
    for left, top, right, bottom in _tiles(width, height, tile):
        outer_left, outer_top = max(left - halo, 0), max(top - halo, 0)
        patch = _predict_patch(network, pixels[outer_top : bottom + halo, outer_left : right + halo], scale)
        rows = slice((top - outer_top) * scale, (bottom - outer_top) * scale)
        columns = slice((left - outer_left) * scale, (right - outer_left) * scale)
        restored[top * scale : bottom * scale, left * scale : right * scale] = _round(patch[rows, columns])
    return restored


def _predict_blended(network: "nn.Module", pixels: np.ndarray, tile: int) -> np.ndarray:
    import torch

    height, width, channels = pixels.shape
    scale, halo = int(network.scale), BLENDED_HALO  # type: ignore[arg-type]
    sums = np.zeros((height * scale, width * scale, channels), dtype=np.float32)
    weights = np.zeros((height * scale, width * scale, 1), dtype=np.float32)
    for left, top, right, bottom in _tiles(width, height, tile):
        rows = max(top - halo, 0), min(bottom + halo, height)
        columns = max(left - halo, 0), min(right + halo, width)
        patch = _predict_patch(network, pixels[slice(*rows), slice(*columns)], scale).cpu().numpy()
        weight = _ramp(*rows, height, scale)[:, None, None] * _ramp(*columns, width, scale)[None, :, None]
        place = slice(rows[0] * scale, rows[1] * scale), slice(columns[0] * scale, columns[1] * scale)
        sums[place] += weight * patch
        weights[place] += weight
    sums /= weights
    return _round(torch.from_numpy(sums))


def _ramp(start: int, end: int, side: int, scale: int) -> np.ndarray:
    """Weigh what a tile says of output pixels: nothing at an inner edge, which sees no further, and more inwards."""
    places = (np.arange(start * scale, end * scale, dtype=np.float32) + 0.5) / scale
    from_left = places - start if start > 0 else np.full_like(places, np.inf)
    from_right = end - places if end < side else np.full_like(places, np.inf)
    return ((np.minimum(from_left, from_right) - UNSEEN) / (2 * (BLENDED_HALO - UNSEEN))).clip(SMALLEST_WEIGHT, 1)


def _tiles(width: int, height: int, tile: int) -> Iterator[Box]:
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            yield left, top, min(left + tile, width), min(top + tile, height)


def _predict_patch(network: "nn.Module", patch: np.ndarray, scale: int) -> "Tensor":
    """uint8 (h, w, 3) to floats (h * scale, w * scale, 3), on the device."""
    import torch

    weights = next(network.parameters(), torch.empty(0))
    with torch.inference_mode():
        inputs = torch.from_numpy(patch.copy()).to(weights.device).permute(2, 0, 1)[None]
        inputs = inputs.to(weights.dtype, memory_format=torch.channels_last) / 255
        outputs: Tensor = network(inputs)
        expected = (1, 3, patch.shape[0] * scale, patch.shape[1] * scale)
        if tuple(outputs.shape) != expected:
            raise ValueError(f"the network gave {tuple(outputs.shape)} where its scale {scale} promises {expected}")
        # float first: in bfloat16 neither 255 steps nor their rounding exist.
        outputs = outputs[0].permute(1, 2, 0).to(torch.promote_types(outputs.dtype, torch.float32))
        if not torch.isfinite(outputs).all():
            raise UserError("the network's output holds values that are not numbers: its weights are damaged.")
        return outputs


def _round(values: "Tensor") -> np.ndarray:
    """Give values in 0..1 as 8 bit, the nearest of 256 steps."""
    import torch

    rounded: np.ndarray = values.clamp(0, 1).mul(255).round().to(torch.uint8).cpu().numpy()
    return rounded


def _is_out_of_memory(error: BaseException) -> bool:
    """CUDA and MPS say "out of memory", the CPU "not enough memory" or "can't allocate memory", by system."""
    message = str(error).lower()
    signs = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(sign in message for sign in signs)
