"""One budget of memory for all pictures that are decoded at the same time, whatever the number of cores."""

import math
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from threading import Condition, local
from typing import IO

from PIL import ImageFile, TiffImagePlugin, UnidentifiedImageError

from uncrappify.memory import trim
from uncrappify.pictures.kinds import recognise_readable
from uncrappify.pictures.limits import open_picture
from uncrappify.pictures.tiff_layout import Layout, begin_with_picture, describe

GIGABYTE = 1_000_000_000

OVER_A_LIMIT = "over a limit"
"""What the reason begins with for which such a picture is not used."""

BYTES_A_PIXEL = 12
"""Of a picture of 8 bits: Pillow keeps RGB in 4, and at most three copies live at once: the picture as it is stored,
turned by EXIF and converted; or the good picture, the part of it that a step has cropped, and what the step makes."""

WITH_ALPHA = 14
"""The picture, a copy as RGBA, its alpha, and the white picture that it is pasted on."""

DEEP = 22
"""Grey of 16 or 32 bits: floats to scale it, twice, beside the picture before and after."""

DEEP_COLOURS = 32
"""Colours of 16 bits in a PNG: upper and lower bytes are decoded apart and joined, with up to four channels."""

ANIMATED = 24
"""WebP and AVIF: the decoder's own two canvases of 4 bytes and a copy as bytes, beside the copies of WITH_ALPHA."""

LARGE = 50_000_000
"""Bytes; from this on, what a picture has taken is returned to the system at once."""

_LONGEST_SIGNATURE = 256

# Measured as peaks of resident memory at 16 megapixels (tests/pictures/test_budget.py).


class Budget:
    """Memory that threads reserve before they decode and release afterwards, as a semaphore counts places.

    A thread that has reserved something reserves nothing more meanwhile: else two could wait for each other.

    Args:
        limit: Of what all threads have reserved together, in bytes; what needs more than that has to be alone.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._waiting: deque[object] = deque()
        self._released = Condition()
        self._own = local()

    @property
    def is_held(self) -> bool:
        """Whether this thread has reserved something."""
        return getattr(self._own, "holds", False)

    @contextmanager
    def reserve(self, needed: int) -> Iterator[None]:
        """Wait until there is room, and keep it for the block.

        Args:
            needed: In bytes.
        """
        if self.is_held:
            yield
            return
        with self._released:
            if self._waiting or not self._has_room(needed):
                self._wait(needed)
            self._taken += needed
        self._own.holds = True
        try:
            yield
        finally:
            self._own.holds = False
            if needed >= LARGE:
                trim()
            with self._released:
                self._taken -= needed
                self._released.notify_all()

    def _has_room(self, needed: int) -> bool:
        return not self._taken or self._taken + needed <= self.limit

    def _wait(self, needed: int) -> None:
        turn = object()
        self._waiting.append(turn)
        try:
            # In turn: small ones would else keep a large one waiting to the end.
            self._released.wait_for(lambda: self._waiting[0] is turn and self._has_room(needed))
        finally:
            self._waiting.remove(turn)
            self._released.notify_all()

    def explain_excess(self, needed: int) -> str:
        """Say by how much something is over the limit on its own; nothing where it is not."""
        if needed <= self.limit:
            return ""
        shown = f"{math.ceil(needed / GIGABYTE * 10) / 10:.1f}"
        limit = self.limit / GIGABYTE
        return f"needs {shown} GB to decode, the limit is {limit if round(limit, 1) == limit else f'{limit:.3g}'} GB"


_LIMIT = "UNCRAPPIFY_DECODING_LIMIT"


def _inherit_limit() -> int:
    """Take the limit of the process that has started this one."""
    given = os.environ.get(_LIMIT, str(GIGABYTE))
    if not given.isdecimal():
        # Not an error that a command could tell: those that need pictures import this before they begin.
        raise SystemExit(
            f"{_LIMIT}: expected a whole number of bytes, got {given!r}. Leave it unset; the parameter memory sets it."
        )
    return int(given)


DECODING = Budget(_inherit_limit())
"""Whatever decodes pictures reserves from this one, whose limit is the parameter ``memory``."""


def limit_decoding(limit: int) -> None:
    """Set the limit of this process, and of each that it starts: those that train together decode pictures too.

    Args:
        limit: In bytes, for each process.
    """
    DECODING.limit = limit
    os.environ[_LIMIT] = str(limit)


def count_decoded(file: IO[bytes]) -> int:
    """Say how much memory it takes at most to decode and degrade a picture, by its header.

    Args:
        file: The picture's, at its beginning.

    Returns:
        Bytes, all copies of the pixels included.

    Raises:
        UnusablePicture: It is no picture that is read; what is damaged raises whatever Pillow does.
    """
    kind = recognise_readable(file.read(_LONGEST_SIGNATURE))
    file.seek(0)
    if kind == "TIFF":
        content = begin_with_picture(file.read())
        layout = describe(content)
        if layout.is_plain:
            # As it is decoded: what Pillow does not know is read here.
            with suppress(UnidentifiedImageError), open_picture(BytesIO(content), kind) as image:
                return _count_bytes(image)
        return _count_tiff(layout)
    with open_picture(file, kind) as image:
        return _count_bytes(image)


def _count_bytes(header: ImageFile.ImageFile) -> int:
    if header.format in {"WEBP", "AVIF"}:
        each = ANIMATED
    elif header.mode.startswith(("I", "F")):
        each = DEEP
    elif any("16B" in str(tile.args) for tile in header.tile):
        each = DEEP_COLOURS
    else:
        each = WITH_ALPHA if header.has_transparency_data else BYTES_A_PIXEL
    return header.width * header.height * each


def _count_tiff(layout: Layout) -> int:
    """Count samples as unpacked, as numbers and as bytes, and Pillow's copies."""
    item = math.ceil(max(layout.bits) / 8)
    tile = int(layout.tags.get(TiffImagePlugin.TILEWIDTH, 0)) * int(layout.tags.get(TiffImagePlugin.TILELENGTH, 0))
    whole = layout.width * layout.height * (layout.samples * (2 * item + 1) + BYTES_A_PIXEL)
    return whole + 3 * item * layout.samples * tile
