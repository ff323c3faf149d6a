"""What may be said of a segmentation."""

import pytest

from uncrappify.errors import UserError
from uncrappify.parameters.tree import complete

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


def test_a_smoke_run_trains_two_batches() -> None:
    tree = {"streets": {"labels": LABELS, "training": {"stages": [STAGE, STAGE]}}, "smoke": True}
    stages = complete(tree, {"streets": {"template": "segmentation"}})["streets"]["training"]["stages"]
    assert [stage["steps"] for stage in stages] == [2, 2]
