"""What drawn scenes are painted with: a canvas of colours and classes, and a stage that puts metres onto it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

#: Everything is drawn so many times larger and made smaller in the end: edges get the mixed pixels of a real picture.
LARGER = 3
#: How far away, in metres, a thing has half of the haze.
HALF_HAZE = 25.0

Colour = npt.NDArray[np.float64]
Point = tuple[float, float]
#: Metres: to the right of the camera, above the ground, away from the camera.
Place = tuple[float, float, float]
Span = tuple[float, float]


class Canvas:
    """A picture and its mask, which every shape is painted onto alike; places are in pixels of the finished picture.

    Shapes take a ``kind``, the class that they get in the mask (None: the mask stays), and a ``colour``, red, green and
    blue from 0 to 1 (None: the picture stays). ``texture`` is the largest share by which the colour gets darker or
    lighter, in spots of ``grain`` pixels.
    """

    def __init__(self, width: int, height: int, random: np.random.Generator) -> None:
        self.width, self.height = width, height
        self.random = random
        size = (width * LARGER, height * LARGER)
        self._colours, self._classes = Image.new("RGB", size), Image.new("L", size)
        self._pen, self._class_pen = ImageDraw.Draw(self._colours), ImageDraw.Draw(self._classes)
        self._noises: dict[int, Image.Image] = {}

    def polygon(
        self, kind: int | None, points: Sequence[Point], colour: Colour | None, texture: float = 0.0, grain: int = 1
    ) -> None:
        """Fill a polygon."""
        outline = [_enlarged(point) for point in points]
        if kind is not None:
            self._class_pen.polygon(outline, fill=kind)
        if colour is None:
            return
        if not texture:
            self._pen.polygon(outline, fill=_bytes(colour))
            return
        box = self._box(outline)
        if box is None:
            return
        stencil = _stencil(outline, box)
        dark, light = (Image.new("RGB", stencil.size, _bytes(colour * part)) for part in (1 - texture, 1 + texture))
        self._colours.paste(Image.composite(light, dark, self._noise(grain).crop(box)), box, stencil)

    def ellipse(self, kind: int | None, centre: Point, radii: Point, colour: Colour, rim: float = 0.0) -> None:
        """Fill an ellipse; with ``rim`` only a rim of so many pixels gets the colour, and all of it the class."""
        (x, y), (wide, tall) = centre, radii
        box = [_enlarged((x - wide, y - tall)), _enlarged((x + wide, y + tall))]
        if kind is not None:
            self._class_pen.ellipse(box, fill=kind)
        if rim:
            self._pen.ellipse(box, outline=_bytes(colour), width=max(1, round(rim * LARGER)))
        else:
            self._pen.ellipse(box, fill=_bytes(colour))

    def shade(self, points: Sequence[Point], share: float) -> None:
        """Take a share of the light from a polygon, whatever lies there; the mask stays."""
        outline = [_enlarged(point) for point in points]
        box = self._box(outline)
        if box is not None:
            darker = self._colours.crop(box).point([round(value * (1 - share)) for value in range(256)] * 3)
            self._colours.paste(darker, box, _stencil(outline, box))

    def backdrop(self, kind: int, top: Colour, bottom: Colour, clouds: float) -> None:
        """Fill all of it: from one colour at the top to another, with clouds that are lighter by a share."""
        size = self._colours.size
        self._colours.paste(_image(np.linspace(top, bottom, self.height)[:, None]).resize(size))
        cover = self._noise(16).point([max(0, round((value - 110) * 1.7 * clouds)) for value in range(256)])
        self._colours.paste((255, 255, 255), (0, 0, *size), cover)
        self._classes.paste(kind, (0, 0, *size))

    def photograph(self) -> tuple[Image.Image, Image.Image]:
        """Take a picture as a camera does: light, white balance, contrast, a little blur and noise.

        Returns:
            The picture (RGB) and the mask (L).
        """
        size, random = (self.width, self.height), self.random
        pixels = np.asarray(self._colours.resize(size, Image.Resampling.BOX), dtype=np.float64) / 255
        light = random.uniform(0.7, 1.15) * (1 + np.linspace(-1, 1, self.width) * random.uniform(-0.15, 0.15))
        pixels *= light[:, None] * (1 + random.uniform(-0.07, 0.07, 3))
        pixels = pixels.clip(0, 1) ** random.uniform(0.8, 1.25)
        sharp = _image(pixels).filter(ImageFilter.GaussianBlur(random.uniform(0, 0.6)))
        noise = random.normal(0, random.uniform(1, 4), (self.height, self.width, 3))
        picture = _image((np.asarray(sharp) + noise) / 255)
        return picture, self._classes.resize(size, Image.Resampling.NEAREST)

    def _box(self, outline: Sequence[tuple[int, int]]) -> tuple[int, int, int, int] | None:
        """The part of the canvas that the outline may touch; None where it lies outside."""
        across, down = zip(*outline, strict=True)
        box = (
            max(0, min(across)),
            max(0, min(down)),
            min(self._colours.width, max(across) + 1),
            min(self._colours.height, max(down) + 1),
        )
        return box if box[0] < box[2] and box[1] < box[3] else None

    def _noise(self, grain: int) -> Image.Image:
        """Grey spots of ``grain`` pixels all over the canvas, the same at every call."""
        if grain not in self._noises:
            shape = (self.height // grain + 2, self.width // grain + 2)
            spots = Image.fromarray(self.random.normal(128, 55, shape).clip(0, 255).astype(np.uint8))
            self._noises[grain] = spots.resize(self._colours.size, Image.Resampling.BILINEAR)
        return self._noises[grain]


@dataclass(frozen=True)
class Stage:
    """A canvas seen by a camera that looks straight ahead: takes metres, and lays haze before what is far away."""

    canvas: Canvas
    #: The pixel that the camera looks at: everything vanishes there.
    vanishing: Point
    #: Of the camera, in metres above the ground.
    height: float
    #: Pixels for a metre at a distance of one metre.
    focal: float
    haze: float
    haze_colour: Colour

    def at(self, place: Place) -> Point:
        """Where a place is seen."""
        x, y, z = place
        metre = self.focal / z
        return self.vanishing[0] + x * metre, self.vanishing[1] + (self.height - y) * metre

    def hazed(self, colour: Colour, z: float) -> Colour:
        """What is left of a colour at a distance."""
        share = self.haze * z / (z + HALF_HAZE)
        return np.asarray(colour * (1 - share) + self.haze_colour * share)

    def polygon(
        self, kind: int | None, places: Sequence[Place], colour: Colour | None, texture: float = 0.0, grain: int = 1
    ) -> None:
        """Fill a polygon, hazed as its nearest corner is."""
        seen = None if colour is None else self.hazed(colour, min(z for _, _, z in places))
        self.canvas.polygon(kind, [self.at(place) for place in places], seen, texture, grain)

    def ground(self, kind: int | None, x: Span, z: Span, colour: Colour, texture: float = 0.0, grain: int = 1) -> None:
        """Lay a rectangle on the ground."""
        corners = [(x[0], 0.0, z[0]), (x[1], 0.0, z[0]), (x[1], 0.0, z[1]), (x[0], 0.0, z[1])]
        self.polygon(kind, corners, colour, texture, grain)

    def box(
        self,
        kind: int,
        x: Span,
        y: Span,
        z: Span,
        colour: Colour,
        sides: Span,
        texture: float = 0.0,
        slant: Span = (0, 0),
    ) -> None:
        """Put up a box: the side that is seen, its top, its front.

        Args:
            kind: Its class.
            x: Where it is, from left to right.
            y: From its bottom to its top.
            z: From its front to its back.
            colour: Its front's.
            sides: How light its left and its right side are, as a share of the front.
            texture: As the canvas takes it.
            slant: How much narrower (in x) and shorter (in z) it is on top, at either end.
        """
        (left, right), (low, high), (near, far) = x, y, z
        top_left, top_right, top_near, top_far = left + slant[0], right - slant[0], near + slant[1], far - slant[1]
        if left > 0 or right < 0:
            foot, head, light = (left, top_left, sides[0]) if left > 0 else (right, top_right, sides[1])
            side = [(foot, low, near), (head, high, top_near), (head, high, top_far), (foot, low, far)]
            self.polygon(kind, side, colour * light, texture, 2)
        if high < self.height:
            edges = ((top_left, top_near), (top_right, top_near), (top_right, top_far), (top_left, top_far))
            self.polygon(kind, [(across, high, away) for across, away in edges], colour * 1.15, texture, 2)
        front = [(left, low, near), (right, low, near), (top_right, high, top_near), (top_left, high, top_near)]
        self.polygon(kind, front, colour, texture, 2)


@dataclass(frozen=True)
class Flat:
    """An upright plane on the stage, as scenery is: takes metres from its foot, to the right (or left) and up.

    ``size`` makes all that is drawn on it larger or smaller.
    """

    stage: Stage
    x: float
    z: float
    mirrored: bool = False
    size: float = 1.0

    def polygon(self, kind: int | None, points: Sequence[Point], colour: Colour, texture: float = 0.0) -> None:
        """Fill a polygon."""
        self.stage.polygon(kind, [self._place(point) for point in points], colour, texture)

    def rectangle(self, kind: int | None, x: Span, y: Span, colour: Colour, texture: float = 0.0) -> None:
        """Fill an upright rectangle."""
        self.polygon(kind, [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], colour, texture)

    def ellipse(self, kind: int | None, centre: Point, radii: Point, colour: Colour, rim: float = 0.0) -> None:
        """Fill an ellipse, or its rim."""
        metre = self.size * self.stage.focal / self.z
        place, seen = self.stage.at(self._place(centre)), self.stage.hazed(colour, self.z)
        self.stage.canvas.ellipse(kind, place, (radii[0] * metre, radii[1] * metre), seen, rim * metre)

    def limb(self, kind: int | None, points: Sequence[Point], wide: float, colour: Colour) -> None:
        """Draw a thick line with round joints and ends."""
        for (x, y), (to_x, to_y) in pairwise(points):
            part = wide / 2 / float(np.hypot(to_x - x, to_y - y))
            dx, dy = part * (y - to_y), part * (to_x - x)
            corners = [(x + dx, y + dy), (to_x + dx, to_y + dy), (to_x - dx, to_y - dy), (x - dx, y - dy)]
            self.polygon(kind, corners, colour)
        for point in points:
            self.ellipse(kind, point, (wide / 2, wide / 2), colour)

    def _place(self, point: Point) -> Place:
        across, up = point
        return self.x + self.size * (-across if self.mirrored else across), self.size * up, self.z


def _enlarged(point: Point) -> tuple[int, int]:
    # Whole numbers, so that the last bits of a machine's arithmetic make no difference.
    return round(point[0] * LARGER), round(point[1] * LARGER)


def _stencil(outline: Sequence[tuple[int, int]], box: tuple[int, int, int, int]) -> Image.Image:
    left, top, right, bottom = box
    stencil = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(stencil).polygon([(x - left, y - top) for x, y in outline], fill=255)
    return stencil


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, round(part * 255))) for part in colour.tolist())
    return red, green, blue


def _image(pixels: npt.NDArray[np.float64]) -> Image.Image:
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))
