"""The rungs of the ladder are what their names say, and read a text alike at once and word by word."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from uncrappify.models import MODELS, build
from uncrappify.models.language import LanguageNetwork

pytestmark = pytest.mark.usefixtures("one_thread")
WORDS = 11
NAMES = list(MODELS["language"])
SMALL: dict[str, dict[str, Any]] = {
    **{name: {"width": 8} for name in NAMES},
    "every_step": {"width": 8, "window": 5},
    "transformer": {"width": 8, "heads": 2, "context": 4, "unscored": 3},
}


def make(name: str, **options: object) -> LanguageNetwork:
    torch.manual_seed(0)
    network: Any = build("language", name, {"words": WORDS, **SMALL[name], **options})
    return network


def words(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(WORDS, (rows, length), generator=torch.Generator().manual_seed(seed))


def read(network: LanguageNetwork, text: torch.Tensor) -> torch.Tensor:
    return torch.cat(list(network.read(text)), dim=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_read_alike_at_once_and_word_by_word(name: str) -> None:
    network, text = make(name).eval(), words(3, 23)
    whole = read(network, text)
    assert whole.shape == (3, 23, WORDS)
    state, single = network.start(3), []
    for word in text.split(1, dim=1):
        logits, state = network(word, state)
        single.append(logits)
    assert torch.allclose(torch.cat(single, dim=1), whole, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_no_prediction_depends_on_a_word_that_comes_later_or_on_another_row(name: str) -> None:
    network, text = make(name).eval(), words(2, 17)
    changed = text.clone()
    changed[0, 9:] = (changed[0, 9:] + 1) % WORDS
    before, after = read(network, text), read(network, changed)
    assert torch.equal(before[0, :9], after[0, :9])
    assert torch.equal(before[1], after[1])
    assert not torch.allclose(before[0, 9:], after[0, 9:])


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_gets_a_gradient(name: str) -> None:
    network = make(name)
    logits, _ = network(words(4, 10))
    logits.square().sum().backward()
    assert not [key for key, parameter in network.named_parameters() if parameter.grad is None]


def test_unrolled_and_loop_are_the_same_function() -> None:
    unrolled, loop = make("unrolled"), make("loop")
    loop.load_state_dict(unrolled.state_dict())
    text = words(6, 3)
    for one, other in ((unrolled.train(), loop.train()), (unrolled.eval(), loop.eval())):
        assert torch.equal(one(text)[0], other(text)[0])
    assert all(torch.equal(one, other) for one, other in zip(unrolled.buffers(), loop.buffers(), strict=True))


def test_three_words_are_all_that_the_first_two_look_at_and_a_window_out_of_a_text_predicts_one() -> None:
    network, text = make("loop").eval(), words(1, 12)
    changed = text.clone()
    changed[0, 4] = (changed[0, 4] + 1) % WORDS
    differ = (read(network, text) != read(network, changed)).any(2)[0]
    assert differ.nonzero().flatten().tolist() == [4, 5, 6]
    assert network(text[:, :3])[0].shape == (1, 1, WORDS)


def test_a_prediction_at_every_step_begins_anew_after_each_window() -> None:
    network, text = make("every_step").eval(), words(1, 12)
    changed = text.clone()
    changed[0, 0] = (changed[0, 0] + 1) % WORDS
    differ = (read(network, text) != read(network, changed)).any(2)[0]
    assert differ.nonzero().flatten().max() < 5
    assert torch.allclose(read(network, text)[:, 5:10], read(network, text[:, 5:10]), atol=1e-6)


def test_a_carried_state_is_that_of_one_long_window() -> None:
    network, text = make("carried").eval(), words(2, 12)
    first, state = network(text[:, :7], network.start(2))
    second, _ = network(text[:, 7:], state)
    assert torch.allclose(torch.cat([first, second], dim=1), network(text, network.start(2))[0], atol=1e-6)


def test_what_is_remembered_is_carried_through_a_training_from_that_rung_on_and_not_by_the_transformer() -> None:
    assert [name for name in NAMES if make(name).carries] == ["carried", "rnn", "gru", "awd_gru"]


def test_the_transformer_looks_back_as_far_as_its_layers_reach_and_leaves_out_what_has_seen_too_little() -> None:
    network, text = make("transformer", layers=2).eval(), words(1, 16)
    changed = text.clone()
    changed[0, 3] = (changed[0, 3] + 1) % WORDS
    differ = (read(network, text) != read(network, changed)).any(2)[0]
    # Two layers of four words: three words back, twice.
    assert differ.nonzero().flatten().tolist() == list(range(3, 10))
    assert network(text)[0].shape == (1, 13, WORDS)


@pytest.mark.parametrize("name", ["awd_gru", "transformer"])
def test_the_output_has_the_embeddings_weights(name: str) -> None:
    network = make(name)
    large = [key for key, parameter in network.named_parameters() if WORDS in parameter.shape and parameter.dim() == 2]
    assert large == ["embed.weight"]


def test_dropout_leaves_out_weights_from_state_to_state_and_keeps_them() -> None:
    off = {"layers": 1, "dropout": 0.0, "word_dropout": 0.0}
    network, text = make("awd_gru", weight_dropout=0.5, **off), words(2, 6)
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    one, other = network(text)[0], network(text)[0]
    # The first step has no state to come from.
    assert torch.equal(one[:, 0], other[:, 0])
    assert not torch.allclose(one[:, 1:], other[:, 1:])
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())


def test_dropout_leaves_out_the_same_activations_at_all_steps() -> None:
    dropped = make("awd_gru", dropout=0.5)._drop(torch.ones(3, 5, 8))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(dropped[:, 0], dropped[:, 4])


@pytest.mark.parametrize(
    ("name", "layers"),
    # Matrices of 64 x 64 with their biases: one, one for the word and one for the state, three gates of both twice.
    [("unrolled", 1), ("loop", 1), ("every_step", 1), ("carried", 1), ("rnn", 2), ("gru", 12)],
)
def test_the_lessons_networks_have_as_many_parameters_as_their_parts(name: str, layers: int) -> None:
    network = build("language", name, {"words": 38})
    # Embedding, output and norm, of the lesson's 38 words.
    around = 38 * 64 + (38 * 64 + 38) + 2 * 64
    assert sum(parameter.numel() for parameter in network.parameters()) == around + layers * 64 * 65
