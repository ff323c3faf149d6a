"""Every picture has a place of its own, and none of them lies outside the output folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from uncrappify.application.inputs import check_output, find_inputs, plan
from uncrappify.errors import UserError

OUT = Path("/out")


def same(suffix: str) -> tuple[str, ...]:
    return (suffix,)


def png(_: str) -> tuple[str, ...]:
    return (".png",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in ("a.jpg", "b/c.png", "b/d/e.webp", "b/.hidden.png", "notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / name, "PNG") if name != "notes.txt" else (root / name).write_text("x")
    return root


def places(*inputs: object) -> list[str]:
    return [one.place for one in find_inputs([str(given) for given in inputs])]


def test_a_folder_keeps_its_structure(folder: Path) -> None:
    assert places(folder) == ["a.jpg", "b/c.png", "b/d/e.webp"]
    jobs = plan(find_inputs([str(folder)]), OUT, "", same)
    assert [str(job.targets[0]) for job in jobs] == ["/out/a.jpg", "/out/b/c.png", "/out/b/d/e.webp"]


def test_a_file_has_its_name_whatever_lies_before_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "b")
    assert places("../a.jpg", folder / "b" / ".." / "b" / "c.png") == ["a.jpg", "c.png"]
    assert [job.targets for job in plan(find_inputs(["../a.jpg"]), OUT, "", same)] == [(OUT / "a.jpg",)]


def test_a_glob_keeps_what_its_wildcards_stand_for(folder: Path) -> None:
    assert places(folder / "**" / "*.*g") == ["a.jpg", "b/c.png"]
    assert places(folder / "b" / "*.png") == ["c.png"]
    with pytest.raises(UserError, match=r"no file has a name like that"):
        places(folder / "*.tif")


def test_a_file_is_not_done_twice(folder: Path) -> None:
    assert places(folder / "a.jpg", folder, folder / "a.jpg") == ["a.jpg", "b/c.png", "b/d/e.webp"]


def test_a_name_with_wildcards_in_it_is_a_name(folder: Path) -> None:
    (folder / "a[1].png").write_bytes((folder / "a.jpg").read_bytes())
    assert places(folder / "a[1].png") == ["a[1].png"]


def test_what_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        places(folder / "z.png")
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match="no picture in it"):
        places(folder / "empty")


def test_pictures_that_differ_in_their_suffix_keep_it(folder: Path) -> None:
    (folder / "a.png").write_bytes((folder / "a.jpg").read_bytes())
    (folder / "A.webp").write_bytes((folder / "a.jpg").read_bytes())
    jobs = plan(find_inputs([str(folder)]), OUT, "_x", png)
    named = [job.targets[0].name for job in jobs]
    assert named == ["A.webp_x.png", "a.jpg_x.png", "a.png_x.png", "c_x.png", "e_x.png"]


def test_two_that_would_be_written_to_one_name_are_refused(folder: Path) -> None:
    (folder / "b" / "a.jpg").write_bytes((folder / "a.jpg").read_bytes())
    with pytest.raises(UserError, match=r"a.jpg, .*b/a.jpg would be written to one name, a.jpg"):
        plan(find_inputs([str(folder / "a.jpg"), str(folder / "b" / "a.jpg")]), OUT, "", same)


def test_no_result_takes_the_place_of_a_picture(folder: Path) -> None:
    with pytest.raises(UserError, match="is an input, and a result would take its place"):
        plan(find_inputs([str(folder / "*.jpg")]), folder, "", same)
    # Through a link, too.
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(UserError, match="is an input"):
        plan(find_inputs([str(folder / "*.jpg")]), folder.parent / "link", "", same)


def test_results_beside_the_pictures_are_no_pictures_of_the_next_run(folder: Path) -> None:
    (folder / "a_x.jpg").write_bytes((folder / "a.jpg").read_bytes())
    jobs = plan(find_inputs([str(folder)]), None, "_x", same)
    assert [job.name for job in jobs] == ["a.jpg", "b/c.png", "b/d/e.webp"]
    assert jobs[1].targets == (folder / "b" / "c_x.png",)
    with pytest.raises(UserError, match="results themselves"):
        plan(find_inputs([str(folder / "a_x.jpg")]), None, "_x", same)


@pytest.mark.parametrize("inside", ["", "out", "b/d/out"])
def test_the_output_does_not_lie_in_the_input(folder: Path, inside: str) -> None:
    with pytest.raises(UserError, match="lies in the input folder"):
        check_output(folder / inside, [str(folder)])
    check_output(folder.parent / "in2", [str(folder)])


def test_the_output_is_no_file(folder: Path) -> None:
    with pytest.raises(UserError, match="is a file, not a folder"):
        check_output(folder / "a.jpg", [str(folder / "b")])
    with pytest.raises(UserError, match="is a file, not a folder"):
        check_output(folder / "a.jpg" / "deeper", [str(folder / "b")])


def test_an_output_without_permission_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder / "b")
    with pytest.raises(UserError, match="no permission to write"):
        check_output(folder / "b" / "out", [str(folder / "a.jpg")])


def test_links_of_an_input_folder_are_followed_by_name_and_loops_end(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.png").write_bytes((folder / "a.jpg").read_bytes())
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    (folder / "one.png").symlink_to(tmp_path / "elsewhere" / "x.png")
    jobs = plan(find_inputs([str(folder)]), OUT, "", same)
    assert [str(job.targets[0]) for job in jobs][-2:] == ["/out/link/x.png", "/out/one.png"]
    assert all(job.targets[0].resolve().is_relative_to(OUT) for job in jobs)
