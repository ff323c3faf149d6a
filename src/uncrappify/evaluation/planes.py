"""Planes through a network's weights: along two random directions, or along those that its training took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uncrappify.evaluation.grids import Floats

Parameters = Mapping[str, Tensor]
"""Name of each parameter of a network to its value; no buffers."""

MARGIN = 0.2
"""Of the extent of a path, on each side of it."""


@dataclass(frozen=True)
class Plane:
    """A plane in the space of all weights: ``centre + a * first + b * second``.

    Args:
        centre: Weights of a network.
        first: A direction, of the same names and shapes.
        second: Another one.
    """

    centre: Parameters
    first: Parameters
    second: Parameters

    def at(self, a: float, b: float) -> dict[str, Tensor]:
        """Give the weights at a point, always from the centre: what is added and taken away again leaves a rest."""
        return {name: value + a * self.first[name] + b * self.second[name] for name, value in self.centre.items()}


def read_parameters(network: nn.Module) -> dict[str, Tensor]:
    """Give a network's parameters, without their gradients; they change with the network."""
    return {name: parameter.detach() for name, parameter in network.named_parameters()}


def draw_directions(parameters: Parameters, seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Draw two random directions, each filter as long as the network's own (Li et al. 2018, section 4).

    ``d <- d / (|d| + 1e-10) * |theta|`` for every slice of a weight along its first dimension: an output channel of a
    convolution, a row of a linear layer. What has one dimension (biases, batch norm) stays where it is. The draw
    depends on seed, names and shapes alone: networks that have these in common get one draw, each with its own lengths.

    Args:
        parameters: Of the network.
        seed: Of the draw.
    """
    random = torch.Generator().manual_seed(seed)
    first, second = ({name: _draw(value, random) for name, value in parameters.items()} for _ in range(2))
    return first, second


def _draw(value: Tensor, random: torch.Generator) -> Tensor:
    if value.dim() < 2:
        return torch.zeros_like(value)
    # On the CPU whatever the device, so that the draw is the same; in the weight's own layout, which is the faster one.
    drawn = torch.empty_like(value).copy_(torch.randn(value.shape, generator=random))
    dimensions = tuple(range(1, value.dim()))
    length = torch.linalg.vector_norm(drawn, dim=dimensions, keepdim=True)
    drawn *= torch.linalg.vector_norm(value, dim=dimensions, keepdim=True) / (length + 1e-10)
    return drawn


def cosine(first: Parameters, second: Parameters) -> float:
    """Give the cosine of the angle between two directions, -1 to 1; near 0 for random ones of many dimensions."""
    return float(F.cosine_similarity(_flatten(first, first), _flatten(second, first), dim=0))


def _flatten(parameters: Parameters, names: Parameters) -> Tensor:
    """Line all values up in the order of ``names``, as doubles: sums of many squares are taken of them."""
    return torch.cat([parameters[name].detach().cpu().double().flatten() for name in names])


@dataclass(frozen=True)
class Path2D:
    """A training's path through the space of all weights, as it is seen on the plane where it moves most.

    Args:
        plane: Through the weights at the end, along two directions of length 1.
        coordinates: Of each step on the plane (steps, 2).
        shares: Of the path's variance, along each of the two directions; 0 to 1.
    """

    plane: Plane
    coordinates: Floats
    shares: tuple[float, float]

    def axes(self, points: int) -> tuple[Floats, Floats]:
        """Place so many points on each axis that enclose the path and the weights at the end."""
        enclosed = np.vstack([self.coordinates, np.zeros(2)])
        low, high = enclosed.min(0), enclosed.max(0)
        margin = MARGIN * np.where(high > low, high - low, 1)
        return tuple(np.linspace(low - margin, high + margin, points).T)


def project_path(path: Sequence[Parameters], final: Parameters) -> Path2D:
    """Project a training's path on its two principal directions (Li et al. 2018, section 7).

    Args:
        path: The weights at each step, two or more.
        final: The weights at the end, those of a delivered average or of the last step.

    Raises:
        ValueError: If the path has fewer than two steps.
    """
    if len(path) < 2:
        raise ValueError("a path has two steps or more")
    end = _flatten(final, final)
    steps = (torch.stack([_flatten(step, final) for step in path]) - end).numpy()
    _, sizes, directions = np.linalg.svd(steps - steps.mean(0), full_matrices=False)
    # A principal direction has no sign: the path comes from the positive side.
    directions = directions[:2] * np.where(directions[:2] @ steps[0] < 0, -1, 1)[:, None]
    variances = sizes**2
    shares = variances[:2] / variances.sum() if variances.any() else np.zeros(2)
    first, second = (_unflatten(direction, final) for direction in directions)
    return Path2D(Plane(final, first, second), steps @ directions.T, (float(shares[0]), float(shares[1])))


def _unflatten(values: Floats, like: Parameters) -> dict[str, Tensor]:
    parts = torch.split(torch.from_numpy(values), [value.numel() for value in like.values()])
    return {
        name: torch.empty_like(value).copy_(part.view(value.shape))
        for (name, value), part in zip(like.items(), parts, strict=True)
    }
