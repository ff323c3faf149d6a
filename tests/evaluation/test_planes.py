"""Directions through weights: random ones of each filter's length, and those of a training's path."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from uncrappify.evaluation.planes import Plane, cosine, draw_directions, project_path, read_parameters
from uncrappify.models.classifiers import Deep


def deep(*, residual: bool, layers: int = 20, seed: int = 0) -> Deep:
    torch.manual_seed(seed)
    return Deep(in_channels=1, out_channels=10, mean=[0.3], std=[0.4], layers=layers, residual=residual)


def test_each_filter_of_a_direction_is_as_long_as_the_networks_own() -> None:
    parameters = read_parameters(deep(residual=True))
    for direction in draw_directions(parameters, seed=1):
        assert direction.keys() == parameters.keys()
        for name, value in parameters.items():
            drawn = direction[name]
            assert (drawn.shape, drawn.dtype) == (value.shape, value.dtype)
            if value.dim() < 2:
                assert not drawn.any()
            else:
                lengths = [tensor.flatten(1).norm(dim=1).numpy() for tensor in (drawn, value)]
                assert lengths[0] == pytest.approx(lengths[1], rel=1e-5)


def test_a_filter_of_zeros_stays_one() -> None:
    first, _ = draw_directions({"weight": torch.tensor([[0.0, 0.0], [3.0, 4.0]])}, seed=0)
    assert first["weight"][0].tolist() == [0, 0]
    assert float(first["weight"][1].norm()) == pytest.approx(5)


def test_one_draw_fits_the_plain_and_the_residual_net() -> None:
    plain, residual = (read_parameters(deep(residual=kind, seed=kind)) for kind in (False, True))
    for mine, theirs in zip(draw_directions(plain, seed=3), draw_directions(residual, seed=3), strict=True):
        for name, value in mine.items():
            if value.dim() > 1:
                # The same way, each as long as its own net's filter.
                ways = [torch.nn.functional.normalize(tensor.flatten(1)) for tensor in (value, theirs[name])]
                assert torch.allclose(*ways, atol=1e-6)
                assert not torch.allclose(value, theirs[name])


def test_the_draw_is_the_seeds_whatever_layout_the_weights_have() -> None:
    network = deep(residual=True)
    drawn = draw_directions(read_parameters(network), seed=1)
    again = draw_directions(read_parameters(network.to(memory_format=torch.channels_last)), seed=1)
    other = draw_directions(read_parameters(network), seed=2)
    name = "body.3.convolutions.0.weight"
    for mine, same, different in zip(drawn, again, other, strict=True):
        assert torch.allclose(mine[name], same[name])
        assert not torch.allclose(mine[name], different[name])
    assert again[0][name].is_contiguous(memory_format=torch.channels_last)


def test_two_draws_are_nearly_orthogonal() -> None:
    first, second = draw_directions(read_parameters(deep(residual=True)), seed=1)
    assert abs(cosine(first, second)) < 0.05
    assert cosine(first, first) == pytest.approx(1)
    assert cosine(first, {name: -2 * value for name, value in first.items()}) == pytest.approx(-1)
    assert cosine({"a": torch.tensor([1.0, 0])}, {"a": torch.tensor([3.0, 4.0])}) == pytest.approx(0.6)


def test_a_point_of_a_plane_is_reached_from_its_centre() -> None:
    plane = Plane(*({"w": torch.tensor([value, 1.0])} for value in (1.0, 10.0, 100.0)))
    assert plane.at(0.5, -2)["w"].tolist() == [1 + 5 - 200, 1 + 0.5 - 2]
    assert plane.at(0, 0)["w"].tolist() == plane.centre["w"].tolist() == [1, 1]


def path_in_a_plane(steps: int = 12) -> tuple[list[dict[str, Tensor]], dict[str, Tensor], np.ndarray]:
    """A spiral to the end along two orthogonal directions of a space of 3 x 4 + 5 dimensions."""
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.normal(size=(17, 2)))[0].T
    angle = np.linspace(0, 4, steps)
    places = np.stack([3 * (1 - angle / 4) * np.cos(angle), (1 - angle / 4) * np.sin(angle)], axis=1)
    end = random.normal(size=17)

    def shape(values: np.ndarray) -> dict[str, Tensor]:
        return {"w": torch.tensor(values[:12].reshape(3, 4)).float(), "b": torch.tensor(values[12:]).float()}

    return [shape(end + place @ basis) for place in places], shape(end), places


def test_a_path_in_a_plane_is_found_again_with_all_its_variance() -> None:
    path, final, places = path_in_a_plane()
    projected = project_path(path, final)
    assert sum(projected.shares) == pytest.approx(1, abs=1e-6)
    assert projected.shares[0] > projected.shares[1] > 0
    # Distances on the plane are those in the space of weights, and the end is the origin.
    assert np.linalg.norm(projected.coordinates, axis=1) == pytest.approx(np.linalg.norm(places, axis=1), abs=1e-5)
    for step, (a, b) in zip(path, projected.coordinates, strict=True):
        reached = projected.plane.at(a, b)
        assert all(torch.allclose(reached[name], value, atol=1e-5) for name, value in step.items())
    assert abs(cosine(projected.plane.first, projected.plane.second)) < 1e-6


def test_directions_and_shares_are_scikit_learns() -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=(9, 6)) * [5, 1, 3, 1, 1, 1]
    path = [{"w": torch.tensor(step.reshape(2, 3))} for step in values]
    projected = project_path(path, path[-1])
    pca = PCA(2).fit(values)
    assert projected.shares == pytest.approx(pca.explained_variance_ratio_)
    for mine, theirs in zip((projected.plane.first, projected.plane.second), pca.components_, strict=True):
        assert abs(mine["w"].flatten().numpy() @ theirs) == pytest.approx(1)
    assert projected.coordinates[-1] == pytest.approx([0, 0])
    assert (projected.coordinates[0] > 0).all()


def test_the_axes_enclose_the_path_and_its_end() -> None:
    path, final, _ = path_in_a_plane()
    projected = project_path(path[:4], final)
    for axis, places in zip(projected.axes(7), projected.coordinates.T, strict=True):
        assert len(axis) == 7
        assert axis[0] < min(0, places.min())
        assert axis[-1] > max(0, places.max())


def test_a_path_that_does_not_move_has_a_plane_and_one_step_has_none() -> None:
    still = {"w": torch.ones(2, 3)}
    projected = project_path([still, still], still)
    assert projected.shares == (0, 0)
    assert projected.coordinates.tolist() == [[0, 0], [0, 0]]
    assert [axis.tolist() for axis in projected.axes(3)] == [pytest.approx([-0.2, 0, 0.2])] * 2
    with pytest.raises(ValueError, match="two steps"):
        project_path([still], still)
