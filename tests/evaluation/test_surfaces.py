"""Pictures of losses: the same scales side by side, and what a point says."""

import numpy as np
import pandas as pd
import plotly.io
import pytest

from uncrappify.evaluation.grids import place
from uncrappify.evaluation.surfaces import HIGHEST, draw_contours, draw_path, draw_surfaces


def table(bend: float, points: int = 5) -> pd.DataFrame:
    a, b = (axis.ravel() for axis in np.meshgrid(place(points), place(points)))
    return pd.DataFrame({"a": a, "b": b, "loss": 0.01 * np.exp(bend * (a**2 + b**2 / 2))})


TABLES = {"plain": table(30), "residual": table(2)}


def test_surfaces_have_one_scale_of_height_and_colour() -> None:
    figure = draw_surfaces(TABLES)
    assert [trace.scene for trace in figure.data] == ["scene", "scene2"]
    assert [annotation.text for annotation in figure.layout.annotations] == ["plain", "residual"]
    scenes = figure.layout.scene, figure.layout.scene2
    # From 0.01 to where the surface is cut off, in decimal logarithms.
    # A little room above what is cut off.
    assert [tuple(scene.zaxis.range) for scene in scenes] == [(-2, 4.15)] * 2
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-2, 4)
    assert scenes[0].camera == scenes[1].camera
    assert scenes[0].zaxis.ticktext == ("0.01", "0.1", "1", "10", "100", "1000", "10000")
    assert scenes[0].zaxis.tickvals == (-2, -1, 0, 1, 2, 3, 4)


def test_a_height_is_the_logarithm_of_the_loss_and_the_hover_says_the_loss_that_is_cut_off() -> None:
    plain, residual = draw_surfaces(TABLES).data
    assert residual.z[2][2] == -2
    assert residual.z[2][4] == pytest.approx(np.log10(0.01 * np.exp(2)), abs=1e-4)
    assert residual.z[4][2] == pytest.approx(np.log10(0.01 * np.exp(1)), abs=1e-4)
    assert residual.customdata[2][4] == 0.0272
    assert residual.customdata[4][2] == 0.0739
    assert plain.z[0][0] == np.log10(HIGHEST)
    assert plain.customdata[0][0] == 3.49e17
    assert (plain.x[0], plain.y[-1]) == (-1, 1)


def test_contours_have_the_same_levels_and_a_cross_in_the_middle() -> None:
    figure = draw_contours(TABLES)
    contours = [trace for trace in figure.data if trace.type == "contour"]
    assert [trace.contours.to_plotly_json() for trace in contours] == [{"start": -2, "end": 4, "size": 0.125}] * 2
    assert [trace.coloraxis for trace in contours] == ["coloraxis"] * 2
    assert [(trace.x, trace.y) for trace in figure.data if trace.type == "scatter"] == [((0,), (0,))] * 2
    assert (figure.layout.yaxis.scaleanchor, figure.layout.yaxis2.scaleanchor) == ("x", "x2")


def test_a_path_runs_over_the_contours_of_its_plane() -> None:
    coordinates = np.array([[0.9, 0.5], [0.4, -0.2], [0.0, 0.0]])
    contour, path = draw_path(table(3), coordinates, (0.81, 0.123), [0, 50, 100]).data
    assert contour.z[2][2] == -2
    assert contour.customdata[2][4] == 0.201
    assert (path.x, path.y) == ((0.9, 0.4, 0), (0.5, -0.2, 0))
    assert path.text == ("step 0", "step 50", "step 100")
    figure = draw_path(table(3), coordinates, (0.81, 0.123), [0, 50, 100])
    assert figure.layout.xaxis.title.text == "first principal direction (81.0% of the variance)"
    assert figure.layout.yaxis.title.text == "second principal direction (12.3% of the variance)"


def test_a_flat_surface_has_a_scale_and_one_of_zeros_a_height() -> None:
    flat = table(0).assign(loss=0.0)
    figure = draw_surfaces({"flat": flat})
    assert figure.layout.coloraxis.cmin == -8 < figure.layout.coloraxis.cmax
    assert figure.data[0].z[0][0] == -8


@pytest.mark.parametrize(
    "figure",
    [draw_surfaces(TABLES), draw_contours(TABLES), draw_path(table(3), np.eye(2), (0.5, 0.5), [0, 9])],
    ids=["surfaces", "contours", "path"],
)
def test_a_figure_is_written_as_plain_json_that_older_plotly_js_reads(figure) -> None:
    written = figure.to_json()
    assert "bdata" not in written
    assert len(plotly.io.from_json(written).data) == len(figure.data)
