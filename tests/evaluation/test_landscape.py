"""The loss on a plane of weights: what is measured, and that a killed survey goes on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uncrappify.evaluation import landscape
from uncrappify.evaluation.grids import place
from uncrappify.evaluation.landscape import LARGEST_LOSS, loss_at, survey
from uncrappify.evaluation.planes import Plane, draw_directions, read_parameters
from uncrappify.models.classifiers import Deep

PICTURES = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(16) % 10
AXES = (place(5), place(3))
Survey = Callable[..., pd.DataFrame]


def make_network() -> Deep:
    torch.manual_seed(0)
    network = Deep(in_channels=1, out_channels=10, mean=[0.3], std=[0.4], layers=8)
    # Running statistics of its own, as after a training.
    network.train()(PICTURES)
    return network


def make_plane(network: nn.Module, seed: int = 1) -> Plane:
    parameters = read_parameters(network)
    return Plane(parameters, *draw_directions(parameters, seed))


@pytest.fixture
def measured(tmp_path: Path) -> Survey:
    """Survey a small grid around a small network; what is not given is the same each time."""

    def run(
        network: nn.Module | None = None, seed: int = 1, labels: Tensor = LABELS, axes: tuple = AXES
    ) -> pd.DataFrame:
        network = network or make_network()
        return survey(network, make_plane(network, seed), axes, (PICTURES, labels), tmp_path / "survey.jsonl", "plain")

    return run


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect what is measured."""
    losses: list[float] = []

    def counted(*given: object) -> float:
        losses.append(loss_at(*given))  # type: ignore[arg-type]
        return losses[-1]

    monkeypatch.setattr(landscape, "loss_at", counted)
    return losses


def plain_loss(network: nn.Module) -> float:
    with torch.no_grad():
        return float(F.cross_entropy(network.eval()(PICTURES).double(), LABELS))


def test_the_loss_in_the_middle_is_the_plain_evaluation(measured: Survey) -> None:
    table = measured()
    assert list(zip(table["b"], table["a"], strict=True)) == [(b, a) for b in AXES[1] for a in AXES[0]]
    middle = table[(table["a"] == 0) & (table["b"] == 0)]["loss"].item()
    assert middle == pytest.approx(plain_loss(make_network()), rel=1e-5)


def test_each_point_is_the_evaluation_of_a_network_with_its_weights(measured: Survey) -> None:
    table = measured()
    plane = make_plane(make_network())
    for a, b, loss in table.itertuples(index=False):
        network = make_network()
        network.load_state_dict(plane.at(a, b), strict=False)
        assert loss == pytest.approx(plain_loss(network), rel=1e-5)
    assert table["loss"].nunique() == 15


def test_a_survey_leaves_network_and_threads_as_they_were(measured: Survey) -> None:
    network, threads = make_network(), torch.get_num_threads()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    measured(network)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert torch.get_num_threads() == threads


def test_other_weights_have_the_loss_without_changing_the_network() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    flat = {"1.weight": torch.zeros(10, 64), "1.bias": torch.zeros(10)}
    kept = network[1].weight.clone()
    assert loss_at(network, flat, PICTURES, LABELS) == pytest.approx(np.log(10))
    flat["1.bias"] = torch.tensor([25.0] + [0.0] * 9)
    # One class is sure of itself beyond what float32 tells from 1.
    assert loss_at(network, flat, PICTURES[:1], LABELS[:1]) == pytest.approx(9 * np.exp(-25), rel=1e-4)
    flat["1.bias"] = torch.full((10,), float("inf"))
    assert loss_at(network, flat, PICTURES, LABELS) == LARGEST_LOSS
    assert torch.equal(network[1].weight, kept)


@pytest.mark.parametrize("cut", ["between lines", "in a line"])
def test_a_killed_survey_goes_on_at_the_missing_points_and_ends_with_the_same_table(
    measured: Survey, count: list[float], tmp_path: Path, cut: str
) -> None:
    whole = measured()
    assert len(count) == 15
    journal = tmp_path / "survey.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    assert len(lines) == 16
    journal.write_text("".join(lines[:7]) + (lines[7][:-9] if cut == "in a line" else ""))
    pd.testing.assert_frame_equal(measured(), whole, check_exact=True)
    assert len(count) == 15 + 9
    assert sorted(journal.read_text().splitlines()) == sorted("".join(lines).splitlines())
    pd.testing.assert_frame_equal(measured(), whole, check_exact=True)
    assert len(count) == 15 + 9


def test_an_interrupted_survey_keeps_what_it_has_measured(
    measured: Survey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[int] = []

    def stumble(*given: object) -> float:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return loss_at(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(landscape, "loss_at", stumble)
    with pytest.raises(KeyboardInterrupt):
        measured()
    monkeypatch.undo()
    kept = len((tmp_path / "survey.jsonl").read_text().splitlines()) - 1
    assert 0 < kept < 15
    assert len(measured()) == 15


@pytest.mark.parametrize("other", ["weights", "statistics", "directions", "grid", "samples"])
def test_the_journal_of_another_survey_is_removed(
    measured: Survey, count: list[float], tmp_path: Path, other: str
) -> None:
    measured()
    network, changes = make_network(), {}
    if other == "weights":
        with torch.no_grad():
            network.body[0].weight[0, 0, 0, 0] += 1e-3
    elif other == "statistics":
        network.body[1].running_mean[0] += 1e-3
    elif other == "directions":
        changes = {"seed": 2}
    elif other == "grid":
        changes = {"axes": (place(5), place(5))}
    else:
        changes = {"labels": LABELS.roll(1)}
    points = 25 if other == "grid" else 15
    assert len(measured(network, **changes)) == points
    assert len(count) == 15 + points
    assert len((tmp_path / "survey.jsonl").read_text().splitlines()) == 1 + points
