"""Prediction on a picture of any size, in tiles without seams."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from uncrappify.errors import UserError
from uncrappify.inference.device import device_type_of
from uncrappify.memory import freed_is_kept, is_out_of_memory

if TYPE_CHECKING:
    from torch import Tensor, nn

logger = logging.getLogger(__name__)

TILE, SMALLEST_TILE = 512, 64
#: Where tiles are exact and have a small halo, small ones cost little time, and take less than half of the memory.
EXACT_TILE = 320
#: Pixels of a picture that little memory is needed for.
SMALL = EXACT_TILE**2
#: Input pixels that blended tiles have in common with their neighbours, to each side, and how many of these count not.
BLENDED_HALO, UNSEEN = 96, 32
SMALLEST_WEIGHT = 1e-6
#: left, top, right, bottom in input pixels, right and bottom excluded.
Box = tuple[int, int, int, int]
Samples = npt.NDArray[Any]
#: Gives the input's pixels of some rows and columns: (h, w, 3), of bytes, of 16 bits, or floats with white at 1.
Read = Callable[[slice, slice], Samples]
#: Turns the network's output, floats (h, w, 3) with white at 1, into what is kept of it.
Finish = Callable[["Tensor"], Samples]
#: Takes finished rows and the number of the first of them.
Put = Callable[[int, Samples], None]


@dataclass(frozen=True)
class Picture:
    """What a network is run over.

    Attributes:
        width: In pixels.
        height: In pixels.
        read: Gives its pixels.
        finish: Makes of the output what is kept.
    """

    width: int
    height: int
    read: Read
    finish: Finish


def predict_picture(network: "nn.Module", picture: Image.Image, tile: int = TILE, tta: bool = False) -> Image.Image:
    """Run a network over a picture and give the restored one, as :func:`predict` does.

    Args:
        network: As :func:`predict` takes it.
        picture: Any size, RGB.
        tile: Side of a tile without its halo, in input pixels.
        tta: As :func:`predict` takes it.

    Returns:
        RGB, ``scale`` times as wide and high; values clamped and rounded to 8 bit.

    Raises:
        ValueError: As :func:`predict`, or the picture is not RGB.
        UserError: As :func:`predict`.
    """
    if picture.mode != "RGB":
        raise ValueError(f"the network takes RGB pictures, this one is {picture.mode}")
    pixels, scale = np.asarray(picture), int(network.scale)  # type: ignore[arg-type]
    restored = np.empty((picture.height * scale, picture.width * scale, 3), dtype=np.uint8)

    def put(top: int, rows: Samples) -> None:
        restored[top : top + len(rows)] = rows

    source = Picture(picture.width, picture.height, lambda rows, columns: pixels[rows, columns], round_to_bytes)
    predict(network, source, put, tile, tta)
    return Image.fromarray(restored)


def find_tile(network: "nn.Module") -> int:
    """Give the side of the tiles that a network is usually run in."""
    return TILE if network.receptive_radius is None else EXACT_TILE


def predict(network: "nn.Module", picture: Picture, put: Put, tile: int = TILE, tta: bool = False) -> int:
    """Run a network over a picture with the memory of a row of tiles, whatever the picture's size.

    Each tile is read with a halo of ``network.receptive_radius`` pixels, which is cut off the result, so an output
    pixel sees what it would see in the whole picture: there are no seams and nothing is blended. Only inner edges have
    a halo; at the picture's border the network's own padding does what it always does. What is left between two tile
    sizes is the order of floating-point sums: a value within that error of a half may round to the next of 256 steps.

    A network whose ``receptive_radius`` is None sees more than a tile. Its tiles overlap, and what they say is blended
    from one to the next; a picture of one tile is done whole.

    When memory ends, the picture is done again with tiles of half the side, down to 64.

    Args:
        network: Maps (N, 3, h, w), values 0 to 1, to (N, 3, h * scale, w * scale); has the integers ``scale`` and
            ``receptive_radius`` (input pixels an output pixel depends on, to each side, or None). Stays where it is, on
            any device and in any precision, and is put into eval mode.
        picture: What it runs over.
        put: Gets all rows from the top down, and once more from the top when memory has ended.
        tile: Side of a tile without its halo, in input pixels; a multiple of 32 keeps a U-Net's grid where it is.
        tta: Whether to average over the picture's eight turns and mirror images, for eight times the time.

    Returns:
        The side of the tiles that memory has sufficed for.

    Raises:
        ValueError: If the tile is less than one pixel, or the network's output has another size than its scale says.
        UserError: If memory does not even suffice for tiles of 64 pixels, or the network's output holds NaN or
            infinity.
    """
    if tile < 1:
        raise ValueError(f"a tile has at least one pixel, got {tile}")
    network.eval()
    while not _predict_or_stop(network, picture, put, tile, tta):
        if tile <= SMALLEST_TILE:
            raise UserError(
                f"Memory does not suffice to restore a picture in tiles of {tile} pixels. "
                "Close other programs, or use a smaller model or another device."
            )
        tile = max(tile // 2, SMALLEST_TILE)
        logger.warning("memory ended; going on with tiles of %d pixels", tile)
    return tile


def _predict_or_stop(network: "nn.Module", picture: Picture, put: Put, tile: int, tta: bool) -> bool:
    """Run over the whole picture; give False when memory ended.

    A function of its own, so that the exception, whose traceback holds the big tensors, is gone before the next try.
    """
    run = _predict_blended if network.receptive_radius is None else _predict_exact
    try:
        with freed_is_kept(device_type_of(network), little=picture.width * picture.height <= SMALL):
            for top, rows in run(network, picture, tile, tta):
                put(top, rows)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def _predict_exact(network: "nn.Module", picture: Picture, tile: int, tta: bool) -> Iterator[tuple[int, Samples]]:
    scale, halo = int(network.scale), int(network.receptive_radius)  # type: ignore[arg-type]
    for top in range(0, picture.height, tile):
        bottom, outer_top = min(top + tile, picture.height), max(top - halo, 0)
        line: Samples | None = None
        for left in range(0, picture.width, tile):
            right, outer_left = min(left + tile, picture.width), max(left - halo, 0)
            seen = picture.read(slice(outer_top, bottom + halo), slice(outer_left, right + halo))
            patch = _predict_patch(network, seen, scale, tta)
            rows = slice((top - outer_top) * scale, (bottom - outer_top) * scale)
            columns = slice((left - outer_left) * scale, (right - outer_left) * scale)
            part = picture.finish(patch[rows, columns])
            if tile >= picture.width:
                line = part  # all of it, without a copy
            else:
                if line is None:
                    line = np.empty((len(part), picture.width * scale, *part.shape[2:]), part.dtype)
                line[:, left * scale : right * scale] = part
        assert line is not None
        yield top * scale, line


def _predict_blended(network: "nn.Module", picture: Picture, tile: int, tta: bool) -> Iterator[tuple[int, Samples]]:
    """Keep the sums of the rows that a further row of tiles may change, and give each row when it is done."""
    import torch

    height, width = picture.height, picture.width
    scale, halo = int(network.scale), BLENDED_HALO  # type: ignore[arg-type]
    sums = np.zeros((0, width * scale, 3), dtype=np.float32)
    weights = np.zeros((0, width * scale, 1), dtype=np.float32)
    done = 0
    for top in range(0, height, tile):
        rows = max(top - halo, 0), min(top + tile + halo, height)
        missing = rows[1] * scale - done - len(sums)
        sums = np.concatenate([sums, np.zeros((missing, *sums.shape[1:]), np.float32)])
        weights = np.concatenate([weights, np.zeros((missing, *weights.shape[1:]), np.float32)])
        for left in range(0, width, tile):
            columns = max(left - halo, 0), min(left + tile + halo, width)
            patch = _predict_patch(network, picture.read(slice(*rows), slice(*columns)), scale, tta).cpu().numpy()
            weight = _ramp(*rows, height, scale)[:, None, None] * _ramp(*columns, width, scale)[None, :, None]
            place = slice(rows[0] * scale - done, rows[1] * scale - done), slice(columns[0] * scale, columns[1] * scale)
            sums[place] += weight * patch
            weights[place] += weight
        # What the next row of tiles does not reach.
        end = height * scale if top + tile >= height else (top + tile - halo) * scale
        if end > done:
            yield done, picture.finish(torch.from_numpy(sums[: end - done] / weights[: end - done]))
            sums, weights, done = sums[end - done :], weights[end - done :], end


def _ramp(start: int, end: int, side: int, scale: int) -> np.ndarray:
    """Weigh what a tile says of output pixels: nothing at an inner edge, which sees no further, and more inwards."""
    places = (np.arange(start * scale, end * scale, dtype=np.float32) + 0.5) / scale
    from_left = places - start if start > 0 else np.full_like(places, np.inf)
    from_right = end - places if end < side else np.full_like(places, np.inf)
    return ((np.minimum(from_left, from_right) - UNSEEN) / (2 * (BLENDED_HALO - UNSEEN))).clip(SMALLEST_WEIGHT, 1)


def _predict_patch(network: "nn.Module", patch: Samples, scale: int, tta: bool) -> "Tensor":
    """(h, w, 3) to floats (h * scale, w * scale, 3), on the device."""
    import torch

    weights = next(network.parameters(), torch.empty(0))
    white = 1 if patch.dtype.kind == "f" else np.iinfo(patch.dtype).max
    # Torch has hardly anything to do with unsigned integers of 16 bits.
    patch = patch.astype(np.float32) if patch.dtype == np.uint16 else patch.copy()
    with torch.inference_mode():
        inputs = torch.from_numpy(patch).to(weights.device).permute(2, 0, 1)[None]
        inputs = inputs.to(weights.dtype, memory_format=torch.channels_last) / white
        outputs = _average_views(network, inputs) if tta else network(inputs)
        expected = (1, 3, patch.shape[0] * scale, patch.shape[1] * scale)
        if tuple(outputs.shape) != expected:
            raise ValueError(f"the network gave {tuple(outputs.shape)} where its scale {scale} promises {expected}")
        # NaN is the least and the largest of what it is among; this takes a tenth of a look at each value.
        if not torch.stack(outputs.aminmax()).isfinite().all():
            raise UserError("the network's output holds values that are not numbers: its weights are damaged.")
        # float first: in bfloat16 neither 255 steps nor their rounding exist.
        return outputs[0].permute(1, 2, 0).to(torch.promote_types(outputs.dtype, torch.float32))


def _average_views(network: "nn.Module", inputs: "Tensor") -> "Tensor":
    """Average over the eight ways to lay a picture, each laid back (Timofte et al. 2016, self-ensemble)."""
    total: Any = 0
    for turns in range(4):
        for mirrored in (False, True):
            view = inputs.rot90(turns, (2, 3))
            output = network(view.flip(3) if mirrored else view).float()
            total = total + (output.flip(3) if mirrored else output).rot90(-turns, (2, 3))
    average: Tensor = total / 8
    return average


def round_to_bytes(values: "Tensor") -> Samples:
    """Give values in 0..1 as 8 bit, the nearest of 256 steps."""
    import torch

    rounded: Samples = values.clamp(0, 1).mul(255).round().to(torch.uint8).cpu().numpy()
    return rounded
