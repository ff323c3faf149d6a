"""What stands in a drawn street, each a few shapes on the stage: trees, poles, signs, cars, people, cyclists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uncrappify.scenes.canvas import Colour, Flat, Point, Span, Stage

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
    """Draws things onto a stage, each at a place ``x`` metres to the right and ``z`` away, no two alike.

    Args:
        stage: What they are drawn onto.
        random: Where sizes and colours come from.
        sides: How light walls and cars are on their left and right side, as a share of their front.
    """

    stage: Stage
    random: np.random.Generator
    sides: Span

    def tree(self, x: float, z: float) -> None:
        """A trunk under a round crown, or under a pointed one."""
        flat, random = Flat(self.stage, x, z), self.random
        crown, wide = random.uniform(2.6, 4.5), random.uniform(1.1, 1.8)
        bark = np.array([0.36, 0.28, 0.2]) * random.uniform(0.5, 1.4)
        flat.rectangle(TREE, (-0.2, 0.2), (0, crown), bark, texture=0.3)
        leaves = self.pick(LEAVES) * random.uniform(0.7, 1.25)
        if random.random() < 0.25:
            tiers = ((1.2, 1.0, 0.75), (2.4, 0.8, 0.9), (3.6, 0.55, 1.05))
            for low, share, light in tiers:
                half = share * wide
                flat.polygon(TREE, [(-half, low), (half, low), (0, low + 2.6)], leaves * light, texture=0.55)
            return
        for light, low in ((0.62, -0.35), (0.85, 0.0), (1.1, 0.4)):
            for _ in range(5):
                dx, dy = random.uniform(-0.6, 0.6) * wide, (random.uniform(-0.35, 0.35) + low) * wide
                self._clump(flat, (dx, crown + dy), random.uniform(0.45, 0.6) * wide, leaves * light)

    def pole(self, x: float, z: float) -> None:
        """A street lamp, whose arm reaches over the street, or a bare pole."""
        flat, random = Flat(self.stage, x, z, mirrored=x > 0), self.random
        colour, half, tall = self.grey(0.1, 0.75), random.uniform(0.17, 0.22), random.uniform(4.2, 6.5)
        flat.rectangle(POLE, (-half, half), (0, tall), colour)
        flat.rectangle(POLE, (-1.5 * half, 1.5 * half), (0, 0.8), colour * 0.8)
        if random.random() < 0.65:
            reach = random.uniform(0.9, 1.8)
            flat.rectangle(POLE, (-half, reach), (tall - 2 * half, tall), colour)
            flat.rectangle(POLE, (reach - 0.2, reach + 0.5), (tall - 0.34, tall), colour * 1.3)

    def sign(self, x: float, z: float) -> None:
        """A round, pointed or square traffic sign, a board with a name, or traffic lights; its post is a pole."""
        flat, random = Flat(self.stage, x, z), self.random
        foot, size = random.uniform(1.7, 2.6), random.uniform(0.45, 0.62)
        flat.rectangle(POLE, (-0.15, 0.15), (0, foot + size), self.grey(0.25, 0.75))
        colour, inner, middle = self.colour(0.35, 0.9, 1.0), self.grey(0.75, 1.0), foot + size
        match random.integers(5):
            case 0:
                flat.ellipse(SIGN, (0, middle), (size, size), colour)
                flat.ellipse(SIGN, (0, middle), (0.65 * size, 0.65 * size), inner)
            case 1:
                for part, paint in ((1.15, colour), (0.6, inner)):
                    low, half = middle - 0.6 * part * size, part * size
                    flat.polygon(SIGN, [(-half, low), (half, low), (0, low + 1.75 * half)], paint)
            case 2:
                flat.rectangle(SIGN, (-size, size), (middle - size, middle + size), colour)
                flat.rectangle(SIGN, (-0.4 * size, 0.4 * size), (middle - 0.6 * size, middle + 0.6 * size), inner)
            case 3:
                flat.rectangle(SIGN, (-2 * size, 2 * size), (middle - 0.7 * size, middle + 0.7 * size), colour)
                for row in (-0.3, 0.25):
                    line, end = middle + row * size, random.uniform(0.3, 1.6) * size
                    flat.rectangle(SIGN, (-1.6 * size, end), (line, line + 0.2 * size), inner)
            case _:
                flat.rectangle(SIGN, (-0.6 * size, 0.6 * size), (foot, foot + 3.2 * size), BLACK)
                lit = random.integers(3)
                for number, lamp in enumerate((GREEN, AMBER, RED)):
                    light = lamp if number == lit else lamp * 0.3
                    flat.ellipse(SIGN, (0, foot + (0.6 + number) * size), (0.4 * size, 0.4 * size), light)

    def car(self, x: float, z: float) -> None:
        """A car or a van that drives away on the right, and comes on the left."""
        random, stage = self.random, self.stage
        paint = self.colour(0.15, 0.95, 0.9)
        glass = np.array([0.2, 0.26, 0.32]) * random.uniform(0.5, 2.0)
        van = random.random() < 0.25
        roof, shoulder, bonnet = (2.0, 1.05, 0.1) if van else (1.48, 0.88, 0.7)
        for wheel in (z + 3.4, z + 0.8):
            self._side_wheel(x, wheel)
        for half in (-0.68, 0.68):
            Flat(stage, x + half, z + 0.1).rectangle(CAR, (-0.14, 0.14), (0, 0.5), RUBBER)
        stage.box(CAR, (x - 0.9, x + 0.9), (0.25, shoulder), (z, z + 4.2), paint, self.sides)
        cabin = (z + bonnet, z + 3.9)
        stage.box(CAR, (x - 0.85, x + 0.85), (shoulder, roof), cabin, paint, self.sides, slant=(0.16, 0.45))
        self._panes(x, (shoulder, roof), z + bonnet, glass)
        flat = Flat(stage, x, z)
        flat.rectangle(CAR, (-0.9, 0.9), (0.25, 0.42), paint * 0.45)
        flat.rectangle(CAR, (-0.26, 0.26), (0.46, 0.6), WHITE)
        for half in (-0.68, 0.68):
            flat.rectangle(CAR, (half - 0.16, half + 0.16), (shoulder - 0.28, shoulder - 0.1), RED if x > 0 else WHITE)

    def walker(self, x: float, z: float) -> None:
        """Somebody who stands or walks."""
        random = self.random
        flat, stride = Flat(self.stage, x, z, size=random.uniform(0.9, 1.1)), random.uniform(0.05, 0.32)
        coat, trousers = self.colour(0.1, 0.95, 0.9), self.colour(0.08, 0.6, 0.6)
        hem = random.choice([0.85, 0.5])
        for sign, light in ((-1, 0.8), (1, 1.0)):
            leg = [(0.09 * sign, 0.9), (0.12 * sign + 0.4 * stride * sign, 0.5), (0.09 * sign + stride * sign, 0.08)]
            flat.limb(PEDESTRIAN, leg, 0.19, trousers * light)
        body = [(-0.27, hem), (0.27, hem), (0.27, 1.42), (-0.27, 1.42)]
        flat.polygon(PEDESTRIAN, body, coat, texture=0.15)
        for sign in (-1, 1):
            arm = [(0.28 * sign, 1.36), (0.36 * sign, 1.1), ((0.34 + 0.5 * stride) * sign, 0.85)]
            flat.limb(PEDESTRIAN, arm, 0.14, coat * 0.8)
        self._head(flat, PEDESTRIAN, 0.0, 1.6)

    def cyclist(self, x: float, z: float) -> None:
        """Somebody on a bicycle, seen from the side; what is seen through a wheel belongs to it."""
        random = self.random
        flat = Flat(self.stage, x, z, mirrored=random.random() < 0.5)
        frame, coat, trousers = self.colour(0.2, 0.9, 1.0), self.colour(0.1, 0.95, 0.9), self.colour(0.08, 0.6, 0.6)
        for hub in (-0.55, 0.55):
            flat.ellipse(BICYCLIST, (hub, 0.36), (0.36, 0.36), RUBBER, rim=0.1)
        flat.limb(BICYCLIST, [(-0.55, 0.36), (0.0, 0.36), (-0.2, 0.9), (-0.55, 0.36)], 0.1, frame)
        flat.limb(BICYCLIST, [(0.0, 0.36), (0.42, 0.85), (-0.17, 0.8)], 0.1, frame)
        flat.limb(BICYCLIST, [(0.55, 0.36), (0.4, 1.05), (0.52, 1.08)], 0.1, frame)
        pedal = random.uniform(0.15, 0.4)
        flat.limb(BICYCLIST, [(-0.18, 1.0), (0.22, 0.75), (0.05, pedal)], 0.2, trousers)
        flat.limb(BICYCLIST, [(-0.18, 1.02), (0.12, 1.5)], 0.36, coat)
        flat.limb(BICYCLIST, [(0.16, 1.48), (0.3, 1.2), (0.5, 1.1)], 0.14, coat * 0.8)
        self._head(flat, BICYCLIST, 0.25, 1.78)

    # Parts.

    def _clump(self, flat: Flat, centre: Point, radius: float, leaves: Colour) -> None:
        angles = np.linspace(0, 2 * np.pi, 11)[:-1]
        radii = radius * self.random.uniform(0.8, 1.2, len(angles))
        edge = [
            (centre[0] + float(away * np.cos(angle)), centre[1] + float(away * np.sin(angle)))
            for angle, away in zip(angles, radii, strict=True)
        ]
        flat.polygon(TREE, edge, leaves, texture=0.55)

    def _side_wheel(self, x: float, z: float) -> None:
        side = x - 0.9 if x > 0 else x + 0.9
        turn = np.linspace(0, 2 * np.pi, 13)[:-1]
        rim = [(side, 0.36 + 0.36 * float(np.sin(angle)), z + 0.36 * float(np.cos(angle))) for angle in turn]
        self.stage.polygon(CAR, rim, RUBBER)

    def _panes(self, x: float, y: Span, z: float, glass: Colour) -> None:
        """The windscreen and the windows on the side that is seen of a cabin that starts at ``z``."""

        def corner(across: float, up: float, away: float) -> tuple[float, float, float]:
            return x + across * (0.85 - 0.16 * up), y[0] + (y[1] - y[0]) * up, z + 0.45 * up + away

        screen = [corner(-0.85, 0.12, 0), corner(0.85, 0.12, 0), corner(0.85, 0.85, 0), corner(-0.85, 0.85, 0)]
        self.stage.polygon(CAR, screen, glass)
        if abs(x) > 0.9:
            side = -1.0 if x > 0 else 1.0
            for start, end in ((0.4, 1.3), (1.5, 2.3)):
                edges = ((0.12, start), (0.12, end), (0.85, end), (0.85, start))
                self.stage.polygon(CAR, [corner(side, up, away) for up, away in edges], glass * 0.8)

    def _head(self, flat: Flat, kind: int, x: float, y: float) -> None:
        hair = np.array([0.3, 0.22, 0.15]) * self.random.uniform(0.2, 2.5)
        flat.ellipse(kind, (x, y + 0.04), (0.17, 0.19), hair)
        flat.ellipse(kind, (x + 0.02, y - 0.03), (0.14, 0.15), self.pick(SKINS))

    # Colours.

    def pick(self, palette: Colour) -> Colour:
        """One of a palette's colours, a little off."""
        return np.asarray(palette[self.random.integers(len(palette))] + self.random.uniform(-0.05, 0.05, 3)).clip(0, 1)

    def grey(self, low: float, high: float, tint: float = 0.04) -> Colour:
        """A grey between two, with a tint."""
        return np.asarray(self.random.uniform(low, high) + self.random.uniform(-tint, tint, 3)).clip(0, 1)

    def colour(self, low: float, high: float, saturation: float) -> Colour:
        """Any colour between two lightnesses."""
        value, pure = self.random.uniform(low, high), self.random.dirichlet(np.ones(3)) * 3
        return np.asarray(value * (1 + self.random.uniform(0, saturation) * (pure - 1))).clip(0, 1)
