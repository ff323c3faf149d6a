"""Masks: the class of every pixel, or void."""

from colorsys import hsv_to_rgb
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.errors import UserError
from uncrappify.parameters.messages import report

VOID = 255
"""The class of a pixel that is not trained on and not counted."""

SUFFIXES = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})
"""Suffixes of lossless formats; JPEG would mix the values of neighbouring pixels."""

FORMATS = ("PNG", "BMP", "GIF", "TIFF")
"""Pillow's names of these formats; Pillow goes by a file's content, not by its suffix."""

# Easy to distinguish, also side by side and for most colour-blind people. Further classes get hues by the golden angle.
_PALETTE = (
    (126, 178, 230),
    (156, 102, 70),
    (190, 190, 198),
    (110, 84, 140),
    (232, 200, 140),
    (60, 140, 66),
    (245, 214, 40),
    (240, 134, 50),
    (38, 80, 178),
    (214, 40, 48),
    (230, 110, 190),
    (60, 190, 180),
)
_GOLDEN_ANGLE = 0.381966
_GREYS = [(grey, grey, grey) for grey in (0, 255, 128, *range(1, 255))]
# Added to the code of a colour where values are expected, so that it never equals the value of a class.
_COLOURED = 1 << 40
_CHANGED = (
    "The mask has gone or changed since it was listed. Put it back, or run again from the node list (the whole "
    "pipeline, without --from-nodes)."
)

ClassName = Annotated[str, Field(pattern=r"^\w[\w .-]*$")]
Value = Annotated[int, Field(ge=0, le=65535)]
Byte = Annotated[int, Field(ge=0, le=255)]
Colour = tuple[Byte, Byte, Byte]
Classes = npt.NDArray[np.uint8]
"""(H, W), index into the classes, or ``VOID``."""


class UnlistedValue(NamedTuple):
    """A value of a mask that the labels do not have.

    Attributes:
        value: The value or colour, as text.
        x: Column of the first pixel that has it.
        y: Its row.
        pixels: How many have it.
    """

    value: str
    x: int
    y: int
    pixels: int


class Labels(BaseModel):
    """The classes, and how masks write them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: list[ClassName] = Field(
        ..., min_length=2, max_length=VOID, description="Names; a mask's value is the place in this list, from 0"
    )
    colours: list[Colour] = Field(
        [],
        description="The colour of each class, [red, green, blue], in coloured masks; empty: they hold values",
    )
    void: list[Value | Colour] = Field(
        [], description="Values (or colours, where masks are coloured) of pixels that do not count"
    )

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise report(("classes",), "a class is there more than once.")
        if len(set(self.colours)) < len(self.colours):
            raise report(("colours",), "two classes have the same colour.")
        wrong = [entry for entry in self.void if isinstance(entry, tuple) is not bool(self.colours)]
        if wrong:
            form = "colours, [red, green, blue], as labels.colours are" if self.colours else "values, whole numbers"
            raise report(("void",), f"{wrong[0]} is not of the kind that the masks have: give {form}.")
        if both := set(self.void) & set(self.colours or range(len(self.classes))):
            raise report(("void",), f"{both.pop()} is a class already; take it out of one of them.")
        if self.colours and len(self.colours) != len(self.classes):
            raise report(
                ("colours",), f"there are {len(self.classes)} classes and {len(self.colours)} colours; each needs one."
            )
        return self

    def decode(self, mask: Image.Image) -> Classes | UnlistedValue:
        """Convert a mask, as it is in its file, to classes.

        Args:
            mask: Picture of any mode; palette indices are values, unless the labels have colours.

        Returns:
            The class of each pixel, uint8 (H, W), or the first value that is not in the labels.
        """
        codes = _encode_colours(mask) if self.colours else _read_codes(mask)
        known = np.array(sorted(self._meaning))
        meanings = np.array([self._meaning[code] for code in known], dtype=np.uint8)
        places = np.searchsorted(known, codes).clip(max=len(known) - 1)
        unlisted = known[places] != codes
        if unlisted.any():
            y, x = np.argwhere(unlisted)[0]
            value = codes[y, x]
            coloured = self.colours or value >= _COLOURED
            shown = f"colour {list(_decode_colour(int(value) % _COLOURED))}" if coloured else f"value {value}"
            return UnlistedValue(shown, int(x), int(y), int((codes == value).sum()))
        found: Classes = meanings[places]
        return found

    @property
    def palette(self) -> list[Colour]:
        """Display colour of each class: the labels' own, or from a palette of distinct colours."""
        more = range(len(_PALETTE), len(self.classes))
        return self.colours or [*_PALETTE, *(_pick_hue(number) for number in more)][: len(self.classes)]

    @property
    def void_colour(self) -> Colour:
        """Display colour of void: the labels' first colour for it, or black, white or a grey that no class has."""
        own = [entry for entry in self.void if isinstance(entry, tuple)]
        return next(colour for colour in (*own, *_GREYS) if colour not in self.palette)

    @property
    def _meaning(self) -> dict[int, int]:
        """Value in a mask (or colour, encoded as one number) to class."""
        classes = [_encode_colour(colour) for colour in self.colours] or range(len(self.classes))
        void = [_encode_colour(entry) if isinstance(entry, tuple) else entry for entry in self.void]
        return dict.fromkeys(void, VOID) | {code: number for number, code in enumerate(classes)}


def read_mask(path: Path, labels: Labels) -> Classes:
    """Read a mask that was usable when its source was listed.

    Returns:
        The class of each pixel, uint8 (H, W).

    Raises:
        UserError: The file is missing, or has changed since it was listed.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            found = labels.decode(image)
    except OSError as error:
        raise UserError(f"{path}: the mask cannot be read ({error}). {_CHANGED}") from error
    if isinstance(found, UnlistedValue):
        raise UserError(f"{path}: the mask has {found.value}, which is in no class. {_CHANGED}")
    return found


def as_picture(classes: Classes, labels: Labels) -> Image.Image:
    """Convert classes to a picture of mode P: its values are the classes, its palette their display colours."""
    picture = Image.fromarray(classes, mode="P")
    colours = [*labels.palette, *[labels.void_colour] * (256 - len(labels.classes))]
    picture.putpalette([value for colour in colours for value in colour])
    return picture


def _read_codes(mask: Image.Image) -> npt.NDArray[np.int64]:
    values = np.asarray(mask)
    if values.dtype.kind == "f":
        # A fraction becomes a value that no class has.
        values = np.where(values == values.round(), values, -1)
    values = values.astype(np.int64)
    if values.ndim == 2:
        return values
    # Grey saved as RGB counts as grey; an alpha channel beside grey is ignored.
    grey = values.shape[2] == 2 or (values[..., :3] == values[..., :1]).all()
    codes: npt.NDArray[np.int64] = values[..., 0] if grey else _encode_colours(mask) + _COLOURED
    return codes


def _encode_colours(mask: Image.Image) -> npt.NDArray[np.int64]:
    red, green, blue = np.moveaxis(np.asarray(mask.convert("RGB")).astype(np.int64), -1, 0)
    codes: npt.NDArray[np.int64] = (red << 16) + (green << 8) + blue
    return codes


def _encode_colour(colour: Colour) -> int:
    return (colour[0] << 16) + (colour[1] << 8) + colour[2]


def _decode_colour(code: int) -> Colour:
    return code >> 16, code >> 8 & 255, code & 255


def _pick_hue(number: int) -> Colour:
    red, green, blue = hsv_to_rgb(number * _GOLDEN_ANGLE % 1, 0.65, 0.85 - 0.3 * (number % 2))
    return round(255 * red), round(255 * green), round(255 * blue)
