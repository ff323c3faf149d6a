"""The training as a picture: losses, what is watched, and learning rate over the steps."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import pandas as pd

from uncrappify.training.learner import Panel

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BLUE, ORANGE, GREEN, GREY = "#2f6fde", "#e8710a", "#1a7f37", "#8c959f"
#: Of metrics that every training has; others take what is left, in the order of their panel.
COLOURS = {"train_loss": BLUE, "valid_loss": ORANGE, "lr": GREY}
#: Share of the height that each panel has next to the one above it.
NARROWER = 0.7
MANY_POINTS = 60


def training_curves(history: pd.DataFrame, panels: Sequence[Panel]) -> "Figure":
    """Draw a training's history, one panel above the other on a common axis of steps.

    Args:
        history: One row a logged step: ``step``, ``stage``, and a column a metric; NaN where a value was not logged.
        panels: What to draw. A line that was not logged is left out, and so is a panel without lines.

    Returns:
        The figure, empty where nothing was logged. Dotted lines stand where a stage ends.
    """
    from plotly.subplots import make_subplots

    logged = set(history.columns[history.notna().any()])
    shown = [panel for panel in panels if logged & set(panel.lines)]
    heights = {1: [1.0], 2: [0.6, 0.4], 3: [0.45, 0.33, 0.22]}.get(
        len(shown), [NARROWER**row for row, _ in enumerate(shown)]
    )
    rows = max(1, len(shown))
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=heights or None)
    for row, panel in enumerate(shown, start=1):
        colours = cycle([GREEN, BLUE, ORANGE])
        for column in (column for column in panel.lines if column in logged):
            colour = COLOURS.get(column) or next(colours)
            _add_line(figure, row, history[["step", column]].dropna(), panel.lines[column], colour)
        figure.update_yaxes(title_text=panel.title, type="log" if panel.logarithmic else "linear", row=row, col=1)
        if panel.from_zero:
            highest = float(history[list(logged & set(panel.lines))].max().max())
            figure.update_yaxes(range=[0, 1.1 * highest or 1], row=row, col=1)
    for step in _stage_ends(history):
        figure.add_vline(x=step, line={"dash": "dot", "width": 1.5, "color": GREY}, row="all", col=1)
    figure.update_xaxes(title_text="step", row=rows, col=1)
    return dress(figure)


def draw_training_losses(histories: Mapping[str, pd.DataFrame]) -> "Figure":
    """Draw the losses of several trainings over their steps (after He et al. 2015, figures 1 and 4, of errors).

    Args:
        histories: Name of each model to its history: ``step`` and ``train_loss``.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots()
    for (name, history), colour in zip(histories.items(), cycle([BLUE, ORANGE, GREEN]), strict=False):
        _add_line(figure, 1, history[["step", "train_loss"]], name, colour)
    figure.update_xaxes(title_text="step")
    figure.update_yaxes(title_text="training loss", type="log")
    return dress(figure)


def dress(figure: "Figure") -> "Figure":
    """Give a figure the grid, font and margins of all of them."""
    # A grid that is seen on white and on the dark page of kedro-viz, which dresses the first panel only.
    grid = {"gridcolor": "rgba(128, 128, 128, 0.25)", "zerolinecolor": "rgba(128, 128, 128, 0.25)"}
    figure.update_xaxes(**grid)
    figure.update_yaxes(automargin=True, exponentformat="power", **grid)
    # No fixed size: kedro-viz shows the same figure as a small preview and on a whole page.
    return figure.update_layout(
        template="plotly_white",
        font={"size": 13},
        hovermode="x unified",
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
    )


def _add_line(figure: "Figure", row: int, points: pd.DataFrame, name: str, colour: str) -> None:
    """A line; a long and noisy one is drawn faintly, with its running median over it."""
    from plotly.graph_objects import Scatter

    # Lists, because plotly writes arrays as base64, which the plotly.js of a viewer may be too old to read.
    steps, values = points["step"].tolist(), points.iloc[:, 1]
    noisy = len(points) > MANY_POINTS and str(points.columns[1]).startswith("train_")
    if noisy:
        faint = {"color": colour, "width": 1}
        figure.add_trace(
            Scatter(x=steps, y=values.tolist(), line=faint, opacity=0.3, showlegend=False, hoverinfo="skip"), row, 1
        )
        values = values.rolling(len(points) // 30, center=True, min_periods=1).median()
    mode = "lines" if len(points) > MANY_POINTS else "lines+markers"
    line = {"color": colour, "width": 2.5}
    figure.add_trace(Scatter(x=steps, y=values.tolist(), name=name, mode=mode, line=line, marker={"size": 5}), row, 1)


def _stage_ends(history: pd.DataFrame) -> list[float]:
    """The first step of each stage but the first."""
    if "stage" not in history.columns:
        return []
    first_steps = history.dropna(subset=["stage"]).groupby("stage")["step"].min()
    return sorted(float(step) for step in first_steps)[1:]
