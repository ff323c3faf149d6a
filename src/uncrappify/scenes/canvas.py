"""A canvas that holds a picture and its mask, and a pinhole camera that projects metres onto it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

#: Everything is drawn at this many times the size and reduced at the end, so that edges are anti-aliased.
SUPERSAMPLING = 3
#: Distance in metres at which a thing has half of the haze.
HALF_HAZE = 25.0

Colour = npt.NDArray[np.float64]
Point = tuple[float, float]
#: Metres: to the right of the camera, above the ground, away from the camera.
Place = tuple[float, float, float]
Span = tuple[float, float]


class Canvas:
    """A picture and its mask; every shape is drawn into both. Positions are in pixels of the finished picture.

    Shapes take a ``kind``, their class in the mask (``None`` leaves the mask as it is), and a ``colour``, red, green
    and blue in 0..1 (``None`` leaves the picture as it is). ``texture`` is the largest share by which the colour
    is made darker or lighter, in spots of ``grain`` pixels.
    """

    def __init__(self, width: int, height: int, random: np.random.Generator) -> None:
        self.width, self.height = width, height
        self.random = random
        size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
        self._colours, self._classes = Image.new("RGB", size), Image.new("L", size)
        self._pen, self._class_pen = ImageDraw.Draw(self._colours), ImageDraw.Draw(self._classes)
        self._noises: dict[int, Image.Image] = {}

    def fill_polygon(
        self, kind: int | None, points: Sequence[Point], colour: Colour | None, texture: float = 0.0, grain: int = 1
    ) -> None:
        """Fill a polygon."""
        outline = [_enlarge(point) for point in points]
        if kind is not None:
            self._class_pen.polygon(outline, fill=kind)
        if colour is None:
            return
        if not texture:
            self._pen.polygon(outline, fill=_to_bytes(colour))
            return
        box = self._find_box(outline)
        if box is None:
            return
        stencil = _draw_stencil(outline, box)
        dark, light = (Image.new("RGB", stencil.size, _to_bytes(colour * part)) for part in (1 - texture, 1 + texture))
        self._colours.paste(Image.composite(light, dark, self._make_noise(grain).crop(box)), box, stencil)

    def fill_ellipse(self, kind: int | None, centre: Point, radii: Point, colour: Colour, rim: float = 0.0) -> None:
        """Fill an ellipse; with ``rim``, only an outline of that width gets the colour, and all of it the class."""
        (x, y), (wide, tall) = centre, radii
        box = [_enlarge((x - wide, y - tall)), _enlarge((x + wide, y + tall))]
        if kind is not None:
            self._class_pen.ellipse(box, fill=kind)
        if rim:
            self._pen.ellipse(box, outline=_to_bytes(colour), width=max(1, round(rim * SUPERSAMPLING)))
        else:
            self._pen.ellipse(box, fill=_to_bytes(colour))

    def shade(self, points: Sequence[Point], share: float) -> None:
        """Darken a polygon by a share of its light, 0 to 1; the mask stays as it is."""
        outline = [_enlarge(point) for point in points]
        box = self._find_box(outline)
        if box is not None:
            darker = self._colours.crop(box).point([round(value * (1 - share)) for value in range(256)] * 3)
            self._colours.paste(darker, box, _draw_stencil(outline, box))

    def fill_background(self, kind: int, top: Colour, bottom: Colour, clouds: float) -> None:
        """Fill the whole canvas with a gradient from top to bottom, and clouds of opacity ``clouds``, 0 to 1."""
        size = self._colours.size
        self._colours.paste(_to_image(np.linspace(top, bottom, self.height)[:, None]).resize(size))
        cover = self._make_noise(16).point([max(0, round((value - 110) * 1.7 * clouds)) for value in range(256)])
        self._colours.paste((255, 255, 255), (0, 0, *size), cover)
        self._classes.paste(kind, (0, 0, *size))

    def photograph(self) -> tuple[Image.Image, Image.Image]:
        """Reduce the canvas to its final size, with random exposure, white balance, contrast, blur and noise.

        Returns:
            The picture (RGB) and the mask (L).
        """
        size, random = (self.width, self.height), self.random
        pixels = np.asarray(self._colours.resize(size, Image.Resampling.BOX), dtype=np.float64) / 255
        light = random.uniform(0.7, 1.15) * (1 + np.linspace(-1, 1, self.width) * random.uniform(-0.15, 0.15))
        pixels *= light[:, None] * (1 + random.uniform(-0.07, 0.07, 3))
        pixels = pixels.clip(0, 1) ** random.uniform(0.8, 1.25)
        sharp = _to_image(pixels).filter(ImageFilter.GaussianBlur(random.uniform(0, 0.6)))
        noise = random.normal(0, random.uniform(1, 4), (self.height, self.width, 3))
        picture = _to_image((np.asarray(sharp) + noise) / 255)
        return picture, self._classes.resize(size, Image.Resampling.NEAREST)

    def _find_box(self, outline: Sequence[tuple[int, int]]) -> tuple[int, int, int, int] | None:
        """Return the outline's bounding box, clipped to the canvas; ``None`` if it lies outside."""
        across, down = zip(*outline, strict=True)
        box = (
            max(0, min(across)),
            max(0, min(down)),
            min(self._colours.width, max(across) + 1),
            min(self._colours.height, max(down) + 1),
        )
        return box if box[0] < box[2] and box[1] < box[3] else None

    def _make_noise(self, grain: int) -> Image.Image:
        """Return grey noise of ``grain`` pixels a spot for the whole canvas, the same at every call."""
        if grain not in self._noises:
            shape = (self.height // grain + 2, self.width // grain + 2)
            spots = Image.fromarray(self.random.normal(128, 55, shape).clip(0, 255).astype(np.uint8))
            self._noises[grain] = spots.resize(self._colours.size, Image.Resampling.BILINEAR)
        return self._noises[grain]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks straight ahead: projects metres onto a canvas, with haze that grows with distance."""

    canvas: Canvas
    #: In pixels of the canvas.
    vanishing_point: Point
    #: Of the camera, in metres above the ground.
    height: float
    #: Focal length: how many pixels a metre has at a distance of one metre.
    focal: float
    haze: float
    haze_colour: Colour

    def project(self, place: Place) -> Point:
        """Return the pixel at which a point in space is seen."""
        x, y, z = place
        metre = self.focal / z
        return self.vanishing_point[0] + x * metre, self.vanishing_point[1] + (self.height - y) * metre

    def add_haze(self, colour: Colour, z: float) -> Colour:
        """Blend a colour with the haze at a distance of ``z`` metres."""
        share = self.haze * z / (z + HALF_HAZE)
        return np.asarray(colour * (1 - share) + self.haze_colour * share)

    def fill_polygon(
        self, kind: int | None, places: Sequence[Place], colour: Colour | None, texture: float = 0.0, grain: int = 1
    ) -> None:
        """Fill a polygon in space, with the haze of its nearest corner."""
        seen = None if colour is None else self.add_haze(colour, min(z for _, _, z in places))
        self.canvas.fill_polygon(kind, [self.project(place) for place in places], seen, texture, grain)

    def fill_ground(
        self, kind: int | None, x: Span, z: Span, colour: Colour, texture: float = 0.0, grain: int = 1
    ) -> None:
        """Fill a rectangle on the ground."""
        corners = [(x[0], 0.0, z[0]), (x[1], 0.0, z[0]), (x[1], 0.0, z[1]), (x[0], 0.0, z[1])]
        self.fill_polygon(kind, corners, colour, texture, grain)

    def draw_box(
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
        """Draw the visible faces of a box: one side, its top and its front.

        Args:
            kind: Its class.
            x: Left and right, in metres.
            y: Bottom and top, in metres.
            z: Front and back, in metres.
            colour: Colour of the front.
            sides: Brightness of the left and right side, relative to the front.
            texture: As in :class:`Canvas`.
            slant: How much narrower (in x) and shorter (in z) the top is, in metres at each end.
        """
        (left, right), (low, high), (near, far) = x, y, z
        top_left, top_right, top_near, top_far = left + slant[0], right - slant[0], near + slant[1], far - slant[1]
        if left > 0 or right < 0:
            foot, head, light = (left, top_left, sides[0]) if left > 0 else (right, top_right, sides[1])
            side = [(foot, low, near), (head, high, top_near), (head, high, top_far), (foot, low, far)]
            self.fill_polygon(kind, side, colour * light, texture, 2)
        if high < self.height:
            edges = ((top_left, top_near), (top_right, top_near), (top_right, top_far), (top_left, top_far))
            self.fill_polygon(kind, [(across, high, away) for across, away in edges], colour * 1.15, texture, 2)
        front = [(left, low, near), (right, low, near), (top_right, high, top_near), (top_left, high, top_near)]
        self.fill_polygon(kind, front, colour, texture, 2)


@dataclass(frozen=True)
class Plane:
    """An upright plane that faces the camera. Positions are metres from its foot, to the right and up.

    ``mirrored`` counts to the left instead, and ``size`` scales all that is drawn.
    """

    camera: Camera
    x: float
    z: float
    mirrored: bool = False
    size: float = 1.0

    def fill_polygon(self, kind: int | None, points: Sequence[Point], colour: Colour, texture: float = 0.0) -> None:
        """Fill a polygon."""
        self.camera.fill_polygon(kind, [self._find_place(point) for point in points], colour, texture)

    def fill_rectangle(self, kind: int | None, x: Span, y: Span, colour: Colour, texture: float = 0.0) -> None:
        """Fill an upright rectangle."""
        self.fill_polygon(kind, [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], colour, texture)

    def fill_ellipse(self, kind: int | None, centre: Point, radii: Point, colour: Colour, rim: float = 0.0) -> None:
        """Fill an ellipse, or its rim."""
        metre = self.size * self.camera.focal / self.z
        place, seen = self.camera.project(self._find_place(centre)), self.camera.add_haze(colour, self.z)
        self.camera.canvas.fill_ellipse(kind, place, (radii[0] * metre, radii[1] * metre), seen, rim * metre)

    def draw_limb(self, kind: int | None, points: Sequence[Point], wide: float, colour: Colour) -> None:
        """Draw a thick line with round joints and ends."""
        for (x, y), (to_x, to_y) in pairwise(points):
            part = wide / 2 / float(np.hypot(to_x - x, to_y - y))
            dx, dy = part * (y - to_y), part * (to_x - x)
            corners = [(x + dx, y + dy), (to_x + dx, to_y + dy), (to_x - dx, to_y - dy), (x - dx, y - dy)]
            self.fill_polygon(kind, corners, colour)
        for point in points:
            self.fill_ellipse(kind, point, (wide / 2, wide / 2), colour)

    def _find_place(self, point: Point) -> Place:
        across, up = point
        return self.x + self.size * (-across if self.mirrored else across), self.size * up, self.z


def _enlarge(point: Point) -> tuple[int, int]:
    # Whole numbers, so that rounding errors, which differ between machines, change no pixel.
    return round(point[0] * SUPERSAMPLING), round(point[1] * SUPERSAMPLING)


def _draw_stencil(outline: Sequence[tuple[int, int]], box: tuple[int, int, int, int]) -> Image.Image:
    left, top, right, bottom = box
    stencil = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(stencil).polygon([(x - left, y - top) for x, y in outline], fill=255)
    return stencil


def _to_bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, round(part * 255))) for part in colour.tolist())
    return red, green, blue


def _to_image(pixels: npt.NDArray[np.float64]) -> Image.Image:
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))
