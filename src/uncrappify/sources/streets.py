"""Street scenes that the project draws itself, with the class of every pixel: something to segment without a download.

A camera looks along a street. Light, haze, perspective, colours, textures and what stands where are drawn at random,
so that colour and place say little: a wall, a car and a coat may have the same red, a road in the sun is as bright
as a pavement in the shade. What tells them apart is shape, texture and what is next to what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

#: In the order of CamVid's eleven classes (Brostow et al. 2009; Badrinarayanan et al. 2017).
CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
WIDTH, HEIGHT = 192, 144
#: Raised with every change that makes the scene of a seed look different.
STYLE = 1
#: Everything is drawn so many times larger and made smaller in the end: edges get the mixed pixels of a real picture.
LARGER = 3

Points = Sequence[tuple[float, float]]
Colour = npt.NDArray[np.float64]


def draw_street(seed: int) -> tuple[Image.Image, Image.Image]:
    """Draw a scene.

    Args:
        seed: The same seed gives the same scene.

    Returns:
        The picture (RGB) and its mask (L, index into ``CLASSES``), 192x144 pixels.
    """
    return _Scene(np.random.default_rng(seed)).finished()


@dataclass
class _Scene:
    """A canvas of colours and one of classes, which every shape is drawn onto alike, the farthest first."""

    random: np.random.Generator
    colours: Image.Image = field(init=False)
    classes: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        size = (WIDTH * LARGER, HEIGHT * LARGER)
        self.colours, self.classes = Image.new("RGB", size), Image.new("L", size)
        # Of the picture's height and width: where the street vanishes.
        self.horizon = self.random.uniform(0.38, 0.52)
        self.vanishing = self.random.uniform(0.3, 0.7)
        # How the street widens: its edges at the lower border, and the pavements'.
        self.road = (self.vanishing - self.random.uniform(0.45, 0.75), self.vanishing + self.random.uniform(0.45, 0.75))
        self.pavement = self.random.uniform(0.25, 0.5)
        self.haze = self.random.uniform(0.0, 0.5)
        self.sky_colour = self._sky_colour()
        self._draw()

    def finished(self) -> tuple[Image.Image, Image.Image]:
        """Light the scene, add shadow, noise and blur, and make it as small as it should be."""
        picture = self.colours.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
        mask = self.classes.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)
        pixels = np.asarray(picture, dtype=np.float64) / 255
        pixels *= self._light()[..., None]
        pixels *= 1 + self.random.uniform(-0.12, 0.12, 3)
        pixels = np.clip(pixels, 0, 1) ** self.random.uniform(0.75, 1.3)
        blurred = Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(self.random.uniform(0, 0.7))
        )
        noisy = np.asarray(blurred) + self.random.normal(0, self.random.uniform(1, 7), (HEIGHT, WIDTH, 3))
        return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), mask

    # The scene, from far to near.

    def _draw(self) -> None:
        self._sky()
        self._ground()
        for side in (-1, 1):
            self._row_of_buildings(side)
        things = [self._tree, self._pole, self._sign, self._fence, self._car, self._pedestrian, self._bicyclist]
        counts = self.random.poisson([3.0, 2.5, 2.2, 1.4, 2.4, 3.2, 1.2])
        placed = [
            (self.random.beta(1.3, 1.5), thing)
            for thing, count in zip(things, counts, strict=True)
            for _ in range(max(1, count) if self.random.random() < 0.9 else count)
        ]
        for nearness, thing in sorted(placed, key=lambda entry: entry[0]):
            thing(0.12 + 0.85 * nearness)

    def _sky(self) -> None:
        top = self.sky_colour * self.random.uniform(0.7, 1.0)
        rows = np.linspace(0, 1, HEIGHT * LARGER)[:, None, None] ** 0.8
        pixels = np.broadcast_to(top + (self.sky_colour - top) * rows, (HEIGHT * LARGER, WIDTH * LARGER, 3))
        clouds = self._texture(24, 0.25) * self.random.uniform(0, 1)
        self.colours.paste(_image(pixels + clouds[..., None]))
        self.classes.paste(CLASSES.index("sky"), (0, 0, *self.classes.size))

    def _ground(self) -> None:
        below = self.horizon
        ground = [(-0.1, below), (1.1, below), (1.1, 1.1), (-0.1, 1.1)]
        self._shape("pavement", ground, self._grey(0.25, 0.75, 0.06), texture=0.12, grain=2)
        road = [(self.vanishing, below), (self.vanishing, below), (self.road[1], 1.0), (self.road[0], 1.0)]
        self._shape("road", road, self._grey(0.18, 0.6, 0.04), texture=0.08, grain=3)
        # The kerb belongs to the pavement, and the lines to the road.
        for edge in self.road:
            wide = [(self.vanishing, below), (edge - 0.03, 1.0), (edge + 0.03, 1.0)]
            self._shape("pavement", wide, self._grey(0.4, 0.8, 0.03), texture=0.05, grain=2)
        middle = sum(self.road) / 2
        if self.random.random() < 0.7:
            for start in np.arange(0.05, 1.0, 0.16):
                ends = [self._between(middle, depth) for depth in (start, min(1, start + 0.08))]
                half = 0.012
                line = [
                    (ends[0][0] - half * start, ends[0][1]),
                    (ends[0][0] + half * start, ends[0][1]),
                    (ends[1][0] + half * (start + 0.08), ends[1][1]),
                    (ends[1][0] - half * (start + 0.08), ends[1][1]),
                ]
                self._shape("road", line, np.full(3, self.random.uniform(0.7, 0.95)))

    def _row_of_buildings(self, side: int) -> None:
        """Walls beside the street, each a quadrangle that gets smaller towards the vanishing point."""
        edge = self.road[0] - self.pavement if side < 0 else self.road[1] + self.pavement
        depth = 0.08
        while depth < 1.3:
            end = depth * self.random.uniform(1.35, 1.9)
            if self.random.random() < 0.85:
                tall = self.random.uniform(0.5, 1.3)
                corners = [self._between(edge, min(part, 3)) for part in (depth, end)]
                roofs = [
                    (x, y - tall * part * (1.1 - self.horizon) * 1.2)
                    for (x, y), part in zip(corners, (depth, end), strict=True)
                ]
                colour = self._colour(0.25, 0.85, 0.35)
                wall = [corners[0], corners[1], roofs[1], roofs[0]]
                self._shape("building", wall, self._hazed(colour, depth), texture=0.1, grain=4)
                self._windows(corners, roofs, colour, depth)
            depth = end

    def _windows(self, corners: Points, roofs: Points, wall: Colour, depth: float) -> None:
        colour = self._hazed(wall * self.random.uniform(0.3, 0.6), depth)
        floors, columns = int(self.random.integers(2, 5)), int(self.random.integers(2, 6))

        def place(across: float, up: float) -> tuple[float, float]:
            low = [a + (b - a) * across for a, b in zip(corners[0], corners[1], strict=True)]
            high = [a + (b - a) * across for a, b in zip(roofs[0], roofs[1], strict=True)]
            return low[0] + (high[0] - low[0]) * up, low[1] + (high[1] - low[1]) * up

        for floor in range(floors):
            for column in range(columns):
                left, bottom = (column + 0.25) / columns, (floor + 0.3) / floors
                right, top = left + 0.5 / columns, bottom + 0.45 / floors
                self._shape(
                    "building", [place(left, bottom), place(right, bottom), place(right, top), place(left, top)], colour
                )

    def _tree(self, near: float) -> None:
        x, y = self._beside_the_road(near)
        tall, wide = near * self.random.uniform(0.45, 0.75), near * self.random.uniform(0.12, 0.22)
        trunk = self._hazed(self._colour(0.15, 0.45, 0.3), near)
        half = 0.022 * near
        self._shape("tree", [(x - half, y), (x + half, y), (x + half, y - tall), (x - half, y - tall)], trunk)
        leaves = self._colour(0.15, 0.55, 0.25) + np.array([-0.05, self.random.uniform(0.0, 0.15), -0.08])
        for _ in range(9):
            dx, dy = self.random.normal(0, 0.45 * wide), self.random.normal(0, 0.3 * wide)
            self._ellipse("tree", x + dx, y - tall + dy, wide * 0.62, wide * 0.75, self._hazed(leaves, near), 0.22)

    def _pole(self, near: float) -> None:
        x, y = self._beside_the_road(near)
        half, tall = 0.014 * near + 0.003, near * self.random.uniform(0.65, 1.0)
        colour = self._hazed(self._grey(0.15, 0.8, 0.05), near)
        self._shape("pole", [(x - half, y), (x + half, y), (x + half, y - tall), (x - half, y - tall)], colour)
        if self.random.random() < 0.6:
            # A lamp's arm over the street.
            arm = (1 if x < self.vanishing else -1) * 0.12 * near
            top = y - tall
            self._shape("pole", [(x, top), (x + arm, top), (x + arm, top + 2 * half), (x, top + 2 * half)], colour)

    def _sign(self, near: float) -> None:
        x, y = self._beside_the_road(near)
        half, tall, wide = 0.009 * near + 0.003, near * self.random.uniform(0.3, 0.42), 0.065 * near + 0.012
        post = self._hazed(self._grey(0.3, 0.8, 0.04), near)
        self._shape("pole", [(x - half, y), (x + half, y), (x + half, y - tall), (x - half, y - tall)], post)
        colour, inner = self._colour(0.35, 0.95, 0.9), np.full(3, self.random.uniform(0.75, 1.0))
        top, kind = y - tall, int(self.random.integers(3))
        for size, paint in ((1.0, colour), (0.6, inner)):
            self._plate(x, top, size * wide, self._hazed(paint, near), kind)

    def _plate(self, x: float, y: float, wide: float, colour: Colour, kind: int) -> None:
        tall = wide * WIDTH / HEIGHT
        if kind == 0:
            self._ellipse("sign", x, y, wide, tall, colour)
        elif kind == 1:
            self._shape("sign", [(x - wide, y + tall), (x + wide, y + tall), (x, y - tall)], colour)
        else:
            corners = [(x - wide, y - tall), (x + wide, y - tall), (x + wide, y + tall), (x - wide, y + tall)]
            self._shape("sign", corners, colour)

    def _fence(self, near: float) -> None:
        """Bars between two rails, along the street; what shows between them is drawn as part of it."""
        side = self.random.choice([-1, 1])
        edge = (self.road[0] - 0.12) if side < 0 else (self.road[1] + 0.12)
        ends = [self._between(edge, near), self._between(edge, near * 1.45)]
        tall = 0.22
        colour = self._hazed(self._colour(0.2, 0.85, 0.3), near)
        tops = [(x, y - tall * part) for (x, y), part in zip(ends, (near, near * 1.45), strict=True)]
        self._shape("fence", [ends[0], ends[1], tops[1], tops[0]], colour * 0.55)
        for number in range(13):
            part, width = number / 12, 0.022
            foot = [ends[0][axis] + (ends[1][axis] - ends[0][axis]) * part for axis in (0, 1)]
            foot_end = [ends[0][axis] + (ends[1][axis] - ends[0][axis]) * (part + width) for axis in (0, 1)]
            head = [tops[0][axis] + (tops[1][axis] - tops[0][axis]) * part for axis in (0, 1)]
            head_end = [tops[0][axis] + (tops[1][axis] - tops[0][axis]) * (part + width) for axis in (0, 1)]
            bar = [(p[0], p[1]) for p in (foot, foot_end, head_end, head)]
            self._shape("fence", bar, colour)

    def _car(self, near: float) -> None:
        across = self.random.uniform(0.2, 0.8)
        edge = self.road[0] + (self.road[1] - self.road[0]) * across
        x, y = self._between(edge, near)
        wide, tall = near * self.random.uniform(0.17, 0.24), near * self.random.uniform(0.19, 0.25)
        colour = self._hazed(self._colour(0.1, 0.9, 0.7), near)
        body = [
            (x - wide, y),
            (x + wide, y),
            (x + wide, y - 0.5 * tall),
            (x + 0.66 * wide, y - 0.55 * tall),
            (x + 0.5 * wide, y - tall),
            (x - 0.5 * wide, y - tall),
            (x - 0.66 * wide, y - 0.55 * tall),
            (x - wide, y - 0.5 * tall),
        ]
        # Below it is dark, as below every car, whatever lies there.
        self._shape(
            None,
            [(x - wide, y + 0.05 * tall), (x + wide, y + 0.05 * tall), (x + wide, y), (x - wide, y)],
            np.full(3, 0.08),
        )
        self._shape("car", body, colour, texture=0.05, grain=3)
        glass = self._hazed(np.array([0.15, 0.2, 0.25]) * self.random.uniform(0.6, 2.5), near)
        window = [
            (x - 0.55 * wide, y - 0.58 * tall),
            (x + 0.55 * wide, y - 0.58 * tall),
            (x + 0.43 * wide, y - 0.93 * tall),
            (x - 0.43 * wide, y - 0.93 * tall),
        ]
        self._shape("car", window, glass)
        lamps = np.array([0.9, 0.2, 0.15]) if self.random.random() < 0.5 else np.full(3, 0.9)
        for sign in (-1, 1):
            self._ellipse("car", x + sign * 0.75 * wide, y - 0.37 * tall, 0.13 * wide, 0.07 * tall, lamps)
            wheel = x + sign * 0.72 * wide
            self._ellipse("car", wheel, y - 0.02 * tall, 0.16 * wide, 0.13 * tall, np.full(3, 0.07))

    def _pedestrian(self, near: float) -> None:
        x, y = self._beside_the_road(near) if self.random.random() < 0.75 else self._on_the_road(near)
        self._person("pedestrian", x, y, near * self.random.uniform(0.3, 0.38), near)

    def _bicyclist(self, near: float) -> None:
        x, y = self._on_the_road(near)
        size = near * self.random.uniform(0.26, 0.32)
        frame = self._hazed(self._colour(0.1, 0.7, 0.6), near)
        radius = 0.26 * size
        for sign in (-1, 1):
            centre = x + sign * 0.34 * size
            self._ellipse("bicyclist", centre, y - radius * 1.3, radius, radius * WIDTH / HEIGHT, np.full(3, 0.1))
            self._ellipse(
                "bicyclist", centre, y - radius * 1.3, 0.55 * radius, 0.55 * radius * WIDTH / HEIGHT, frame * 0.8
            )
        bar = [
            (x - 0.3 * size, y - 0.3 * size),
            (x + 0.3 * size, y - 0.3 * size),
            (x + 0.25 * size, y - 0.55 * size),
            (x - 0.25 * size, y - 0.55 * size),
        ]
        self._shape("bicyclist", bar, frame)
        self._person("bicyclist", x, y - 0.3 * size, size, near)

    def _person(self, kind: str, x: float, y: float, tall: float, near: float) -> None:
        coat, trousers, skin = (self._hazed(self._colour(0.1, 0.9, s), near) for s in (0.8, 0.5, 0.0))
        skin = skin * np.array([1.0, 0.78, 0.62])
        wide = 0.16 * tall
        for sign in (-1, 1):
            leg = x + sign * 0.5 * wide
            self._shape(
                kind,
                [
                    (leg - 0.4 * wide, y),
                    (leg + 0.4 * wide, y),
                    (x + sign * 0.9 * wide, y - 0.5 * tall),
                    (x, y - 0.5 * tall),
                ],
                trousers,
            )
        body = [
            (x - wide, y - 0.45 * tall),
            (x + wide, y - 0.45 * tall),
            (x + 1.15 * wide, y - 0.8 * tall),
            (x - 1.15 * wide, y - 0.8 * tall),
        ]
        self._shape(kind, body, coat)
        self._ellipse(kind, x, y - 0.9 * tall, 0.55 * wide, 0.12 * tall, skin)

    # Places.

    def _between(self, edge: float, near: float) -> tuple[float, float]:
        """A place on a line from the vanishing point (near 0) to the lower border (near 1), where it is at ``edge``."""
        return self.vanishing + (edge - self.vanishing) * near, self.horizon + (1 - self.horizon) * near

    def _beside_the_road(self, near: float) -> tuple[float, float]:
        away = self.random.uniform(0.06, max(0.08, self.pavement - 0.05))
        edge = self.road[0] - away if self.random.random() < 0.5 else self.road[1] + away
        return self._between(edge, near)

    def _on_the_road(self, near: float) -> tuple[float, float]:
        return self._between(self.random.uniform(*self.road), near)

    # Paint.

    def _shape(self, kind: str | None, points: Points, colour: Colour, texture: float = 0.0, grain: int = 2) -> None:
        outline = [(x * WIDTH * LARGER, y * HEIGHT * LARGER) for x, y in points]
        stencil = Image.new("L", self.colours.size)
        ImageDraw.Draw(stencil).polygon(outline, fill=255)
        self._paint(kind, stencil, colour, texture, grain)

    def _ellipse(
        self, kind: str, x: float, y: float, wide: float, tall: float, colour: Colour, texture: float = 0.0
    ) -> None:
        box = [(x - wide) * WIDTH, (y - tall) * HEIGHT, (x + wide) * WIDTH, (y + tall) * HEIGHT]
        stencil = Image.new("L", self.colours.size)
        ImageDraw.Draw(stencil).ellipse([LARGER * side for side in box], fill=255)
        self._paint(kind, stencil, colour, texture, 2)

    def _paint(self, kind: str | None, stencil: Image.Image, colour: Colour, texture: float, grain: int) -> None:
        box = stencil.getbbox()
        if box is None:
            return
        part = stencil.crop(box)
        paint = np.broadcast_to(colour, (part.height, part.width, 3))
        if texture:
            paint = paint * (1 + self._texture(grain, texture, (part.height, part.width))[..., None])
        self.colours.paste(_image(paint), box[:2], part)
        if kind:
            self.classes.paste(CLASSES.index(kind), box, part)

    def _texture(self, grain: int, strength: float, size: tuple[int, int] | None = None) -> npt.NDArray[np.float64]:
        """Noise whose spots are ``grain`` of the final pixels wide."""
        height, width = size or (HEIGHT * LARGER, WIDTH * LARGER)
        step = grain * LARGER
        coarse = self.random.normal(0, strength, (height // step + 2, width // step + 2)).astype(np.float32)
        large = Image.fromarray(coarse).resize(
            (coarse.shape[1] * step, coarse.shape[0] * step), Image.Resampling.BILINEAR
        )
        return np.asarray(large, dtype=np.float64)[:height, :width]

    def _light(self) -> npt.NDArray[np.float64]:
        """Sun from one side, and the shadow of a house across the street."""
        across = np.linspace(-1, 1, WIDTH)[None, :] * self.random.uniform(-0.2, 0.2)
        light = np.broadcast_to(self.random.uniform(0.65, 1.1) * (1 + across), (HEIGHT, WIDTH)).copy()
        if self.random.random() < 0.6:
            stencil = Image.new("L", (WIDTH, HEIGHT))
            left, wide = self.random.uniform(-0.3, 0.9), self.random.uniform(0.2, 0.7)
            lean = self.random.uniform(-0.4, 0.4)
            corners = [(left, self.horizon), (left + wide, self.horizon), (left + wide + lean, 1), (left + lean, 1)]
            ImageDraw.Draw(stencil).polygon([(x * WIDTH, y * HEIGHT) for x, y in corners], fill=255)
            soft = np.asarray(stencil.filter(ImageFilter.GaussianBlur(2)), dtype=np.float64) / 255
            light *= 1 - self.random.uniform(0.2, 0.5) * soft
        return light

    def _sky_colour(self) -> Colour:
        kinds = np.array([[0.55, 0.72, 0.95], [0.85, 0.87, 0.9], [0.6, 0.62, 0.66], [0.95, 0.75, 0.6]])
        return np.asarray(self.random.dirichlet(np.full(4, 0.5)) @ kinds)

    def _grey(self, low: float, high: float, tint: float) -> Colour:
        return np.asarray(self.random.uniform(low, high) + self.random.uniform(-tint, tint, 3))

    def _colour(self, low: float, high: float, saturation: float) -> Colour:
        value = self.random.uniform(low, high)
        pure = self.random.dirichlet(np.ones(3)) * 3
        return np.asarray(value * (1 + self.random.uniform(0, saturation) * (pure - 1))).clip(0, 1)

    def _hazed(self, colour: Colour, near: float) -> Colour:
        share = self.haze * max(0.0, 1 - near)
        return np.asarray(colour * (1 - share) + self.sky_colour * share)


def _image(pixels: npt.NDArray[np.float64]) -> Image.Image:
    return Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8))
