"""The table of a batch grows, goes on, and is whole at any time."""

from __future__ import annotations

from pathlib import Path

from uncrappify.application.table import ResultTable


def test_a_table_goes_on_and_is_sorted(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "classes.csv"
    table = ResultTable(file, fresh=False)
    table.add("b.png", {"class": "cat, black", "probability": "0.9"})
    assert not file.exists()
    table.write()
    table = ResultTable(file, fresh=False)
    assert "b.png" in table
    table.add("a.png", {"class": "dög", "probability": "0.5"})
    table.write()
    assert file.read_text(encoding="utf-8") == ('picture,class,probability\na.png,dög,0.5\nb.png,"cat, black",0.9\n')
    assert "b.png" not in ResultTable(file, fresh=True)


def test_a_file_of_somebody_else_is_no_table(tmp_path: Path) -> None:
    file = tmp_path / "classes.csv"
    for content in (b"\xff\xfe\x00", b"", b"name;class\na;b\n", b"picture,class\na.png,cat,more\n"):
        file.write_bytes(content)
        assert "a.png" not in ResultTable(file, fresh=False)
