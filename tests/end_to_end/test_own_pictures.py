"""The user's own folder: what becomes of it, and of the pictures in it that cannot be used."""

import hashlib
from pathlib import Path

import pandas as pd

PARAMETERS = "smoke=true,superres.seed=7,superres.training.lr_find=true,superres.model.upscaler.channels=8"


def content(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_users_folder_is_learned_from_and_left_alone(project, pictures):
    before = content(pictures)
    done = project.kedro("run", "--pipeline", "superres", "--params", f"{PARAMETERS},pictures={pictures}")
    assert (done.returncode, done.stderr) == (0, "")
    assert content(pictures) == before
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    assert run.data.params["superres.source.folder.path"] == str(pictures)
    assert (run.data.params["superres.seed"], run.data.params["superres.model.upscaler.channels"]) == ("7", "8")
    assert (run.data.metrics["pictures_usable"], run.data.metrics["pictures_unusable"]) == (12, 4)
    manifest = pd.read_parquet(project.smoke / "02_intermediate/superres/manifest.parquet")
    unusable = manifest[~manifest["usable"]].set_index("file")["reason"]
    assert set(unusable.index) == {"empty.jpg", "notes.jpg", "cut short.png", "once more.png"}
    assert unusable["once more.png"] == "same content as Bild 0"
    assert "Süden/1998/Bild 2" in set(manifest["name"])
    assert len(list((project.smoke / "02_intermediate/superres/degraded/Süden/1998").glob("Bild 2-*.png"))) == 1
    assert (project.smoke / "08_reporting/superres/snapshots/lr_find.png").stat().st_size > 5_000
