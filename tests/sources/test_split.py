"""A picture's split follows from its name alone, and too few pictures are an error with numbers."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncrappify.errors import UserError
from uncrappify.sources import PictureSource, assign_splits
from uncrappify.sources.layout import name_files


def source(**more: object) -> PictureSource:
    return PictureSource.model_validate({"name": "a", "root": Path("/a"), "licence": "CC0"} | more)


def split(names: list[str], **more: object) -> dict[str, str]:
    assigned = assign_splits(source(**more), pd.DataFrame({"name": names}))
    return dict(zip(assigned["name"], assigned["split"], strict=True))


def split_classes(labels: dict[str, str], **more: object) -> pd.DataFrame:
    return assign_splits(source(**more), pd.DataFrame({"name": list(labels), "label": list(labels.values())}))


def counts(parts: dict[str, str]) -> dict[str, int]:
    return {part: list(parts.values()).count(part) for part in ("train", "valid", "test")}


THOUSAND = [f"holiday/{number:04d}" for number in range(1000)]


def test_a_tenth_is_for_validation_and_a_tenth_for_the_test() -> None:
    found = counts(split(THOUSAND))
    # Three standard deviations of a thousand draws.
    assert found["test"] == pytest.approx(100, abs=29)
    assert found["valid"] == pytest.approx(100, abs=29)
    assert sum(found.values()) == 1000


def test_new_pictures_move_no_old_ones() -> None:
    before = split(THOUSAND[::2])
    after = split(THOUSAND)
    assert {name: after[name] for name in before} == before


def test_the_order_of_pictures_does_not_matter() -> None:
    assert split(THOUSAND[::-1]) == split(THOUSAND)


def test_rows_keep_their_other_columns_and_order() -> None:
    table = pd.DataFrame({"name": ["c", "a", "b"], "width": [3, 1, 2]}, index=[7, 8, 9])
    assigned = assign_splits(source(), table)
    assert assigned[["name", "width"]].to_dict("list") == {"name": ["c", "a", "b"], "width": [3, 1, 2]}
    assert assigned.index.tolist() == [0, 1, 2]
    assert "split" not in table


def test_pictures_of_one_group_are_together() -> None:
    groups = {name: f"scene {int(name[-4:]) // 4}" for name in THOUSAND}
    parts = split(THOUSAND, groups=groups)
    together: dict[str, set[str]] = {}
    for name, part in parts.items():
        together.setdefault(groups[name], set()).add(part)
    assert len(together) == 250
    assert all(len(found) == 1 for found in together.values())
    assert all(number > 0 for number in counts(parts).values())


@pytest.mark.parametrize("number", [3, 4, 5, 8])
def test_a_small_set_fills_every_split(number: int) -> None:
    found = counts(split([f"p{n}" for n in range(number)]))
    assert min(found.values()) >= 1
    assert sum(found.values()) == number


@given(st.sets(st.text(min_size=1), min_size=3, max_size=6))
def test_three_pictures_are_enough_whatever_they_are_called(names: set[str]) -> None:
    found = counts(split(sorted(names)))
    assert min(found.values()) >= 1
    assert len(names) > 3 or found == {"train": 1, "valid": 1, "test": 1}


@given(st.sets(st.text(min_size=1), min_size=4, max_size=6), st.sampled_from(["valid", "test"]))
def test_two_pictures_are_enough_beside_a_split_that_the_source_names(names: set[str], part: str) -> None:
    first, *others = sorted(names)
    assert min(counts(split([first, *others], own_split={part: [first]})).values()) >= 1


def test_a_source_that_names_its_own_splits_is_obeyed() -> None:
    parts = split(list("abcdef"), own_split={"valid": ["b"], "test": ["e", "f"]})
    assert parts == {"a": "train", "b": "valid", "c": "train", "d": "train", "e": "test", "f": "test"}


def test_a_group_follows_its_picture_that_is_named() -> None:
    parts = split(list("abcd"), own_split={"valid": ["a"], "test": ["b"]}, groups={"b": "scene", "c": "scene"})
    assert parts == {"a": "valid", "b": "test", "c": "test", "d": "train"}


@pytest.mark.parametrize("number", [1, 2])
def test_too_few_pictures_say_how_many_there_are_and_are_needed(number: int) -> None:
    with pytest.raises(UserError) as caught:
        split([f"p{n}" for n in range(number)])
    told = str(caught.value)
    assert f"{number} usable pictures are too few" in told
    assert "At least 3 different ones are needed" in told
    assert "0 for train" in told


def test_a_source_whose_test_pictures_are_gone_says_which_split_is_empty() -> None:
    with pytest.raises(UserError, match=r"1 for train, 1 for valid, 0 for test"):
        split(["a", "b"], own_split={"valid": ["b"], "test": ["gone"]})


def test_a_source_that_keeps_all_its_pictures_for_itself_is_not_told_to_have_three() -> None:
    with pytest.raises(UserError) as caught:
        split(["a", "b", "c"], own_split={"valid": ["a"], "test": ["b", "c"]})
    assert str(caught.value) == (
        "source: 3 usable pictures are too few: 0 for train, 1 for valid, 2 for test. The source names its own "
        "pictures for valid and test: leave some for the others, or add pictures; for a good model, hundreds."
    )


def test_files_that_differ_in_their_suffix_alone_are_together_and_move_nothing() -> None:
    def parts(files: list[str]) -> dict[str, str]:
        names = name_files(files)
        table = pd.DataFrame({"name": list(names), "file": list(names.values())})
        assigned = assign_splits(source(), table)
        return dict(zip(assigned["file"], assigned["split"], strict=True))

    before = parts([f"scan{number}.png" for number in range(100)])
    after = parts([f"scan{number}.{suffix}" for number in range(100) for suffix in ("jpg", "png")])
    assert {file: after[file] for file in before} == before
    assert {file: after[f"{Path(file).stem}.jpg"] for file in before} == before


def label(names: list[str], name: str) -> dict[str, str]:
    return {f"{name}/{each}": name for each in names}


def test_each_class_is_in_all_three_parts_by_its_own_share() -> None:
    labels = label(THOUSAND, "cat") | label(THOUSAND[:3], "dog") | label(THOUSAND[:30], "fish")
    found = split_classes(labels).groupby("label")["split"].value_counts()
    assert found["dog"].to_dict() == {"train": 1, "valid": 1, "test": 1}
    assert min(found["fish"]) >= 1
    # Three standard deviations of a thousand draws.
    assert found["cat", "test"] == pytest.approx(100, abs=29)
    assert found["cat", "valid"] == pytest.approx(100, abs=29)


def test_a_further_class_or_picture_moves_none() -> None:
    before = split_classes(label(THOUSAND[::2], "cat") | label(THOUSAND[::2], "dog")).set_index("name")["split"]
    more = label(THOUSAND, "cat") | label(THOUSAND[::2], "dog") | label(THOUSAND[:5], "fish")
    after = split_classes(more).set_index("name")["split"]
    assert after[before.index].to_dict() == before.to_dict()


def test_classes_large_enough_are_split_as_pictures_without_one() -> None:
    labels = label(THOUSAND, "cat") | label(THOUSAND, "dog")
    found = split_classes(labels)
    assert dict(zip(found["name"], found["split"], strict=True)) == split(list(labels))


@pytest.mark.parametrize("parts", [("valid", "test"), ("test", "valid")])
def test_the_same_pictures_for_valid_and_test_are_the_test_and_nothing_is_held_out(parts: tuple[str, str]) -> None:
    labels = label(list("abcd"), "cat") | label(list("abcd"), "dog")
    own = {part: ["cat/a", "dog/b"] for part in parts}
    found = split_classes(labels, own_split=own).set_index("name")["split"]
    assert found[found == "test"].index.tolist() == ["cat/a", "dog/b"]
    assert found.value_counts().to_dict() == {"train": 6, "test": 2}


def test_without_classes_valid_has_to_have_pictures_of_its_own() -> None:
    with pytest.raises(UserError, match="0 for valid"):
        split(list("abcd"), own_split={"valid": ["a"], "test": ["a"]})
