"""Which files of a folder are what, by globs; and which two are a pair, by what their wildcards stand for."""

import pytest

from uncrappify.sources.layout import match_globs, name_files, summarise_files

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


def test_a_name_is_the_path_without_suffix_unless_that_is_taken() -> None:
    assert name_files(["a.jpg", "a.png", "b/a.jpg"]) == {"a": "a.jpg", "a.png": "a.png", "b/a": "b/a.jpg"}


@pytest.mark.parametrize("files", [["A.png", "a.jpg"], ["A.JPG", "a.JPG", "a.jpg"], ["A.JPG.png", "A.bmp", "a.jpg"]])
def test_names_are_different_files_on_a_disk_that_knows_no_case(files: list[str]) -> None:
    names = name_files(files)
    assert list(names.values()) == files
    assert len({name.casefold() for name in names}) == len(files)


def test_a_shape_counts_by_folder_and_suffix_and_is_short() -> None:
    assert summarise_files(FILES) == "*.jpg (1), a/*.jpg (1), a/*.png (1), a/b/*.jpg (1), x2/*.png (2)"
    assert summarise_files(f"{number:02}/a.jpg" for number in range(20)).endswith("07/*.jpg (1), ...")
    assert summarise_files([]) == "nothing"
