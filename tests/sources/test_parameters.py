"""What a user may say about where pictures come from."""

import pytest
from pydantic import ValidationError

from uncrappify.sources import EmbeddedOptions, FolderOptions, Source


def test_nothing_said_means_the_embedded_pictures() -> None:
    assert Source().chosen == EmbeddedOptions(valid=["rocket"], test=["chelsea", "coffee", "flower"])


def test_what_is_left_over_from_another_kind_is_not_read() -> None:
    tree = {"kind": "folder", "embedded": {"valid": ["nonsense"]}, "folder": {"path": "~/Pictures"}}
    assert Source.model_validate(tree).chosen == FolderOptions(path="~/Pictures")


@pytest.mark.parametrize("tree", [{"kind": "folder"}, {"kind": "folder", "folder": None}])
def test_a_folder_without_a_path_shows_the_form(tree: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"\{kind: folder, folder: \{path: ~/Pictures\}\}"):
        Source.model_validate(tree)


@pytest.mark.parametrize(
    "tree", [{"kind": "cloud"}, {"knid": "folder"}, {"kind": "folder", "folder": {"path": "x", "depth": 3}}]
)
def test_an_unknown_word_is_refused(tree: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Source.model_validate(tree)


def test_every_field_is_described_in_the_schema() -> None:
    schema = Source.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        assert all(field.get("description") for field in model["properties"].values())
