"""What may be said of a language pipeline, and what is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from uncrappify.errors import UserError
from uncrappify.parameters.tree import complete
from uncrappify.pipelines.language import Parameters

MODEL = {"model": {"name": "gru"}, "training": {"stages": [{"epochs": 1}]}}


def check(given: dict[str, Any] | None = None, **shortcuts: Any) -> Any:
    section = {"template": "language", "mine": MODEL, **(given or {})}
    return complete({"count": section, **shortcuts}, {"count": section})


def one(model: dict[str, Any], **stage: Any) -> dict[str, Any]:
    return {"mine": {"model": model, "training": {"stages": [{"epochs": 1, **stage}]}}}


def test_own_texts_take_the_place_of_the_numbers_and_are_split_by_blocks() -> None:
    found = check(text="~/texts")["count"]
    assert found["source"]["kind"] == "folder"
    assert found["source"]["folder"] == {"path": "~/texts"}
    assert found["split"] == "blocks"
    assert check()["count"]["split"] == "lesson"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "thirds"}, "Known: lesson, blocks"),
        ({"source": {"kind": "folder", "folder": {"path": "x"}}}, "split: the lesson's is one of numbers"),
        ({"source": {"kind": "folder"}}, "kind: folder needs a path"),
        (one({"name": "every_step"}, bptt=30), r"bptt: it is 30, and model.every_step.window 20"),
        (one({"name": "transformer"}, bptt=8), "nothing of so short a window is predicted from"),
        (one({"name": "loop"}, bptt=2), "the model loop looks at 3 words. Take 3"),
        (one({"name": "transformer", "transformer": {"width": 30}}), "4 heads cannot share a width of 30 evenly"),
        (one({"name": "gru"}, freeze_encoder=True), "the model gru has no encoder"),
        (one({"name": "lstm"}), "gru"),
    ],
)
def test_a_mistake_is_told_with_its_place(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(given)


def test_pictures_are_refused_with_what_to_give_instead() -> None:
    with pytest.raises(UserError, match=r"pictures: .* learns from texts.*--params text=~/texts"):
        check(pictures="~/Pictures")


def test_a_text_is_refused_where_pictures_are_learned_from() -> None:
    section = {"template": "restoration", "recipe": [{"resize": {"factor": 3}}], "training": {"stages": [{"steps": 1}]}}
    with pytest.raises(UserError, match=r"text: .* learns from pictures. Give a folder of them \(pictures="):
        complete({"sharp": section, "text": "~/texts"}, {"sharp": section})


def test_an_epoch_has_as_many_steps_as_the_text_has_windows() -> None:
    section = {"template": "language", "mine": MODEL}
    parameters = Parameters.model_validate({key: value for key, value in section.items() if key != "mine"})
    assert parameters.valid_blocks == 8
    stage = check()["count"]["mine"]["training"]["stages"][0]
    assert (stage["batch_size"], stage["bptt"], stage["order"]) == (64, 20, "text")
