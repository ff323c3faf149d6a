"""The archives that the project's environments name are there as their layouts say."""

import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from uncrappify.sources.layout import match_globs

CONF = Path(__file__).parents[2] / "conf"


def archives() -> list[Any]:
    sections = {
        f"{file.parents[1].name}.{name}": section
        for file in sorted(CONF.glob("*/parameters/*.yml"))
        for name, section in yaml.safe_load(file.read_text(encoding="utf-8")).items()
    }
    return [
        pytest.param(source["archive"], id=f"{name}.{key}")
        for name, section in sections.items()
        for key in ("source", "test_source")
        if "file" in (source := section.get(key) or {}).get("archive", {})
    ]


@cache
def read_names(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()


@pytest.mark.parametrize("archive", archives())
def test_each_glob_of_a_layout_finds_files_in_the_archive(archive: dict[str, Any], shared: Path) -> None:
    file = shared / "data" / archive["file"]
    if not file.exists():
        pytest.skip(f"{file.name} is not in {file.parent}")
    names = read_names(file)
    globs = [glob for globs in archive.get("layout", {}).values() for glob in globs if "$" not in glob]
    assert [glob for glob in globs if not match_globs(names, [glob])] == []
