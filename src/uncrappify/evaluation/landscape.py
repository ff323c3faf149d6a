"""The loss around a network's weights, on a plane through them (Li et al. 2018, Visualizing the loss landscape)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from contextlib import contextmanager
from copy import deepcopy
from itertools import product
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pandas as pd
import psutil
import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import BaseModel, FiniteFloat
from torch import Tensor, nn
from torch.func import functional_call

from uncrappify.atomic import written_whole
from uncrappify.evaluation.grids import Floats
from uncrappify.evaluation.planes import Parameters, Plane
from uncrappify.inference.device import device_type_of
from uncrappify.progress import track
from uncrappify.state import read_lines
from uncrappify.threads import divided_threads

LARGEST_LOSS = float(torch.finfo(torch.float32).max)
"""What a loss counts as whose network has left the range of its numbers."""


@torch.no_grad()
def loss_at(network: nn.Module, parameters: Parameters, pictures: Tensor, labels: Tensor) -> float:
    """Measure the mean cross entropy of a classifier with other weights than its own, which stay as they are.

    Args:
        network: Maps pictures to logits (N, classes). It is put into eval mode, in which batch norm is as trained.
        parameters: Take the place of the network's.
        pictures: (N, C, H, W) in 0..1.
        labels: int64 (N,).

    Returns:
        At least 0; the largest float32 where the logits are no numbers any more.
    """
    logits = functional_call(network.eval(), dict(parameters), (pictures,))
    # In doubles, which tell a loss of 1e-9 from 0.
    loss = float(F.cross_entropy(logits.double(), labels))
    return loss if loss < LARGEST_LOSS else LARGEST_LOSS


class Point(BaseModel):
    """A line of a survey's journal.

    Attributes:
        a: Place on the first axis.
        b: Place on the second.
        loss: What was measured there.
    """

    a: FiniteFloat
    b: FiniteFloat
    loss: FiniteFloat


class Heading(BaseModel):
    """The first line of a survey's journal.

    Attributes:
        fingerprint: Of all that the losses depend on.
    """

    fingerprint: str


def survey(
    network: nn.Module,
    plane: Plane,
    axes: tuple[Floats, Floats],
    samples: tuple[Tensor, Tensor],
    journal: Path,
    description: str,
) -> pd.DataFrame:
    """Measure the loss on a grid of a plane; go on where a survey of the same was stopped.

    Each core measures a point at a time with one thread: of layers of a few channels, that is several times as fast as
    all cores on one point, or as one core on several at once (``torch.func.vmap``).

    Args:
        network: As :func:`loss_at` takes it; stays as it is.
        plane: Through the network's weights.
        axes: Places on the first axis and on the second.
        samples: Pictures and labels, as :func:`loss_at` takes them, on the network's device.
        journal: File that every point is appended to; another survey's is removed.
        description: For the progress bar.

    Returns:
        Columns ``a``, ``b`` and ``loss``, a row a point, ``a`` changing first.
    """
    first, second = ([float(value) for value in axis] for axis in axes)
    places = [(a, b) for b, a in product(second, first)]
    losses = _reopen(journal, _fingerprint(network, plane, places, samples))
    missing = [place for place in places if place not in losses]
    # Convolutions of few channels want the channels of a pixel side by side.
    pictures, labels = samples[0].contiguous(memory_format=torch.channels_last), samples[1]

    def measure(network: nn.Module, place: tuple[float, float]) -> Point:
        loss = loss_at(network, plane.at(*place), pictures, labels)
        return Point(a=place[0], b=place[1], loss=loss)

    with journal.open("a", encoding="utf-8") as file, _measured(network, measure, missing) as points:
        for point in track(points, description, len(missing)):
            # At once, so that a killed survey has lost what was being measured, and no more.
            print(point.model_dump_json(), file=file, flush=True)
            losses[point.a, point.b] = point.loss
    return pd.DataFrame([(a, b, losses[a, b]) for a, b in places], columns=["a", "b", "loss"])


Place = tuple[float, float]


@contextmanager
def _measured(
    network: nn.Module, measure: Callable[[nn.Module, Place], Point], places: list[Place]
) -> Iterator[Iterator[Point]]:
    """Measure points on all cores, and give each as it is done; in the end, leave out what has not begun."""
    on_cpu = device_type_of(network) == "cpu"
    workers = (psutil.cpu_count(logical=False) or 1) if on_cpu else 1
    # Calling a network with other weights puts these into it for a while: each thread has a network of its own.
    networks: SimpleQueue[nn.Module] = SimpleQueue()
    for _ in range(workers):
        networks.put(deepcopy(network))

    def work(place: Place) -> Point:
        own = networks.get()
        try:
            return measure(own, place)
        finally:
            networks.put(own)

    with divided_threads(workers) as pool:
        yield (future.result() for future in as_completed([pool.submit(work, place) for place in places]))


_Line: Any = Heading | Point


def _reopen(journal: Path, fingerprint: str) -> dict[Place, float]:
    """Leave a journal with its heading and the points that are whole, and give these; of another survey, none."""
    heading = Heading(fingerprint=fingerprint)
    lines = read_lines(journal, _Line)
    points = [line for line in lines[1:] if isinstance(line, Point)] if lines[:1] == [heading] else []
    with written_whole(journal) as path:
        # What a killed process left of its last line must not be continued by the next one.
        path.write_text("".join(line.model_dump_json() + "\n" for line in [heading, *points]), encoding="utf-8")
    return {(point.a, point.b): point.loss for point in points}


def _fingerprint(network: nn.Module, plane: Plane, places: list[Place], samples: tuple[Tensor, Tensor]) -> str:
    digest = hashlib.sha256(f"{[type(module).__qualname__ for module in network.modules()]} {places}".encode())
    tensors = [*samples]
    for part in (plane.centre, plane.first, plane.second, dict(network.named_buffers())):
        digest.update(f"{list(part)}".encode())
        tensors += part.values()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
