"""The things in a drawn street, each made of a few shapes: trees, poles, signs, cars, people, cyclists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uncrappify.scenes.canvas import Camera, Colour, Plane, Point, Span

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
SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(len(CLASSES))

BLACK, WHITE, RUBBER = np.full(3, 0.08), np.full(3, 0.95), np.full(3, 0.12)
LEAVES = np.array([[0.24, 0.45, 0.16], [0.4, 0.55, 0.2], [0.14, 0.32, 0.17], [0.62, 0.44, 0.16], [0.3, 0.42, 0.28]])
SKINS = np.array([[0.95, 0.78, 0.66], [0.8, 0.6, 0.45], [0.5, 0.34, 0.24]])
RED, AMBER, GREEN = np.array([0.95, 0.12, 0.1]), np.array([1.0, 0.7, 0.1]), np.array([0.1, 0.85, 0.4])


@dataclass(frozen=True)
class Things:
    """Draws things, no two alike, each ``x`` metres to the right of the camera and ``z`` metres away.

    Args:
        camera: Projects them onto the canvas.
        random: Source of sizes and colours.
        sides: Brightness of the left and right sides of walls and cars, relative to their front.
    """

    camera: Camera
    random: np.random.Generator
    sides: Span

    def draw_tree(self, x: float, z: float) -> None:
        """Draw a trunk under a round or a pointed crown."""
        plane, random = Plane(self.camera, x, z), self.random
        crown, wide = random.uniform(2.6, 4.5), random.uniform(1.1, 1.8)
        bark = np.array([0.36, 0.28, 0.2]) * random.uniform(0.5, 1.4)
        plane.fill_rectangle(TREE, (-0.2, 0.2), (0, crown), bark, texture=0.3)
        leaves = self.pick(LEAVES) * random.uniform(0.7, 1.25)
        if random.random() < 0.25:
            tiers = ((1.2, 1.0, 0.75), (2.4, 0.8, 0.9), (3.6, 0.55, 1.05))
            for low, share, light in tiers:
                half = share * wide
                plane.fill_polygon(TREE, [(-half, low), (half, low), (0, low + 2.6)], leaves * light, texture=0.55)
            return
        for light, low in ((0.62, -0.35), (0.85, 0.0), (1.1, 0.4)):
            for _ in range(5):
                dx, dy = random.uniform(-0.6, 0.6) * wide, (random.uniform(-0.35, 0.35) + low) * wide
                self._draw_clump(plane, (dx, crown + dy), random.uniform(0.45, 0.6) * wide, leaves * light)

    def draw_pole(self, x: float, z: float) -> None:
        """Draw a street lamp, whose arm reaches over the street, or a bare pole."""
        plane, random = Plane(self.camera, x, z, mirrored=x > 0), self.random
        colour, half, tall = self.pick_grey(0.1, 0.75), random.uniform(0.17, 0.22), random.uniform(4.2, 6.5)
        plane.fill_rectangle(POLE, (-half, half), (0, tall), colour)
        plane.fill_rectangle(POLE, (-1.5 * half, 1.5 * half), (0, 0.8), colour * 0.8)
        if random.random() < 0.65:
            reach = random.uniform(0.9, 1.8)
            plane.fill_rectangle(POLE, (-half, reach), (tall - 2 * half, tall), colour)
            plane.fill_rectangle(POLE, (reach - 0.2, reach + 0.5), (tall - 0.34, tall), colour * 1.3)

    def draw_sign(self, x: float, z: float) -> None:
        """Draw a round, pointed or square traffic sign, a name board, or traffic lights; the post is a pole."""
        plane, random = Plane(self.camera, x, z), self.random
        foot, size = random.uniform(1.7, 2.6), random.uniform(0.45, 0.62)
        plane.fill_rectangle(POLE, (-0.15, 0.15), (0, foot + size), self.pick_grey(0.25, 0.75))
        colour, inner, middle = self.pick_colour(0.35, 0.9, 1.0), self.pick_grey(0.75, 1.0), foot + size
        match random.integers(5):
            case 0:
                plane.fill_ellipse(SIGN, (0, middle), (size, size), colour)
                plane.fill_ellipse(SIGN, (0, middle), (0.65 * size, 0.65 * size), inner)
            case 1:
                for part, paint in ((1.15, colour), (0.6, inner)):
                    low, half = middle - 0.6 * part * size, part * size
                    plane.fill_polygon(SIGN, [(-half, low), (half, low), (0, low + 1.75 * half)], paint)
            case 2:
                plane.fill_rectangle(SIGN, (-size, size), (middle - size, middle + size), colour)
                plane.fill_rectangle(SIGN, (-0.4 * size, 0.4 * size), (middle - 0.6 * size, middle + 0.6 * size), inner)
            case 3:
                plane.fill_rectangle(SIGN, (-2 * size, 2 * size), (middle - 0.7 * size, middle + 0.7 * size), colour)
                for row in (-0.3, 0.25):
                    line, end = middle + row * size, random.uniform(0.3, 1.6) * size
                    plane.fill_rectangle(SIGN, (-1.6 * size, end), (line, line + 0.2 * size), inner)
            case _:
                plane.fill_rectangle(SIGN, (-0.6 * size, 0.6 * size), (foot, foot + 3.2 * size), BLACK)
                lit = random.integers(3)
                for number, lamp in enumerate((GREEN, AMBER, RED)):
                    light = lamp if number == lit else lamp * 0.3
                    plane.fill_ellipse(SIGN, (0, foot + (0.6 + number) * size), (0.4 * size, 0.4 * size), light)

    def draw_car(self, x: float, z: float) -> None:
        """Draw a car or a van, seen from behind on the right and from the front on the left."""
        random, camera = self.random, self.camera
        paint = self.pick_colour(0.15, 0.95, 0.9)
        glass = np.array([0.2, 0.26, 0.32]) * random.uniform(0.5, 2.0)
        van = random.random() < 0.25
        roof, shoulder, bonnet = (2.0, 1.05, 0.1) if van else (1.48, 0.88, 0.7)
        for wheel in (z + 3.4, z + 0.8):
            self._draw_side_wheel(x, wheel)
        for half in (-0.68, 0.68):
            Plane(camera, x + half, z + 0.1).fill_rectangle(CAR, (-0.14, 0.14), (0, 0.5), RUBBER)
        camera.draw_box(CAR, (x - 0.9, x + 0.9), (0.25, shoulder), (z, z + 4.2), paint, self.sides)
        cabin = (z + bonnet, z + 3.9)
        camera.draw_box(CAR, (x - 0.85, x + 0.85), (shoulder, roof), cabin, paint, self.sides, slant=(0.16, 0.45))
        self._draw_panes(x, (shoulder, roof), z + bonnet, glass)
        plane = Plane(camera, x, z)
        plane.fill_rectangle(CAR, (-0.9, 0.9), (0.25, 0.42), paint * 0.45)
        plane.fill_rectangle(CAR, (-0.26, 0.26), (0.46, 0.6), WHITE)
        for half in (-0.68, 0.68):
            plane.fill_rectangle(
                CAR, (half - 0.16, half + 0.16), (shoulder - 0.28, shoulder - 0.1), RED if x > 0 else WHITE
            )

    def draw_walker(self, x: float, z: float) -> None:
        """Draw a pedestrian who stands or walks."""
        random = self.random
        plane, stride = Plane(self.camera, x, z, size=random.uniform(0.9, 1.1)), random.uniform(0.05, 0.32)
        coat, trousers = self.pick_colour(0.1, 0.95, 0.9), self.pick_colour(0.08, 0.6, 0.6)
        hem = random.choice([0.85, 0.5])
        for sign, light in ((-1, 0.8), (1, 1.0)):
            leg = [(0.09 * sign, 0.9), (0.12 * sign + 0.4 * stride * sign, 0.5), (0.09 * sign + stride * sign, 0.08)]
            plane.draw_limb(PEDESTRIAN, leg, 0.19, trousers * light)
        body = [(-0.27, hem), (0.27, hem), (0.27, 1.42), (-0.27, 1.42)]
        plane.fill_polygon(PEDESTRIAN, body, coat, texture=0.15)
        for sign in (-1, 1):
            arm = [(0.28 * sign, 1.36), (0.36 * sign, 1.1), ((0.34 + 0.5 * stride) * sign, 0.85)]
            plane.draw_limb(PEDESTRIAN, arm, 0.14, coat * 0.8)
        self._draw_head(plane, PEDESTRIAN, 0.0, 1.6)

    def draw_cyclist(self, x: float, z: float) -> None:
        """Draw a cyclist from the side; what is seen through a wheel has the class of the cyclist."""
        random = self.random
        plane = Plane(self.camera, x, z, mirrored=random.random() < 0.5)
        frame, coat, trousers = (
            self.pick_colour(0.2, 0.9, 1.0),
            self.pick_colour(0.1, 0.95, 0.9),
            self.pick_colour(0.08, 0.6, 0.6),
        )
        for hub in (-0.55, 0.55):
            plane.fill_ellipse(BICYCLIST, (hub, 0.36), (0.36, 0.36), RUBBER, rim=0.1)
        plane.draw_limb(BICYCLIST, [(-0.55, 0.36), (0.0, 0.36), (-0.2, 0.9), (-0.55, 0.36)], 0.1, frame)
        plane.draw_limb(BICYCLIST, [(0.0, 0.36), (0.42, 0.85), (-0.17, 0.8)], 0.1, frame)
        plane.draw_limb(BICYCLIST, [(0.55, 0.36), (0.4, 1.05), (0.52, 1.08)], 0.1, frame)
        pedal = random.uniform(0.15, 0.4)
        plane.draw_limb(BICYCLIST, [(-0.18, 1.0), (0.22, 0.75), (0.05, pedal)], 0.2, trousers)
        plane.draw_limb(BICYCLIST, [(-0.18, 1.02), (0.12, 1.5)], 0.36, coat)
        plane.draw_limb(BICYCLIST, [(0.16, 1.48), (0.3, 1.2), (0.5, 1.1)], 0.14, coat * 0.8)
        self._draw_head(plane, BICYCLIST, 0.25, 1.78)

    # Parts.

    def _draw_clump(self, plane: Plane, centre: Point, radius: float, leaves: Colour) -> None:
        angles = np.linspace(0, 2 * np.pi, 11)[:-1]
        radii = radius * self.random.uniform(0.8, 1.2, len(angles))
        edge = [
            (centre[0] + float(away * np.cos(angle)), centre[1] + float(away * np.sin(angle)))
            for angle, away in zip(angles, radii, strict=True)
        ]
        plane.fill_polygon(TREE, edge, leaves, texture=0.55)

    def _draw_side_wheel(self, x: float, z: float) -> None:
        side = x - 0.9 if x > 0 else x + 0.9
        turn = np.linspace(0, 2 * np.pi, 13)[:-1]
        rim = [(side, 0.36 + 0.36 * float(np.sin(angle)), z + 0.36 * float(np.cos(angle))) for angle in turn]
        self.camera.fill_polygon(CAR, rim, RUBBER)

    def _draw_panes(self, x: float, y: Span, z: float, glass: Colour) -> None:
        """Draw the windscreen and the visible side windows of a cabin that starts at ``z``."""

        def corner(across: float, up: float, away: float) -> tuple[float, float, float]:
            return x + across * (0.85 - 0.16 * up), y[0] + (y[1] - y[0]) * up, z + 0.45 * up + away

        screen = [corner(-0.85, 0.12, 0), corner(0.85, 0.12, 0), corner(0.85, 0.85, 0), corner(-0.85, 0.85, 0)]
        self.camera.fill_polygon(CAR, screen, glass)
        if abs(x) > 0.9:
            side = -1.0 if x > 0 else 1.0
            for start, end in ((0.4, 1.3), (1.5, 2.3)):
                edges = ((0.12, start), (0.12, end), (0.85, end), (0.85, start))
                self.camera.fill_polygon(CAR, [corner(side, up, away) for up, away in edges], glass * 0.8)

    def _draw_head(self, plane: Plane, kind: int, x: float, y: float) -> None:
        hair = np.array([0.3, 0.22, 0.15]) * self.random.uniform(0.2, 2.5)
        plane.fill_ellipse(kind, (x, y + 0.04), (0.17, 0.19), hair)
        plane.fill_ellipse(kind, (x + 0.02, y - 0.03), (0.14, 0.15), self.pick(SKINS))

    # Colours.

    def pick(self, palette: Colour) -> Colour:
        """Pick a random colour of a palette, slightly varied."""
        return np.asarray(palette[self.random.integers(len(palette))] + self.random.uniform(-0.05, 0.05, 3)).clip(0, 1)

    def pick_grey(self, low: float, high: float, tint: float = 0.04) -> Colour:
        """Pick a random grey between two brightnesses in 0..1, with a slight tint."""
        return np.asarray(self.random.uniform(low, high) + self.random.uniform(-tint, tint, 3)).clip(0, 1)

    def pick_colour(self, low: float, high: float, saturation: float) -> Colour:
        """Pick a random colour between two brightnesses in 0..1."""
        value, pure = self.random.uniform(low, high), self.random.dirichlet(np.ones(3)) * 3
        return np.asarray(value * (1 + self.random.uniform(0, saturation) * (pure - 1))).clip(0, 1)
