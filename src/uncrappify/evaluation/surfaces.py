"""Pictures of the loss around networks: surfaces, contours, and the way that a training took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from uncrappify.evaluation.grids import SMALLEST_LOSS, Floats, arrange, take_log

if TYPE_CHECKING:
    from plotly.graph_objects import Contour, Figure

HIGHEST = 10_000.0
"""Losses are drawn up to here: what explodes at the rim would leave the rest of a surface without relief."""

LEVELS_A_DECADE = 8
"""Contour lines between a loss and ten times that."""

# Seen on white and on the dark page of kedro-viz.
TEXT, GRID, PATH = "#808890", "rgba(128, 128, 128, 0.35)", "#e8710a"
COLOURS = "Viridis"


def draw_surfaces(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw loss surfaces side by side, with one scale of height and colour: the logarithm of the loss.

    Args:
        tables: Name of each network to its table, as :func:`~uncrappify.evaluation.grids.arrange` takes it.

    Returns:
        A 3-D figure; a point shows its loss, also where the surface is cut off (:data:`HIGHEST`).
    """
    from plotly.graph_objects import Surface
    from plotly.subplots import make_subplots

    grids = {name: arrange(table) for name, table in tables.items()}
    low, high = _range(losses for _, _, losses in grids.values())
    figure = make_subplots(
        cols=len(grids), subplot_titles=list(grids), specs=[[{"type": "scene"}] * len(grids)], horizontal_spacing=0.02
    )
    for column, (name, (a, b, losses)) in enumerate(grids.items(), start=1):
        surface = Surface(
            x=a.tolist(),
            y=b.tolist(),
            z=_heights(losses).tolist(),
            coloraxis="coloraxis",
            # Of surfaces, and of nothing else, plotly.js looks this up by column and row.
            **_hover(name, losses.T),
        )
        # Lines of equal loss on the surface: colours alone do not show a small dent.
        surface.contours.z = {"show": True, "start": low, "end": high, "size": 0.25, "color": GRID, "width": 1}
        figure.add_trace(surface, 1, column)
    plain = {"showbackground": False, "gridcolor": GRID, "zerolinecolor": GRID, "color": TEXT}
    figure.update_scenes(
        xaxis={"title": "a", "nticks": 5, **plain},
        yaxis={"title": "b", "nticks": 5, **plain},
        # Its colour tells a height; words at the side of a scene would be cut off.
        zaxis={
            "title": "",
            # With room above: what is cut off lies in a plane, which the box's lid would flicker through.
            "range": [low, high + (high - low) / 40],
            **_ticks(low, high),
            **plain,
            "showticklabels": False,
        },
        aspectmode="manual",
        aspectratio={"x": 1, "y": 1, "z": 0.75},
        # From above, so that a hollow shows its floor, and far enough for half of a page.
        camera={"eye": {"x": 1.4, "y": -1.4, "z": 1.0}, "center": {"x": 0, "y": 0, "z": -0.12}},
    )
    return _dress(figure, low, high)


def draw_contours(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw loss surfaces side by side as contours, with the same levels: evenly spaced in the logarithm of the loss.

    Args:
        tables: As :func:`draw_surfaces` takes them.

    Returns:
        A figure with one square for each network; a cross stands at its own weights.
    """
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    grids = {name: arrange(table) for name, table in tables.items()}
    low, high = _range(losses for _, _, losses in grids.values())
    figure = make_subplots(cols=len(grids), subplot_titles=list(grids), horizontal_spacing=0.08)
    for column, (name, grid) in enumerate(grids.items(), start=1):
        figure.add_trace(_contour(name, grid, low, high), 1, column)
        cross = {"symbol": "cross-thin", "size": 11, "line": {"width": 2, "color": PATH}}
        figure.add_trace(Scatter(x=[0], y=[0], mode="markers", marker=cross, hoverinfo="skip"), 1, column)
        figure.update_xaxes(title_text="a", constrain="domain", row=1, col=column)
        across = figure.get_subplot(1, column).yaxis.anchor
        figure.update_yaxes(title_text="b", constrain="domain", scaleanchor=across, row=1, col=column)
    return _dress(figure, low, high)


def draw_path(table: pd.DataFrame, coordinates: Floats, shares: tuple[float, float], steps: list[int]) -> Figure:
    """Draw the way of a training over the contours of the plane that it is projected on.

    Args:
        table: The losses on the plane, as :func:`draw_surfaces` takes them.
        coordinates: Of the weights at each step (steps, 2).
        shares: Of the path's variance, along each axis; 0 to 1.
        steps: Number of each step.
    """
    from plotly.graph_objects import Figure, Scatter

    grid = arrange(table)
    low, high = _range([grid[2]])
    a, b = coordinates.T.tolist()
    path = Scatter(
        x=a,
        y=b,
        mode="lines+markers",
        line={"color": PATH, "width": 2.5},
        # Hollow where it starts, a cross where it ends.
        marker={"size": 9, "symbol": ["circle-open", *["circle"] * (len(steps) - 2), "x"], "color": PATH},
        text=[f"step {step}" for step in steps],
        hovertemplate="%{text}<extra></extra>",
    )
    figure = Figure([_contour("loss", grid, low, high), path])
    for update, name, share in zip(
        (figure.update_xaxes, figure.update_yaxes), ("first", "second"), shares, strict=True
    ):
        update(title_text=f"{name} principal direction ({share:.1%} of the variance)")
    return _dress(figure, low, high)


def _contour(name: str, grid: tuple[Floats, Floats, Floats], low: float, high: float) -> Contour:
    from plotly.graph_objects import Contour

    a, b, losses = grid
    return Contour(
        x=a.tolist(),
        y=b.tolist(),
        z=_heights(losses).tolist(),
        contours={"start": low, "end": high, "size": 1 / LEVELS_A_DECADE},
        line={"width": 0.7, "color": "rgba(255, 255, 255, 0.6)"},
        coloraxis="coloraxis",
        **_hover(name, losses),
    )


def _hover(name: str, losses: Floats) -> dict[str, Any]:
    return {
        "customdata": [[float(f"{loss:.3g}") for loss in row] for row in losses],
        "hovertemplate": f"a %{{x:.3g}}<br>b %{{y:.3g}}<br>loss %{{customdata:.3~g}}<extra>{name}</extra>",
    }


def _heights(losses: Floats) -> Floats:
    """Give decimal logarithms of losses, whose ticks are round numbers, up to the highest that is drawn."""
    heights: Floats = (take_log(np.minimum(losses, HIGHEST)) / np.log(10)).round(4)
    return heights


def _range(losses: Any) -> tuple[float, float]:
    """Find the heights between which all surfaces lie, on the levels of the contours, and never the same."""
    heights = np.concatenate([_heights(grid).ravel() for grid in losses])
    low, high = np.floor(heights.min() * LEVELS_A_DECADE), np.ceil(heights.max() * LEVELS_A_DECADE)
    return float(low / LEVELS_A_DECADE), float(max(high, low + 1) / LEVELS_A_DECADE)


def _ticks(low: float, high: float) -> dict[str, Any]:
    """Name heights by their losses: at 1, 2 and 5 times each power of ten where few of these are in the range."""
    steps = [1, 2, 5] if high - low < 3 else [1]
    decades = range(int(np.log10(SMALLEST_LOSS)) - 1, int(np.log10(HIGHEST)) + 1)
    losses = [step * 10.0**decade for decade in decades for step in steps]
    shown = [loss for loss in losses if low <= np.log10(loss) <= high]
    return {
        "tickmode": "array",
        "tickvals": np.log10(shown).round(4).tolist(),
        "ticktext": [f"{loss:.6f}".rstrip("0").rstrip(".") if loss >= 1e-3 else f"{loss:.0e}" for loss in shown],
    }


def _dress(figure: Figure, low: float, high: float) -> Figure:
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True)
    # No fixed size: kedro-viz shows the same figure as a small preview and on a whole page.
    return figure.update_layout(
        template="plotly_white",
        font={"size": 13, "color": TEXT},
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        showlegend=False,
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        coloraxis={
            "colorscale": COLOURS,
            "cmin": low,
            "cmax": high,
            "colorbar": {"title": "loss", "len": 0.8, "thickness": 14, **_ticks(low, high)},
        },
    )
