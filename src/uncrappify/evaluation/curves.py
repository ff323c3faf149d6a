"""The training as a picture: losses, validation PSNR and learning rate over the steps."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd
from PIL import Image

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BLUE, ORANGE, GREEN, GREY = "#2f6fde", "#e8710a", "#1a7f37", "#8c959f"
#: Axis title, then the columns drawn there with their names and colours.
PANELS = (
    ("loss", {"train_loss": ("train", BLUE), "valid_loss": ("valid", ORANGE)}),
    ("valid PSNR, dB", {"valid_psnr": ("valid PSNR", GREEN)}),
    ("valid", {"valid_miou": ("mean IoU", GREEN), "valid_accuracy": ("accuracy", BLUE)}),
    ("learning rate", {"lr": ("learning rate", GREY)}),
)
LOG_AXES = {"loss"}
MANY_POINTS = 60


def training_curves(history: pd.DataFrame) -> "Figure":
    """Draw a training's history, one panel above the other on a common axis of steps.

    Args:
        history: One row a logged step: ``step``, and any of ``train_loss``, ``valid_loss``, ``valid_psnr`` (dB), ``lr``
            and ``stage``; NaN where a value was not logged. A missing column leaves out its line, a panel without
            lines is left out.

    Returns:
        The figure. The loss has a logarithmic axis; dotted lines stand where a stage ends.

    Raises:
        ValueError: If nothing that could be drawn was logged.
    """
    from plotly.subplots import make_subplots

    logged = set(history.columns[history.notna().any()])
    panels = [(title, lines) for title, lines in PANELS if logged & set(lines)]
    if not panels:
        raise ValueError(f"the history has nothing to draw, only {', '.join(map(str, history.columns)) or 'no column'}")
    shares = {1: [1.0], 2: [0.6, 0.4], 3: [0.45, 0.33, 0.22]}[len(panels)]
    figure = make_subplots(rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=shares)
    for row, (title, lines) in enumerate(panels, start=1):
        for column in (column for column in lines if column in logged):
            _add_line(figure, row, history[["step", column]].dropna(), *lines[column])
        figure.update_yaxes(title_text=title, type="log" if title in LOG_AXES else "linear", row=row, col=1)
    for step in _stage_ends(history):
        figure.add_vline(x=step, line={"dash": "dot", "width": 1.5, "color": GREY}, row="all", col=1)
    figure.update_xaxes(title_text="step", row=len(panels), col=1)
    return _dress(figure)


def learning_rate_curve(rates: Sequence[float], losses: Sequence[float], steepest: float) -> Image.Image:
    """Draw the loss against a rising learning rate.

    Args:
        rates: Learning rates, rising.
        losses: The loss at each.
        steepest: The rate to mark, where the loss falls most steeply.

    Returns:
        RGB, 1000x600.
    """
    from matplotlib.figure import Figure as Plot

    plot = Plot(figsize=(10, 6), dpi=100, layout="constrained")
    axes = plot.subplots()
    axes.plot(rates, losses, color=BLUE, linewidth=2)
    axes.axvline(steepest, color=ORANGE, linestyle=":", linewidth=2, label=f"steepest at {steepest:.1e}")
    # Behind the minimum the loss explodes, which would squeeze all that is worth seeing into a line.
    axes.set(
        xscale="log",
        xlabel="learning rate",
        ylabel="loss",
        ylim=(min(losses) * 0.95, max(losses[0], min(losses)) * 1.2),
    )
    axes.grid(alpha=0.3)
    axes.legend()
    file = BytesIO()
    plot.savefig(file, format="png")
    return Image.open(file).convert("RGB")


def _dress(figure: "Figure") -> "Figure":
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
    noisy = len(points) > MANY_POINTS and name == "train"
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
