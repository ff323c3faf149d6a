"""Seeded damage of files, and the count of what was tried and what survived."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

Mutation = Callable[[bytes, np.random.Generator], bytes]


@dataclass
class Tally:
    """How many attacks of a kind were tried, and which of them were not survived.

    Attributes:
        kind: What was attacked.
        tried: How many attacks.
        failures: A line for each that was not survived.
        seconds: The longest of them.
    """

    kind: str
    tried: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, name: str, attempt: Callable[[], str | None]) -> None:
        """Try one.

        Args:
            name: Of the attack.
            attempt: Does it, and gives what is wrong, or None; an exception is wrong too.
        """
        started = time.perf_counter()
        try:
            wrong = attempt()
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        self.tried += 1
        self.seconds = max(self.seconds, time.perf_counter() - started)
        if wrong:
            self.failures.append(f"{name}: {wrong}")

    @property
    def survived(self) -> int:
        """How many did no harm."""
        return self.tried - len(self.failures)


def _flip(content: bytes, random: np.random.Generator) -> bytes:
    damaged = bytearray(content)
    for place in random.integers(0, len(damaged), random.integers(1, 4)):
        damaged[place] ^= 1 << int(random.integers(8))
    return bytes(damaged)


def _zero_tail(content: bytes, random: np.random.Generator) -> bytes:
    kept = int(random.integers(len(content)))
    return content[:kept] + bytes(len(content) - kept)


def _zero_middle(content: bytes, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(content) + 1, 2))
    return content[:first] + bytes(int(last - first)) + content[last:]


def _repeat(content: bytes, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(content) + 1, 2))
    return content[:last] + content[first:last] + content[last:]


#: Ways in which disks, networks and killed programs damage a file that is not empty.
MUTATIONS: dict[str, Mutation] = {
    "cut": lambda content, random: content[: int(random.integers(len(content)))],
    "emptied": lambda content, _: content[:0],
    "a few bits flipped": _flip,
    "zeroed tail": _zero_tail,
    "zeroed middle": _zero_middle,
    "a part twice": _repeat,
    "a part missing": lambda content, _: content[: len(content) // 3] + content[len(content) // 2 :],
    "garbage": lambda content, random: random.bytes(len(content)),
    "garbage appended": lambda content, random: content + random.bytes(64),
}


def mutate(content: bytes, seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Damage a file in many ways, in turn.

    Args:
        content: The sound file, at least one byte.
        seed: Of the random choices.
        count: How many damaged files.

    Yields:
        Name of the way, and the damaged content, which is never the sound one.
    """
    random = np.random.default_rng(seed)
    ways = list(MUTATIONS.items())
    for number in range(count):
        way, damage = ways[number % len(ways)]
        damaged = damage(content, random)
        yield way, damaged if damaged != content else content[:-1]
