"""``uncrappify count`` and ``uncrappify continue``: what a language model makes of the beginning of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uncrappify.errors import UserError
from uncrappify.foreign import in_one_line, make_harmless

if TYPE_CHECKING:
    from uncrappify.inference.writer import Writer

_WEIGHTS = click.option(
    "--weights",
    default="numbers",
    show_default=True,
    help="A model.safetensors, the name of a pipeline for what it delivers, or numbers.model5.",
)


@click.command()
@click.argument("text")
@click.option("--numbers", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How many.")
@_WEIGHTS
def count(text: str, numbers: int, weights: str) -> None:
    """Go on counting from where TEXT stops, such as "seven thousand nine hundred ninety eight ,"."""
    counted = _load(weights).count(text, numbers)
    for number in counted:
        click.echo(number)
    if len(counted) < numbers:
        raise UserError(
            f"the model has written {len(counted)} of {numbers} numbers: after that, or instead, it wrote no comma. It "
            "may be trained too little."
        )


@click.command(name="continue")
@click.argument("text")
@click.option("--words", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 10),
    default=0.8,
    show_default=True,
    help="0 takes the most probable word each time; the higher, the more surprising.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=42, show_default=True, help="Of the draws.")
@_WEIGHTS
def go_on(text: str, words: int, temperature: float, seed: int, weights: str) -> None:
    """Go on writing from where TEXT stops, with a model that has learned from texts (--params text=<folder>)."""
    writer = _load(weights)
    if unknown := writer.find_unknown(text):
        told = ", ".join(in_one_line(word) for word in unknown)
        click.echo(f"Words that the model has not learned, all of which are the same to it: {told}", err=True)
    for line in writer.write(text, words, temperature, seed).split("\n"):
        click.echo(make_harmless(line))


def _load(weights: str) -> Writer:
    from uncrappify.inference import load_predictor
    from uncrappify.inference.writer import Writer
    from uncrappify.parameters.delivery import find_trained_weights

    model = load_predictor(find_trained_weights(weights))
    if not isinstance(model, Writer):
        raise UserError(f"--weights {weights}: these weights {model.purpose}, and do not write.")
    return model
