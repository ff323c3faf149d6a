"""The user's own folder, and every `--params` line that the README shows."""

import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

SMOKE = "kedro run --pipeline superres --params smoke=true"
README = Path(__file__).parents[2] / "README.md"


def shown_commands() -> list[str]:
    blocks = re.findall(r"```[^\n]*\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    ours = (line for line in lines if line.startswith("kedro run") and "--params" in line and "superres" in line)
    return list(dict.fromkeys(ours))


def content(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_readme_shows_how_to_use_own_pictures():
    assert "kedro run --pipeline superres --params pictures=~/Pictures" in shown_commands()


# The fixture smoke_run of test_smoke_run.py is that very command.
@pytest.mark.parametrize("command", [command for command in shown_commands() if command != SMOKE])
def test_a_line_of_the_readme_runs(command: str, project, pictures):
    before = content(pictures)
    words = command.replace("~/Pictures", str(pictures).replace(" ", "\0")).split()
    arguments = [word.replace("\0", " ") for word in words[1:]]
    parameters = arguments.index("--params") + 1
    arguments[parameters] += ",smoke=true" if "pictures=" in command else f",smoke=true,pictures={pictures}"
    done = project.kedro(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert content(pictures) == before
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    assert (run.data.metrics["pictures_usable"], run.data.metrics["pictures_unusable"]) == (12, 4)
    manifest = pd.read_parquet(project.root / "data/02_intermediate/superres/manifest.parquet")
    unusable = manifest[~manifest["usable"]].set_index("file")["reason"]
    assert set(unusable.index) == {"empty.jpg", "notes.jpg", "cut short.png", "once more.png"}
    assert unusable["once more.png"] == "same content as Bild 0"
    assert "Süden/1998/Bild 2" in set(manifest["name"])
    assert (project.root / "data/02_intermediate/superres/degraded/Süden/1998/Bild 2.png").is_file()
    if "lr_find=true" in command:
        assert (project.root / "data/08_reporting/superres/snapshots/lr_find.png").stat().st_size > 5_000
