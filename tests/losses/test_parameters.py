"""Losses as they are written in YAML."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from uncrappify.losses.parameters import FeatureOptions
from uncrappify.parameters.messages import explain
from uncrappify.training.parameters import RestorationStage


def mistake(loss) -> str:
    with pytest.raises(ValidationError) as caught:
        RestorationStage(steps=1, loss=loss)
    return explain(caught.value, RestorationStage)


def test_a_plain_number_is_the_weight_of_the_feature_loss_with_all_else_as_usual():
    stage = RestorationStage(steps=1, loss=[{"l1": 1}, {"feature": 0.5}])
    assert stage.model_dump(mode="json")["loss"] == [
        {"l1": 1.0},
        {
            "feature": {
                "weight": 0.5,
                "backend": "efficientnet_lite0",
                "layers": [1, 2, 3],
                "weights": [0.02, 0.02, 0.03],
                "gram_weights": [0.02, 0.05, 0.2],
            }
        },
    ]


def test_what_is_written_out_reads_back_the_same():
    stage = RestorationStage(steps=1, loss=[{"charbonnier": 2.0}, {"feature": {"backend": "vgg16_bn", "weight": 3}}])
    assert RestorationStage.model_validate(stage.model_dump(mode="json")) == stage


def test_the_lessons_network_comes_with_the_lessons_layers_and_weights():
    options = FeatureOptions(backend="vgg16_bn")
    assert (options.layers, options.weights) == ([22, 32, 42], [5, 15, 2])
    assert options.gram_weights == [5000 * weight**2 for weight in options.weights]


def test_each_stage_has_its_own_loss():
    losses = [RestorationStage(steps=1, loss=loss).loss for loss in ([{"l1": 1.0}], [{"l1": 1.0}, {"feature": 1.0}])]
    assert [list(term) for loss in losses for term in loss] == [["l1"], ["l1"], ["feature"]]


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ([{"featur": 1}], ['"featur"; did you mean "feature"?', "Known: l1, l1_y, mse, charbonnier, feature."]),
        ([{"feature": {"backend": "vgg16"}}], ["loss.0.feature.backend", 'did you mean "vgg16_bn"?']),
        ([{"l1": 1}, {"feature": {"bakend": 1}}], ["loss.1.feature.bakend", 'did you mean "backend"?']),
        ([{"feature": 0}], ["loss.0.feature.weight", "0"]),
        ([{"feature": "much"}], ["loss.0.feature", "weight", "backend"]),
        ([{"feature": {"layers": [1, 2]}}], ["2 layers, 3 weights and 3 gram_weights"]),
        ([{"feature": {"layers": [1, 2, 7]}}], ["efficientnet_lite0 are numbers from 0 to 4, rising", "[1, 2, 7]"]),
        ([{"feature": {"layers": [3, 2, 1]}}], ["rising; got [3, 2, 1]"]),
        ([{"l1": 1}, {"l1": 2}], ["l1 is there more than once"]),
    ],
)
def test_a_mistake_is_explained(loss, words):
    message = mistake(loss)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_the_schema_for_editors_takes_a_number_or_options():
    entry = RestorationStage.model_json_schema()["properties"]["loss"]["items"]
    number, options = entry["properties"]["feature"]["anyOf"]
    assert number == {"type": "number", "exclusiveMinimum": 0}
    assert options["properties"]["backend"]["enum"] == ["efficientnet_lite0", "vgg16_bn"]
    assert "required" not in options


def test_checking_parameters_imports_no_network():
    heavy = "{'torch', 'torchvision', 'timm', 'lightning'}"
    code = f"import sys, uncrappify.training.parameters; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
