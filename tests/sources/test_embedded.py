"""The photographs that ship inside installed packages."""

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from uncrappify.errors import UserError
from uncrappify.sources import EmbeddedOptions, Source, embedded, fetch


def test_every_photograph_of_the_table_is_collected_with_its_licence(tmp_path: Path) -> None:
    source = fetch(Source(), tmp_path)
    assert source.root == tmp_path / "embedded"
    assert {path.stem for path in source.root.iterdir()} == set(embedded.PHOTOGRAPHS)
    assert source.own_split == {"valid": ["rocket"], "test": ["chelsea", "coffee", "flower"]}
    assert source.groups == {"motorcycle_left": "motorcycle", "motorcycle_right": "motorcycle"}
    assert all(f"{name}: " in source.licence for name in embedded.PHOTOGRAPHS)


def test_the_test_pictures_are_in_no_group_with_a_training_picture() -> None:
    defaults = EmbeddedOptions()
    assert not set(embedded.GROUPS) & {*defaults.valid, *defaults.test}


def test_what_is_there_already_is_kept_and_what_was_cut_off_is_copied_again(tmp_path: Path) -> None:
    root = fetch(Source(), tmp_path).root
    whole = (root / "chelsea.png").stat().st_size
    (root / "chelsea.png").write_bytes(b"half")
    kept = (root / "rocket.jpg").stat()
    fetch(Source(), tmp_path)
    assert (root / "chelsea.png").stat().st_size == whole
    assert (root / "rocket.jpg").stat().st_ino == kept.st_ino


def test_collecting_imports_none_of_the_packages(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from uncrappify.sources import Source, fetch\n"
        f"fetch(Source(), Path({str(tmp_path)!r}))\n"
        "sys.exit(' '.join({'skimage', 'sklearn', 'matplotlib', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_a_version_without_one_of_the_photographs_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lost = {"rocket": embedded.Photograph("skimage", "data/lost.png", ""), "moon": embedded.Photograph("lost", "x", "")}
    monkeypatch.setattr(embedded, "PHOTOGRAPHS", embedded.PHOTOGRAPHS | lost)
    with caplog.at_level(logging.WARNING):
        source = fetch(Source(), tmp_path)
    assert caplog.messages == ["not in the installed packages, left out: moon, rocket"]
    assert source.own_split["valid"] == []
    assert "moon" not in source.licence


def test_no_photograph_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="the installed packages have no photographs"):
        fetch(Source(), tmp_path)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    source = Source(embedded=EmbeddedOptions(test=["chelsae"]))
    with pytest.raises(UserError, match=r"source\.embedded\.test: no embedded picture is called chelsae\. .*chelsea, "):
        fetch(source, tmp_path)


def test_a_name_in_both_splits_is_an_error(tmp_path: Path) -> None:
    source = Source(embedded=EmbeddedOptions(valid=["coffee"], test=["chelsea", "coffee"]))
    with pytest.raises(UserError, match="coffee cannot be in both valid and test"):
        fetch(source, tmp_path)


def test_two_pipelines_at_once_have_all_photographs(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for source in pool.map(lambda _: fetch(Source(), tmp_path), range(8)):
            assert {path.stem for path in source.root.iterdir()} == set(embedded.PHOTOGRAPHS)
