"""Which files of a folder are what, by globs; and which two are a pair, by what their wildcards stand for."""

import pandas as pd
import pytest

from uncrappify.errors import UserError
from uncrappify.sources.layout import (
    find_stems,
    key_by_name,
    match_globs,
    match_twins,
    name_files,
    place_file,
    summarise_files,
)

FILES = ["a/x.jpg", "a/b/y.jpg", "top.jpg", "a/z.png", "x2/baby_HR.png", "x2/baby_LR.png"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("**/*", FILES),
        ("*", ["top.jpg"]),
        ("*.jpg", ["top.jpg"]),
        ("a/*", ["a/x.jpg", "a/z.png"]),
        ("**/*.jpg", ["a/x.jpg", "a/b/y.jpg", "top.jpg"]),
        ("a/**/*.jpg", ["a/x.jpg", "a/b/y.jpg"]),
        ("a/?.png", ["a/z.png"]),
        ("a/[xz].jpg", []),
        ("A/*", []),
    ],
)
def test_a_star_stays_in_its_folder_and_two_do_not(glob: str, found: list[str]) -> None:
    assert list(match_globs(FILES, [glob])) == found


def test_what_the_wildcards_stand_for_is_what_a_pair_has_in_common() -> None:
    assert match_globs(FILES, ["x2/*_HR.png"]) == {"x2/baby_HR.png": ("baby",)}
    assert match_globs(FILES, ["x?/*_LR.png"]) == {"x2/baby_LR.png": ("2", "baby")}


def test_the_first_glob_that_matches_counts() -> None:
    assert match_globs(["a/x.jpg"], ["b/*", "a/*.jpg", "**/*"]) == {"a/x.jpg": ("x",)}


def test_a_name_is_the_path_without_suffix_or_the_path_for_all_that_share_that() -> None:
    assert name_files(["a.jpg", "a.png", "b/a.jpg"]) == {"a.jpg": "a.jpg", "a.png": "a.png", "b/a": "b/a.jpg"}


def test_no_picture_takes_the_name_that_another_one_had() -> None:
    assert name_files(["scan7.png"]) == {"scan7": "scan7.png"}
    assert name_files(["scan7.jpg", "scan7.png"]) == {"scan7.jpg": "scan7.jpg", "scan7.png": "scan7.png"}
    assert name_files(["a.jpg", "a.jpg.png"]) == {"a": "a.jpg", "a.jpg": "a.jpg.png"}


FOLDER = [
    "a.jpg",
    "a.png",
    "a.jpg.png",
    "b.jpg",
    "sub/a.jpg",
    "c.JPG",
    "c.jpg",
    "g.jpg.jpg",
    "d.e.png",
    "x~0123456789ab.png",
]


def test_what_a_picture_is_split_and_degraded_by_depends_on_it_alone() -> None:
    def stems(files: list[str], prefix: str = "", root: str = "") -> dict[str, str]:
        names = name_files(files)
        table = pd.DataFrame({"name": [prefix + name for name in names], "file": [root + f for f in names.values()]})
        return dict(zip(names.values(), find_stems(table), strict=True))

    alone = {file: stems([file])[file] for file in FOLDER}
    assert alone["a.jpg"] == alone["a.png"] == "a"
    assert (alone["a.jpg.png"], alone["g.jpg.jpg"], alone["d.e.png"]) == ("a.jpg", "g.jpg", "d.e")
    assert stems(FOLDER) == alone
    assert stems(FOLDER, "test_source/", "/far/x/") == {file: f"test_source/{stem}" for file, stem in alone.items()}


NAMES_AND_FOLDERS = ["scan.jpg", "scan.png", "SCAN.png", "scan.png/page.jpg", "scan.jpg.png", "scan.jpg.png/x.png"]
ODD = [
    f"{'n' * 251}.png",
    f"{'語' * 83}.png",
    "end. .png",
    "con.png",
    "con/aux.jpg",
    "dot./x.png",
    "☃.png",
    "a b ü.png",
]


def test_places_are_different_files_on_any_disk() -> None:
    places = [place_file(name) for name in [*NAMES_AND_FOLDERS, *ODD]]
    assert len({str(place).casefold() for place in places}) == len(places)
    folders = {str(folder).casefold() for place in places for folder in place.parents}
    assert not folders & {str(place).casefold() for place in places}
    for place in places:
        assert place.suffix == ".png"
        for part in place.parts:
            assert len(part.encode()) <= 255
            assert part.split(".")[0].lower() not in {"con", "aux"}
            assert part[-1] not in ". "


def test_a_person_finds_a_picture_in_its_place() -> None:
    assert str(place_file("Süden/1998/Bild 2.png")).startswith("Süden/1998/Bild 2-")


def test_twins_match_in_both_forms_of_an_accent_and_keep_their_names() -> None:
    composed, decomposed = "s\u00fcd/a.png", "su\u0308d/a.jpg"
    for good, bad in ((composed, decomposed), (decomposed, composed)):
        twins = match_twins(key_by_name([good]), key_by_name([bad]), "here", ("picture", "twin"))
        assert twins == {good.rpartition(".")[0]: bad}


def test_names_that_are_no_unicode_are_told_in_what_can_be_printed() -> None:
    with pytest.raises(UserError) as caught:
        match_twins(key_by_name(["b\udcffd.png"]), key_by_name(["c.png"]), "here", ("picture", "twin"))
    assert "no twin belongs to b\\udcffd.png" in str(caught.value)
    assert match_twins(key_by_name(["b\udcffd.png"]), key_by_name(["b\udcffd.jpg"]), "here", ("picture", "twin")) == {
        "b\\udcffd": "b\\udcffd.jpg"
    }


@pytest.mark.parametrize("files", [["A.png", "a.jpg"], ["A.JPG", "a.JPG", "a.jpg"], ["A.JPG.png", "A.bmp", "a.jpg"]])
def test_names_are_different_files_on_a_disk_that_knows_no_case(files: list[str]) -> None:
    names = name_files(files)
    assert list(names.values()) == files
    assert len({name.casefold() for name in names}) == len(files)


def test_a_shape_counts_by_folder_and_suffix_and_is_short() -> None:
    assert summarise_files(FILES) == "*.jpg (1), a/*.jpg (1), a/*.png (1), a/b/*.jpg (1), x2/*.png (2)"
    assert summarise_files(f"{number:02}/a.jpg" for number in range(20)).endswith("07/*.jpg (1), ...")
    assert summarise_files([]) == "nothing"
