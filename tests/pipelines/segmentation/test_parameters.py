"""What may be said of a segmentation."""

from functools import partial
from pathlib import Path

import pytest

from uncrappify.errors import UserError
from uncrappify.parameters.files import find_written, read_yaml
from uncrappify.parameters.tree import complete, parse_section

STAGE = {"size": [48, 64], "steps": 3}
LABELS = {"classes": ["a", "b"]}


def completed(**changes: object) -> dict:
    section = {"labels": LABELS, "training": {"stages": [STAGE]}} | changes
    return complete({"streets": section}, {"streets": {"template": "segmentation"}})["streets"]


def mistake(**changes: object) -> str:
    with pytest.raises(UserError) as caught:
        completed(**changes)
    return str(caught.value)


def test_the_defaults_are_filled_in() -> None:
    section = completed()
    assert section["source"]["kind"] == "streets"
    assert section["labels"]["void"] == []
    assert section["training"]["stages"][0]["size"] == [48, 64]
    assert section["model"]["unet"]["norm"] == "batch"


def test_pictures_are_a_folder_with_masks() -> None:
    tree = {"streets": {"labels": LABELS, "training": {"stages": [STAGE]}}, "pictures": "~/mine"}
    source = complete(tree, {"streets": {"template": "segmentation"}})["streets"]["source"]
    assert source["kind"] == "masked_folder"
    assert source["masked_folder"] == {"path": "~/mine", "pictures": "images", "masks": "masks"}


def test_an_archive_needs_masks() -> None:
    archive = {"name": "a", "file": "a.tar", "sha256": "0" * 64, "size": 1, "licence": "x"}
    assert "streets.source.archive.layout.masks: it is empty" in mistake(source={"kind": "archive", "archive": archive})


def test_colours_need_as_many_classes() -> None:
    said = mistake(labels=LABELS | {"colours": [[1, 2, 3]]})
    assert said == "streets.labels.colours: there are 2 classes and 1 colours; each needs one."


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (["leaf"], "streets.labels.classes: expected at least 2 entries, got 1."),
        (
            ["Leaf", "leaf"],
            'streets.labels.classes.1: "leaf" and "Leaf" differ in nothing but case or spaces. Rename one of them.',
        ),
        (
            ["a", "x" * 260],
            "streets.labels.classes.1: a class's name has at most 100 characters, this one 260.",
        ),
        (
            ["name", "b"],
            'streets.labels.classes.0: "name" is the column of the pictures\' names in a table. Rename the class.',
        ),
        ([str(number) for number in range(256)], "streets.labels.classes: expected at most 255 entries, got 256."),
        (
            [False, "b"],
            "streets.labels.classes.0: without quotes, no, off and false are not text but false in YAML. Write a "
            'class\'s name in quotes: "no".',
        ),
    ],
)
def test_classes_that_a_run_could_not_end_with_are_told_before_it(classes: list[object], said: str) -> None:
    assert mistake(labels={"classes": classes}) == said


def test_the_name_of_a_class_is_taken_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "parameters.yml"
    file.write_text("streets: {labels: {classes: [2024.10, 007, 1e3, 1, 1_000]}}")
    labels = {**LABELS, "classes": read_yaml(file)["streets"]["labels"]["classes"]}
    section = {"labels": labels, "training": {"stages": [STAGE]}}
    parsed = parse_section("streets", section, {"template": "segmentation"}, partial(find_written, file))
    assert parsed.model_dump()["labels"]["classes"] == ["2024.10", "007", "1e3", "1", "1_000"]


def test_a_smoke_run_trains_two_batches() -> None:
    tree = {"streets": {"labels": LABELS, "training": {"stages": [STAGE, STAGE]}}, "smoke": True}
    stages = complete(tree, {"streets": {"template": "segmentation"}})["streets"]["training"]["stages"]
    assert [stage["steps"] for stage in stages] == [2, 2]
