"""What the pixels of a mask mean: a class each, or nothing that counts."""

from colorsys import hsv_to_rgb
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncrappify.errors import UserError
from uncrappify.parameters.messages import located

VOID = 255
"""The class of a pixel that is not trained on and not counted."""

SUFFIXES = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})
"""Of files that keep every value; a JPEG would mix those of neighbours."""

FORMATS = ("PNG", "BMP", "GIF", "TIFF")
"""Pillow's names of their formats; others would be opened by what is in a file, whatever it is called."""

# Easy to tell apart, also beside each other and for most colour-blind people; what is left, round the colour circle.
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
# Added to the code of a colour where values are expected, so that no colour passes for a class.
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
    def _fit_together(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise located(("classes",), "a class is there more than once.")
        if len(set(self.colours)) < len(self.colours):
            raise located(("colours",), "two classes have the same colour.")
        wrong = [entry for entry in self.void if isinstance(entry, tuple) is not bool(self.colours)]
        if wrong:
            form = "colours, [red, green, blue], as labels.colours are" if self.colours else "values, whole numbers"
            raise located(("void",), f"{wrong[0]} is not of the kind that the masks have: give {form}.")
        if both := set(self.void) & set(self.colours or range(len(self.classes))):
            raise located(("void",), f"{both.pop()} is a class already; take it out of one of them.")
        if self.colours and len(self.colours) != len(self.classes):
            raise located(
                ("colours",), f"there are {len(self.classes)} classes and {len(self.colours)} colours; each needs one."
            )
        return self

    def indices(self, mask: Image.Image) -> Classes | UnlistedValue:
        """Turn a mask as it is in its file into classes.

        Args:
            mask: Of any mode; of a palette the places count, unless the labels have colours.

        Returns:
            The class of each pixel, or the first value that is not in the labels.
        """
        codes = _colour_codes(mask) if self.colours else _values(mask)
        known = np.array(sorted(self._meaning))
        meanings = np.array([self._meaning[code] for code in known], dtype=np.uint8)
        places = np.searchsorted(known, codes).clip(max=len(known) - 1)
        unlisted = known[places] != codes
        if unlisted.any():
            y, x = np.argwhere(unlisted)[0]
            value = codes[y, x]
            coloured = self.colours or value >= _COLOURED
            shown = f"colour {list(_colour(int(value) % _COLOURED))}" if coloured else f"value {value}"
            return UnlistedValue(shown, int(x), int(y), int((codes == value).sum()))
        found: Classes = meanings[places]
        return found

    @property
    def palette(self) -> list[Colour]:
        """A colour for each class, to show it in: its own, or one that differs well from the others'."""
        more = range(len(_PALETTE), len(self.classes))
        return self.colours or [*_PALETTE, *(_on_the_circle(number) for number in more)][: len(self.classes)]

    @property
    def void_colour(self) -> Colour:
        """The colour to show void in: the masks' first for it, else black, white or a grey that no class has."""
        own = [entry for entry in self.void if isinstance(entry, tuple)]
        return next(colour for colour in (*own, *_GREYS) if colour not in self.palette)

    @property
    def _meaning(self) -> dict[int, int]:
        """What a mask holds (a value, or a colour as one number) to what it means."""
        classes = [_code(colour) for colour in self.colours] or range(len(self.classes))
        void = [_code(entry) if isinstance(entry, tuple) else entry for entry in self.void]
        return dict.fromkeys(void, VOID) | {code: number for number, code in enumerate(classes)}


def read_mask(path: Path, labels: Labels) -> Classes:
    """Read a mask that was usable when its source was listed.

    Raises:
        UserError: It has gone or changed since then.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            found = labels.indices(image)
    except OSError as error:
        raise UserError(f"{path}: the mask cannot be read ({error}). {_CHANGED}") from error
    if isinstance(found, UnlistedValue):
        raise UserError(f"{path}: the mask has {found.value}, which is in no class. {_CHANGED}")
    return found


def as_picture(classes: Classes, labels: Labels) -> Image.Image:
    """Give classes as a picture whose values are the classes, and whose palette shows them and void."""
    picture = Image.fromarray(classes, mode="P")
    colours = [*labels.palette, *[labels.void_colour] * (256 - len(labels.classes))]
    picture.putpalette([value for colour in colours for value in colour])
    return picture


def _values(mask: Image.Image) -> npt.NDArray[np.int64]:
    values = np.asarray(mask)
    if values.dtype.kind == "f":
        # What is no whole number becomes a value that no class has.
        values = np.where(values == values.round(), values, -1)
    values = values.astype(np.int64)
    if values.ndim == 2:
        return values
    # Grey that was saved as colour is as good as grey; of grey with alpha, the grey counts.
    grey = values.shape[2] == 2 or (values[..., :3] == values[..., :1]).all()
    codes: npt.NDArray[np.int64] = values[..., 0] if grey else _colour_codes(mask) + _COLOURED
    return codes


def _colour_codes(mask: Image.Image) -> npt.NDArray[np.int64]:
    red, green, blue = np.moveaxis(np.asarray(mask.convert("RGB")).astype(np.int64), -1, 0)
    codes: npt.NDArray[np.int64] = (red << 16) + (green << 8) + blue
    return codes


def _code(colour: Colour) -> int:
    return (colour[0] << 16) + (colour[1] << 8) + colour[2]


def _colour(code: int) -> Colour:
    return code >> 16, code >> 8 & 255, code & 255


def _on_the_circle(number: int) -> Colour:
    red, green, blue = hsv_to_rgb(number * _GOLDEN_ANGLE % 1, 0.65, 0.85 - 0.3 * (number % 2))
    return round(255 * red), round(255 * green), round(255 * blue)
