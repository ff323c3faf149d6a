"""What may be said of a classification, and what is told where it does not fit."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from uncrappify.errors import UserError
from uncrappify.parameters.tree import complete, parse_section

SECTION = yaml.safe_load((Path(__file__).parents[3] / "conf/base/parameters/digits.yml").read_text())["digits"]


def changed(path: str, value: Any) -> dict[str, Any]:
    section: Any = yaml.safe_load(yaml.safe_dump(SECTION))
    *parents, last = path.split(".")
    place = section
    for key in parents:
        place = place[int(key) if key.isdigit() else key]
    place[last] = value
    return section


def explain(section: dict[str, Any], base: dict[str, Any] = SECTION) -> str:
    with pytest.raises(UserError) as raised:
        parse_section("digits", section, base)
    return str(raised.value)


def test_the_users_class_folders_take_the_place_of_the_source() -> None:
    tree = complete({"digits": SECTION, "pictures": "/fruit"}, {"digits": SECTION})
    assert tree["digits"]["source"]["kind"] == "class_folders"
    assert tree["digits"]["source"]["class_folders"]["path"] == "/fruit"


def test_a_smoke_run_takes_two_steps_with_every_model() -> None:
    tree = complete({"digits": SECTION, "smoke": True}, {"digits": SECTION})
    assert [tree["digits"][name]["training"]["stages"][0]["steps"] for name in ("cnn", "densenet")] == [2, 2]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (
            "cnn.training.stages.0.freeze_encoder",
            True,
            "cnn.training.stages.0.freeze_encoder: the model cnn has",
        ),
        ("cnn.training.stages.0.lr", [1e-3, 1e-2], "digits.cnn.training.stages.0.lr: the model cnn has no encoder"),
        ("resnet.model.resnet.strides", [2, 2], "there are 3 widths and 2 strides"),
        (
            "resnet.model.name",
            "resnett",
            'digits.resnet.model.name: there is no choice "resnett"; did you mean "resnet"?',
        ),
        ("resnet.training.affine", {"degree": 3}, 'there is no parameter "degree"; did you mean "degrees"?'),
        ("size", [2, 28], "digits.size.0"),
        ("size", 28, "digits.size"),
        ("cnn.training.label_smoothing", 1, "digits.cnn.training.label_smoothing"),
    ],
)
def test_a_mistake_is_told_with_its_place(path: str, value: Any, told: str) -> None:
    assert told in explain(changed(path, value))


def test_deep_nets_have_whole_pairs_of_layers() -> None:
    told = explain(changed("cnn.model", {"name": "deep", "deep": {"layers": 51}}))
    assert told == "digits.cnn.model.deep.layers: it is 6 n + 2; take 50 or 56."
