"""What a user may say about where pictures come from."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from uncrappify.sources import ArchiveOptions, EmbeddedOptions, FolderOptions, Layout, Source


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


ARCHIVE = {"name": "pets", "file": "images.tar.gz", "sha256": "0" * 64, "size": 1, "licence": "CC0"}
PAIRED = {"good": ["*_HR.png"], "degraded": ["*_LR.png"]}


@pytest.mark.parametrize(
    ("kind", "form"),
    [("pairs", r"pairs: \{degraded: ~/bad, target: ~/good\}"), ("archive", r"archive: \{name: \.\.\.")],
)
def test_a_kind_without_its_options_shows_the_form(kind: str, form: str) -> None:
    with pytest.raises(ValidationError, match=form):
        Source.model_validate({"kind": kind})


def test_an_archive_that_names_what_cannot_be_is_refused() -> None:
    ArchiveOptions.model_validate(ARCHIVE)
    for wrong in (
        {"name": "../out"},
        {"name": "a/b"},
        {"name": ""},
        {"file": "a/b.tar"},
        {"sha256": "0" * 63},
        {"sha256": None},
        {"size": 0},
        {"licence": ""},
        {"url": "ftp://example.org/a.tar"},
        {"url": "/a.tar"},
        {"layout": {"good": []}},
        {"layout": {"good": ["/a/*.png"]}},
        {"layout": {"good": ["../*.png"]}},
        {"layout": {"good": ["a\\*.png"]}},
        {"layout": {"train": ["a/*.png"]}},
    ):
        with pytest.raises(ValidationError):
            pytest.fail(f"{ArchiveOptions.model_validate(ARCHIVE | wrong)} was taken")


def test_without_a_layout_every_picture_is_a_good_one() -> None:
    assert ArchiveOptions.model_validate(ARCHIVE).layout == Layout(good=["**/*"], valid=[], test=[], degraded=[])


@pytest.mark.parametrize(
    ("tree", "paired"),
    [
        ({}, False),
        ({"kind": "pairs", "pairs": {"degraded": "a", "target": "b"}}, True),
        ({"kind": "embedded", "pairs": {"degraded": "a", "target": "b"}}, False),
        ({"kind": "archive", "archive": ARCHIVE}, False),
        ({"kind": "archive", "archive": ARCHIVE | {"layout": PAIRED}}, True),
    ],
)
def test_a_source_is_paired_when_it_has_degraded_pictures_of_its_own(tree: dict[str, object], paired: bool) -> None:
    assert Source.model_validate(tree).paired is paired


def test_a_mirror_reaches_the_archive_and_harms_no_other_kind() -> None:
    source = Source.model_validate({"kind": "archive", "archive": ARCHIVE}).with_mirror("/mirror")
    assert source.archive is not None
    assert source.archive.mirror == "/mirror"
    assert Source().with_mirror("/mirror") == Source()


def test_every_field_is_described_in_the_schema() -> None:
    schema = Source.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        assert all(field.get("description") for field in model["properties"].values())


def test_the_sources_of_the_page_are_what_can_be_written_in_yaml() -> None:
    page = (Path(__file__).parents[2] / "docs/add-a-source.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    tree = yaml.safe_load(block)
    assert [Source.model_validate(tree[key]).paired for key in ("source", "test_source")] == [False, True]
    (pairs,) = re.findall(r"`source: (\{kind: pairs.*\})`", page)
    assert Source.model_validate(yaml.safe_load(pairs)).paired


@pytest.mark.parametrize(
    ("tree", "folders"),
    [
        ({}, []),
        ({"kind": "folder", "folder": {"path": "~/a"}}, ["a"]),
        ({"kind": "pairs", "pairs": {"degraded": "~/a", "target": "~/b"}}, ["a", "b"]),
        ({"kind": "archive", "archive": ARCHIVE, "folder": {"path": "~/a"}}, []),
    ],
)
def test_the_users_own_folders_are_those_of_the_chosen_kind(
    tree: dict[str, object], folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Source.model_validate(tree).folders == [tmp_path / folder for folder in folders]


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_part_without_embedded_pictures_is_refused(part: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Source.model_validate({"embedded": {part: []}})
    assert caught.value.errors()[0]["loc"] == ("embedded", part)
