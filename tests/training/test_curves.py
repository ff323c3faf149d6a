"""The training's curves: what is drawn from which history."""

import numpy as np
import pandas as pd
import plotly.io
import pytest

from uncrappify.learners.restoration import RestorationLearner
from uncrappify.training import curves
from uncrappify.training.learner import LOSS, Panel


def history(steps=100):
    step = np.arange(steps)
    valid = np.where(step % 20 == 0, 1.0, np.nan)
    return pd.DataFrame(
        {
            "step": step,
            "stage": step // 40,
            "train_loss": 1 / (step + 1),
            "valid_loss": 0.5 * valid,
            "valid_psnr": (20 + step / 10) * valid,
            "lr": 1e-3 * (1 - step / steps),
        }
    )


def training_curves(table):
    return curves.training_curves(table, RestorationLearner.panels)


def lines(figure):
    return {trace.name: trace for trace in figure.data if trace.name}


def test_loss_psnr_and_learning_rate_each_have_a_panel():
    figure = training_curves(history())
    assert {name: trace.yaxis for name, trace in lines(figure).items()} == {
        "train": "y",
        "valid": "y",
        "valid PSNR": "y2",
        "learning rate": "y3",
    }
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.yaxis2.type == "linear"
    assert figure.layout.xaxis3.title.text == "step"


def test_only_what_was_logged_is_drawn():
    valid = lines(training_curves(history()))["valid PSNR"]
    assert list(valid.x) == [0, 20, 40, 60, 80]
    assert list(valid.y) == [20, 22, 24, 26, 28]


def test_a_dotted_line_stands_where_each_later_stage_begins_in_every_panel():
    shapes = training_curves(history()).layout.shapes
    assert sorted(shape.x0 for shape in shapes) == [40] * 3 + [80] * 3
    assert {shape.line.dash for shape in shapes} == {"dot"}


def test_a_noisy_loss_is_drawn_faintly_below_its_running_median():
    table = history(300)
    table["train_loss"] = 1 + np.random.default_rng(0).normal(0, 0.2, 300)
    faint, median = (trace for trace in training_curves(table).data if len(trace.x) == 300 and trace.yaxis == "y")
    assert faint.opacity < 0.5
    assert np.std(median.y) < np.std(faint.y) / 2


def test_a_smoke_run_with_two_steps_and_no_validation_has_its_curves():
    figure = training_curves(pd.DataFrame({"step": [1, 2], "train_loss": [0.3, 0.2], "valid_psnr": [np.nan, np.nan]}))
    assert list(lines(figure)) == ["train"]


def test_the_figure_is_written_as_plain_json_that_older_plotly_js_reads():
    written = training_curves(history()).to_json()
    assert list(lines(plotly.io.from_json(written))["valid PSNR"].y) == [20, 22, 24, 26, 28]
    assert "bdata" not in written


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame({"step": [1]})])
def test_a_history_without_values_has_empty_curves(table):
    assert len(training_curves(table).data) == 0


def test_any_metrics_of_a_learner_are_drawn_in_the_panels_that_it_names():
    table = history().assign(train_critic=0.7, train_generator=0.2, valid_texture=3.0, lr_critic=1e-4)
    losses = Panel("losses", {"train_generator": "generator", "train_critic": "critic"})
    rates = Panel("rates", {"lr": "generator's", "lr_critic": "critic's"}, from_zero=True)
    figure = curves.training_curves(
        table,
        [losses, LOSS, Panel("texture", {"valid_texture": "texture"}), Panel("none", {"valid_none": "none"}), rates],
    )
    assert {name: trace.yaxis for name, trace in lines(figure).items()} == {
        "generator": "y",
        "critic": "y",
        "train": "y2",
        "valid": "y2",
        "texture": "y3",
        "generator's": "y4",
        "critic's": "y4",
    }
    assert len({trace.line.color for trace in figure.data if trace.yaxis == "y"}) == 2
    # A constant rate is seen where it is, and not as 0.
    highest = table[["lr", "lr_critic"]].max().max()
    assert figure.layout.yaxis4.range == (0, pytest.approx(1.1 * highest))
    assert figure.layout.yaxis3.range is None


def test_the_losses_of_trainings_are_compared_in_one_chart():
    tables = {"plain20": history(), "plain56": history(150), "residual56": history()}
    figure = curves.draw_training_losses(tables)
    drawn = lines(figure)
    assert list(drawn) == ["plain20", "plain56", "residual56"]
    assert list(drawn["plain56"].x) == list(range(150))
    assert len({trace.line.color for trace in drawn.values()}) == 3
    assert (figure.layout.yaxis.type, figure.layout.yaxis.title.text) == ("log", "training loss")
    assert "bdata" not in figure.to_json()
