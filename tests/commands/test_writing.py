"""``uncrappify count`` and ``continue`` go on where a text stops, and say what they cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from uncrappify.commands import main
from uncrappify.datasets import ClassificationDescription, LanguageDescription, TrainedModel, Weights
from uncrappify.models import build
from uncrappify.text.tokens import MARKS

pytestmark = pytest.mark.usefixtures("one_thread")
WORDS = ["one", "two", "three", ","]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network that says ``one`` after a comma, and a comma after anything else."""
    description = LanguageDescription(model="loop", options={"width": 8}, vocabulary=[*MARKS, *WORDS], text="numbers")
    network: Any = build("language", "loop", description.to_build)
    comma, one = (len(MARKS) + WORDS.index(word) for word in (",", "one"))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.norm.weight.fill_(1)
        # Of what the layer gets, a hundredth stays: the last word outweighs all before it.
        network.hidden.weight.copy_(torch.eye(8) / 100)
        network.embed.weight[:, 0] = 100
        network.embed.weight[comma] = torch.eye(8)[1] * 100
        network.output.weight[comma, 0] = network.output.weight[one, 1] = 100
    file = tmp_path / "model.safetensors"
    Weights(filepath=str(file)).save(TrainedModel(network.state_dict(), description))
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_count_goes_on_one_number_a_line(weights: Path) -> None:
    done = run("count", "one , two ,", "--numbers", 3, "--weights", weights)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["one", "one", "one"]


@pytest.mark.parametrize("text", [" ", ","])
def test_a_count_needs_a_number_to_go_on_from(weights: Path, text: str) -> None:
    done = run("count", text, "--weights", weights)
    assert done.exit_code == 1
    assert "there is no number to go on from" in done.output


def test_an_unknown_word_is_told_with_the_nearest(weights: Path) -> None:
    done = run("count", "one, tow,", "--weights", weights)
    assert done.exit_code == 1
    assert '"tow" is no word that this model has learned. The nearest words that it knows: two' in done.output


def test_a_text_goes_on_behind_what_was_typed_and_unknown_words_are_named(weights: Path) -> None:
    done = run("continue", "Three apples, two", "--words", 4, "--weights", weights)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Three apples, two")
    assert len(done.stdout.replace(",", " ,").split()) == 4 + 4
    assert "not learned, all of which are the same to it: apples" in done.stderr
    assert run("continue", "two", "--seed", 1, "--weights", weights).stdout == (
        run("continue", "two", "--seed", 1, "--weights", weights).stdout
    )


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    description = ClassificationDescription(
        model="cnn", options={}, classes=["a", "b"], size=(28, 28), mean=[0.1], std=[0.3]
    )
    network = build("classification", "cnn", description.to_build)
    Weights(filepath=str(tmp_path / "c.safetensors")).save(TrainedModel(network.state_dict(), description))
    done = run("count", "one", "--weights", tmp_path / "c.safetensors")
    assert done.exit_code == 1
    assert "these weights classify pictures, and do not write" in done.output
