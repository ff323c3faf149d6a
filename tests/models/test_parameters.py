"""The chosen model's options are read, under its own name."""

import inspect

import pytest

from uncrappify.models import MODELS, build
from uncrappify.models.parameters import Model, UpscalerOptions


def test_the_options_of_the_chosen_model_are_given() -> None:
    model = Model.model_validate({"name": "upscaler", "upscaler": {"scale": 2, "blocks": 6}})
    assert model.options == UpscalerOptions(scale=2, channels=32, blocks=6)
    assert model.scale == 2


@pytest.mark.parametrize("name", MODELS["restoration"])
def test_every_model_is_built_from_its_default_options(name: str) -> None:
    model = Model.model_validate({"name": name})
    network = build(model.kind, model.name, model.to_build)
    assert network.scale == model.scale
    arguments = inspect.signature(type(network)).parameters
    assert {key: value.default for key, value in arguments.items()} == model.options.model_dump()
