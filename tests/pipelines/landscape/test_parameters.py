"""What may be said of a landscape, and what is told where it does not fit."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from uncrappify.errors import UserError
from uncrappify.parameters.tree import complete, parse_section

SECTION = yaml.safe_load((Path(__file__).parents[3] / "conf/base/parameters/landscape.yml").read_text())["landscape"]


def explain(**changes: Any) -> str:
    section = SECTION | changes
    with pytest.raises(UserError) as raised:
        parse_section("landscape", section, section)
    return str(raised.value)


def test_a_survey_names_two_of_the_models() -> None:
    told = explain(survey={"plain": "plain65", "residual": "residual56"})
    assert 'landscape.survey.plain: there is no model "plain65"; did you mean "plain56"?' in told


def test_one_draw_of_directions_needs_nets_that_differ_by_the_additions_alone() -> None:
    told = explain(survey={"plain": "plain20", "residual": "residual56"})
    assert "plain20 and residual56 differ in layers: one draw of directions fits both only where" in told


def test_a_path_needs_weights_that_were_kept() -> None:
    plain = SECTION["plain56"] | {"training": SECTION["plain56"]["training"] | {"snapshots": 0}}
    assert "landscape.plain56.training.snapshots: the path needs 2 or more." in explain(plain56=plain)


@pytest.mark.parametrize(
    ("points", "told"), [(503, "a grid of 503 x 503 points is too large for memory. Take 501 or fewer"), (30, "odd")]
)
def test_a_grid_has_an_odd_number_of_points_and_room(points: int, told: str) -> None:
    assert told in explain(survey=SECTION["survey"] | {"points": points})


def test_a_smoke_run_measures_few_points() -> None:
    tree = complete({"landscape": SECTION, "smoke": True}, {"landscape": SECTION})
    assert tree["landscape"]["survey"] == {"plain": "plain56", "residual": "residual56", "points": 3, "samples": 16}
