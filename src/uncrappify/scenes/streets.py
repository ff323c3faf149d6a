"""Street scenes that the project draws itself, with the class of every pixel: something to segment without a download.

A camera looks along a street. Light, haze, perspective, colours, textures and positions are random, so that neither
colour nor position gives the class away: a wall, a car and a coat may have the same red, and a road in the sun is as
bright as a pavement in the shade. What tells classes apart is shape, texture and context. Nothing is so far away that
it would be thinner than two pixels, because no mask is exact at that size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from uncrappify.scenes.canvas import Camera, Canvas, Colour, Place, Point, Span
from uncrappify.scenes.street_things import BUILDING, CLASSES, FENCE, PAVEMENT, ROAD, SKY, TREE, Things

__all__ = ["CLASSES", "HEIGHT", "STYLE", "WIDTH", "draw_street"]

WIDTH, HEIGHT = 192, 144
#: Version of the drawing: raised with every change that makes the scene of a seed look different.
STYLE = 1
#: Focal length in pixels: a horizontal field of view of 60 degrees.
FOCAL = 0.87 * WIDTH
#: Distance in metres at which the street ends, and at which it starts (below the picture's lower edge).
END, START = 90.0, 2.0

HEDGE = np.array([0.3, 0.4, 0.25])
SKIES = np.array([[0.55, 0.72, 0.95], [0.85, 0.87, 0.9], [0.6, 0.62, 0.66], [0.95, 0.75, 0.6]])
WALLS = np.array(
    [
        [0.62, 0.36, 0.28],
        [0.86, 0.79, 0.64],
        [0.7, 0.7, 0.68],
        [0.76, 0.6, 0.42],
        [0.9, 0.9, 0.88],
        [0.48, 0.54, 0.62],
        [0.82, 0.62, 0.58],
        [0.42, 0.34, 0.3],
        [0.6, 0.66, 0.56],
    ]
)


class _Kind(NamedTuple):
    """How many of a kind of thing there are at most, where they stand, and their size; all in metres."""

    draw: Callable[[float, float], None]
    most: int
    on_road: bool
    distance: Span
    half_width: float
    length: float
    height: float


class _Standing(NamedTuple):
    """A thing at its position, in metres."""

    kind: _Kind
    x: float
    z: float


def draw_street(seed: int) -> tuple[Image.Image, Image.Image]:
    """Draw a scene.

    Args:
        seed: The same seed gives the same scene, byte for byte, on every machine with the same NumPy and Pillow.

    Returns:
        The picture (RGB) and its mask (L, index into ``CLASSES``), 192x144 pixels.
    """
    random = np.random.default_rng(seed)
    canvas = Canvas(WIDTH, HEIGHT, random)
    _Street(canvas, random).draw()
    return canvas.photograph()


class _Street:
    """A street, drawn from far to near; x is measured from the camera, which may be left or right of the middle."""

    def __init__(self, canvas: Canvas, random: np.random.Generator) -> None:
        self.canvas, self.random = canvas, random
        self.sky = np.asarray(random.dirichlet(np.full(4, 0.5)) @ SKIES)
        self.camera = Camera(
            canvas,
            vanishing_point=(random.uniform(0.35, 0.65) * WIDTH, random.uniform(0.38, 0.5) * HEIGHT),
            height=random.uniform(2.1, 3.0),
            focal=FOCAL,
            haze=random.uniform(0.0, 0.5),
            haze_colour=self.sky,
        )
        # Half of the road's width, the pavements' width, and the road's middle.
        self.road, self.pavement = random.uniform(2.7, 4.2), random.uniform(2.4, 3.8)
        self.middle = random.uniform(-1.2, 1.2)
        # How far a shadow reaches to the right for each metre of height, and how dark it is (0 to 1).
        self.sun, self.dusk = random.uniform(-1.2, 1.2), random.uniform(0.0, 0.55)
        bright, dark = random.uniform(0.95, 1.2), random.uniform(0.55, 0.85)
        self.things = Things(self.camera, random, sides=(bright, dark) if self.sun > 0 else (dark, bright))

    def draw(self) -> None:
        """Draw the whole scene."""
        self.canvas.fill_background(
            SKY, self.sky * self.random.uniform(0.65, 1.0), self.sky, clouds=self.random.uniform(0, 1)
        )
        self._draw_ground()
        self._draw_marks()
        standing = self._place_things()
        # Every shadow lies on the ground before anything stands on it.
        self._draw_shadows(standing)
        self._draw_skyline()
        for side in (-1, 1):
            self._draw_houses(side)
            if self.random.random() < 0.7:
                self._draw_fence(side)
        for thing in sorted(standing, key=lambda thing: -thing.z):
            thing.kind.draw(thing.x, thing.z)

    # The ground.

    def _draw_ground(self) -> None:
        camera, things = self.camera, self.things
        camera.fill_ground(PAVEMENT, (-400, 400), (START, 400), things.pick_grey(0.3, 0.8, 0.05), texture=0.2)
        joint = things.pick_grey(0.2, 0.5)
        for side in (-1, 1):
            edges = self._edge(side, 0), self._edge(side, self.pavement)
            for z in 1.22 ** np.arange(3, 15):
                camera.fill_ground(PAVEMENT, edges, (float(z), float(z) + 0.1), joint)
            for part in (0.35, 0.7):
                x = self._edge(side, part * self.pavement)
                camera.fill_ground(PAVEMENT, (x - 0.04, x + 0.04), (START, 20), joint)
        road = (self._edge(-1, 0), self._edge(1, 0))
        camera.fill_ground(ROAD, road, (START, END), things.pick_grey(0.2, 0.6), texture=0.22, grain=2)
        # The kerb belongs to the pavement, and its shadow to the road.
        kerb = things.pick_grey(0.5, 0.9)
        for side in (-1, 1):
            camera.fill_ground(PAVEMENT, (self._edge(side, 0), self._edge(side, 0.28)), (START, END), kerb, texture=0.1)
            camera.fill_ground(ROAD, (self._edge(side, 0), self._edge(side, -0.1)), (START, END), kerb * 0.3)

    def _draw_marks(self) -> None:
        """Draw a dashed or solid line in the middle, lines along the kerb, and a crossing."""
        paint, camera = self.things.pick_grey(0.75, 1.0), self.camera
        kind = self.random.random()
        if kind < 0.6:
            for z in np.arange(self.random.uniform(2, 5), 60, 5.0):
                camera.fill_ground(ROAD, (self.middle - 0.09, self.middle + 0.09), (float(z), float(z) + 2.4), paint)
        elif kind < 0.8:
            camera.fill_ground(ROAD, (self.middle - 0.09, self.middle + 0.09), (START, END), paint)
        if self.random.random() < 0.4:
            for side in (-1, 1):
                edge = self._edge(side, -0.5)
                camera.fill_ground(ROAD, (edge - 0.07, edge + 0.07), (START, END), paint)
        if self.random.random() < 0.35:
            near = self.random.uniform(7, 16)
            for x in np.arange(self._edge(-1, -0.3), self._edge(1, -0.6), 0.9):
                camera.fill_ground(ROAD, (float(x), float(x) + 0.45), (near, near + 2.5), paint, texture=0.1)

    def _draw_shadows(self, standing: list[_Standing]) -> None:
        if abs(self.sun) > 0.5:
            side = -1 if self.sun > 0 else 1
            reach, end = self._edge(side, self.pavement) + self.sun * self.random.uniform(2, 9), END
            while end > START:
                start = max(START, end - self.random.uniform(8, 30))
                self._shade([(self._edge(side, 9), start), (reach, start), (reach, end), (self._edge(side, 9), end)])
                end = start - self.random.uniform(0, 8)
        for (_, _, _, _, half, length, tall), x, z in standing:
            far, fall = z + length, self.sun * tall
            self._shade([(x - half, z), (x + half, z), (x + half + fall, far + 0.2 * tall), (x - half + fall, far)])
            # The ground right below a thing is dark even without sun.
            below = [(x - half, 0.0, z - 0.15), (x + half, 0.0, z - 0.15), (x + half, 0.0, far), (x - half, 0.0, far)]
            self.canvas.shade([self.camera.project(place) for place in below], 0.5)

    def _shade(self, corners: list[Point]) -> None:
        self.canvas.shade([self.camera.project((x, 0.0, z)) for x, z in corners], self.dusk)

    # What stands along the street.

    def _draw_skyline(self) -> None:
        """Draw houses and trees beyond the street's end, so that no gap shows the sky at the horizon."""
        x = -110.0
        while x < 110:
            wide, tall = self.random.uniform(8, 22), self.random.uniform(4, 16)
            trees = self.random.random() < 0.3
            back = [(x, 0.0, 110.0), (x + wide, 0.0, 110.0), (x + wide, tall, 110.0), (x, tall, 110.0)]
            self.camera.fill_polygon(
                TREE if trees else BUILDING, back, HEDGE if trees else self._pick_wall(), texture=0.25
            )
            x += wide

    def _draw_houses(self, side: int) -> None:
        """Draw a row of houses from the street's end to the camera, with gaps."""
        far = END
        while far > START + 2:
            near = max(START, far - self.random.uniform(7, 15))
            if self.random.random() < 0.88:
                self._draw_house(side, near, far)
            far = near - (self.random.uniform(2, 6) if self.random.random() < 0.35 else 0)

    def _draw_house(self, side: int, near: float, far: float) -> None:
        camera, random = self.camera, self.random
        line, back = self._edge(side, self.pavement), self._edge(side, self.pavement + 9)
        tall, wall = random.uniform(3.5, 12), self._pick_wall()
        camera.draw_box(
            BUILDING, (min(line, back), max(line, back)), (0, tall), (near, far), wall, self.things.sides, 0.18
        )
        if random.random() < 0.6:
            ridge, top = (line + back) / 2, tall + random.uniform(1.5, 3.5)
            tiles = self._pick_wall() * 0.65
            slope = [(line, tall, near), (line, tall, far), (ridge, top, far), (ridge, top, near)]
            camera.fill_polygon(BUILDING, slope, tiles, texture=0.25)
            gable = [(line, tall, near), (back, tall, near), (ridge, top, near)]
            camera.fill_polygon(BUILDING, gable, wall * 0.9, texture=0.18)
        if near < 45:
            self._draw_windows(line, near, far, tall, wall)

    def _draw_windows(self, x: float, near: float, far: float, tall: float, wall: Colour) -> None:
        """Draw rows of windows with frames, and a door."""
        random, camera = self.random, self.camera
        floors = max(1, round(tall / random.uniform(2.8, 3.4)))
        columns = max(2, round((far - near) / random.uniform(2, 3.5)))
        glass, frame = self.things.pick_grey(0.1, 0.55, 0.08), (wall * 1.3).clip(0, 1)
        step, storey, door = (far - near) / columns, tall / floors, random.integers(columns)

        def pane(column: int, across: Span, up: Span, colour: Colour) -> None:
            start, end = (near + (column + part) * step for part in across)
            corners: list[Place] = [(x, up[0], start), (x, up[0], end), (x, up[1], end), (x, up[1], start)]
            camera.fill_polygon(BUILDING, corners, colour)

        for column in range(columns):
            for floor in range(floors):
                low, high = (floor + 0.32) * storey, (floor + 0.82) * storey
                if floor == 0 and column == door:
                    pane(column, (0.25, 0.7), (0.0, high), glass * 0.6)
                    continue
                pane(column, (0.2, 0.8), (low - 0.12, high + 0.12), frame)
                pane(column, (0.26, 0.74), (low, high), glass * random.uniform(0.7, 1.3))

    def _draw_fence(self, side: int) -> None:
        """Draw a fence of bars or boards along the street; what is seen through its gaps has the class fence."""
        random, camera, x = self.random, self.camera, self._edge(side, self.pavement - 0.25)
        near, tall, colour = random.uniform(4.5, 8), random.uniform(1.1, 1.8), self.things.pick_colour(0.15, 0.9, 0.5)
        far = near + random.uniform(5, 9)
        light = self.things.sides[side < 0]

        def board(z: Span, y: Span, paint: Colour | None) -> None:
            corners: list[Place] = [(x, y[0], z[0]), (x, y[1], z[0]), (x, y[1], z[1]), (x, y[0], z[1])]
            camera.fill_polygon(FENCE, corners, paint)

        board((near, far), (0.0, tall), None)
        step, share = random.choice([0.4, 0.55]), random.uniform(0.65, 0.95)
        for z in np.arange(near, far, step):
            board((float(z), float(z) + share * step), (0.0, tall), colour * light * random.uniform(0.85, 1.1))
        for low in (0.15, tall - 0.25):
            board((near, far), (low, low + 0.18), colour * light * 0.8)

    # Places.

    def _place_things(self) -> list[_Standing]:
        """Place things in view without overlap; a thing that finds no free place in 12 attempts is left out."""
        things = self.things
        kinds = [
            _Kind(things.draw_tree, 3, False, (8, 22), 0.9, 1.0, 4.0),
            _Kind(things.draw_pole, 3, False, (5, 11), 0.2, 0.3, 5.0),
            _Kind(things.draw_sign, 2, False, (5, 10), 0.5, 0.3, 2.5),
            _Kind(things.draw_car, 3, True, (6, 18), 1.0, 4.4, 1.2),
            _Kind(things.draw_walker, 3, False, (5, 9), 0.35, 0.5, 1.7),
            _Kind(things.draw_walker, 1, True, (5, 9), 0.35, 0.5, 1.7),
            _Kind(things.draw_cyclist, 2, True, (5, 9), 0.9, 0.5, 1.7),
        ]
        standing: list[_Standing] = []
        for kind in kinds:
            for _ in range(self.random.integers(kind.most + 1)):
                candidates = (self._pick_place(kind) for _ in range(12))
                standing += [place for place in candidates if self._is_free(place, standing)][:1]
        return standing

    def _pick_place(self, kind: _Kind) -> _Standing:
        near, far = kind.distance
        if kind.on_road:
            room = self.road - kind.half_width - 0.15
            x = self.middle + self.random.uniform(-room, room)
        else:
            x = self._edge(1 if self.random.random() < 0.5 else -1, self.random.uniform(0.5, self.pavement - 0.6))
        # Uniform in 1 / z, that is, in the size at which things are seen.
        return _Standing(kind, x, 1 / self.random.uniform(1 / far, 1 / near))

    def _is_free(self, place: _Standing, standing: list[_Standing]) -> bool:
        if not 0.04 < self.camera.project((place.x, 0.0, place.z))[0] / WIDTH < 0.96:
            return False
        return all(
            abs(place.x - other.x) > place.kind.half_width + other.kind.half_width
            or place.z > other.z + other.kind.length
            or other.z > place.z + place.kind.length
            for other in standing
        )

    def _edge(self, side: int, beyond: float) -> float:
        """Return the x of a line along the street, ``beyond`` metres outside the road's edge."""
        return self.middle + side * (self.road + beyond)

    def _pick_wall(self) -> Colour:
        return self.things.pick(WALLS) * self.random.uniform(0.65, 1.1)
