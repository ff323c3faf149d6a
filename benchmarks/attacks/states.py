"""State files: what a run leaves behind for the next one, broken in every way, is recovered or told in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from kedro.io import DataCatalog
from PIL import Image
from plotly.graph_objects import Figure, Scatter

from attacks.mutation import Tally, mutate
from uncrappify.cli import explain
from uncrappify.datasets import PictureFolder, Pictures, TrainingRun
from uncrappify.datasets.training_run import TrainingState
from uncrappify.degradations import Recipe
from uncrappify.pipelines import nodes as shared
from uncrappify.pipelines.restoration import nodes
from uncrappify.sources import PictureSource

CATALOG = Path(__file__).parents[2] / "conf/base/catalog.yml"
RECIPE = Recipe.model_validate([{"resize": {"factor": 2}}])
PICTURES = 6
MUTATIONS_EACH = 9
TABLES = ("class_pixels", "history", "scores", "comparison", "class_scores")
Attempt = Callable[[], str | None]


def attack(folder: Path, seed: int, share: float) -> Tally:
    """Break each state file of a small run in each way, and let the next run read it.

    Args:
        folder: For the run.
        seed: Of the damage.
        share: Of the attacks.

    Returns:
        What was tried; survived is a value of the right type, or one sentence that names the file.
    """
    tally = Tally("state files")
    catalog = _leave_behind(folder)
    attacks = [
        (f"{file.relative_to(folder)}, {way}", partial(_try, file, content, read))
        for file, read in _find_readers(folder, catalog)
        for way, content in _break(file, seed)
    ]
    every = max(1, round(1 / share))
    for name, attempt in attacks[seed % every :: every]:
        tally.count(name, attempt)
    return tally


def _leave_behind(folder: Path) -> DataCatalog:
    """Make all datasets of a pipeline without training, as its nodes make them."""
    text = CATALOG.read_text(encoding="utf-8").replace(" data/", f" {folder.as_posix()}/data/")
    catalog = DataCatalog.from_config(yaml.safe_load(text))
    root = folder / "pictures"
    root.mkdir()
    random = np.random.default_rng(0)
    for number in range(PICTURES):
        Image.fromarray(random.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(root / f"p{number}.png")
    raw = PictureSource(name="attacked", root=root, licence="CC0")
    manifest, counts = nodes.list_pictures(raw)
    degraded, draws, _ = nodes.crappify(raw, manifest, RECIPE, 42)
    rows = pd.DataFrame({"name": ["a", "b"], "value": [0.25, 4.0]})
    made: dict[str, Any] = {"raw": raw, "manifest": manifest, "degraded": degraded, "draws": draws}
    made |= {"split": shared.split(raw, manifest), "layers": rows, "model_card": "# A model\n"}
    made |= dict.fromkeys(TABLES, rows) | dict.fromkeys(("curves", "confusion"), Figure(Scatter(x=[1, 2], y=[3, 4])))
    made |= dict.fromkeys(("listing_metrics", "training_metrics", "test_metrics"), counts)
    for name, value in made.items():
        catalog.save(f"superres.{name}", value)
    run: TrainingRun = catalog.load("superres.run")
    run.claim("0123", 0, {"version": "0"})
    return catalog


def _find_readers(folder: Path, catalog: DataCatalog) -> Iterator[tuple[Path, Callable[[], Any]]]:
    """Find each state file, and what reads it."""
    for file in sorted((folder / "data").rglob("*.*")):
        match file.name:
            case "index.json":
                yield file, partial(_degrade_again, catalog)
                yield file, partial(_load, catalog, "degraded", Pictures)
            case "training.json":
                yield file, lambda: _require(catalog.load("superres.run").state, TrainingState)
            case "README.md":
                yield file, partial(_load, catalog, "model_card", str)
            case "superres.json":
                yield file, partial(_load, catalog, "raw", PictureSource)
            case _ if file.suffix in {".parquet", ".csv"}:
                yield file, partial(_load, catalog, file.stem, pd.DataFrame)
            case _ if file.suffix == ".json":
                kind = Figure if file.stem in {"curves", "confusion"} else dict
                yield file, partial(_load, catalog, file.stem, kind)
    # An interrupted run has left this in the place of the index.
    journal = folder / "data/02_intermediate/superres/degraded/index.partial.jsonl"
    index = json.loads(journal.with_name("index.json").read_text(encoding="utf-8"))
    journal.write_text("".join(json.dumps({**entry, "name": name}) + "\n" for name, entry in index.items()), "utf-8")
    yield journal, partial(_degrade_again, catalog)


def _break(file: Path, seed: int) -> Iterator[tuple[str, bytes | None]]:
    """Break a file in the ways of disks and killed programs, and in those of its format."""
    content = file.read_bytes()
    yield from mutate(content, seed, MUTATIONS_EACH)
    yield "missing", None
    yield "not UTF-8", content[: len(content) // 2] + b"\xff\xfe" + content[len(content) // 2 :]
    yield "deep", b"[" * 100_000 + b"]" * 100_000
    others: list[Any] = [[], {}, "text", 1, None, [[]], {"a": None}]
    for value in others:
        yield f"{json.dumps(value)} inside", json.dumps(value).encode()
    if file.suffix == ".json":
        values = json.loads(content)
        for key in values:
            yield f"{key} missing", json.dumps({**values, key: None}).encode()
            yield f"{key} of another type", json.dumps({**values, key: [{"a": 1}]}).encode()
    elif file.suffix == ".parquet":
        table = pd.read_parquet(BytesIO(content))
        for column in table:
            yield f"without {column}", table.drop(columns=str(column)).to_parquet()
        yield "no rows", table.head(0).to_parquet()


def _try(file: Path, content: bytes | None, read: Callable[[], str | None]) -> str | None:
    """Put a broken file into the place of the sound one, read it, and say what is wrong with what came of it."""
    sound = {path: path.read_bytes() for path in file.parent.rglob("*") if path.is_file()}
    try:
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        return read()
    except Exception as error:
        # What the command line would say.
        message = explain(error)
        if message is None:
            raise
        return None if str(file.parent) in message and "\n" not in message else f"says {message}"
    finally:
        for path in file.parent.rglob("*"):
            if path.is_file() and path not in sound:
                path.unlink()
        for path, was in sound.items():
            path.write_bytes(was)


def _load(catalog: DataCatalog, name: str, kind: type) -> str | None:
    return _require(catalog.load(f"superres.{name}"), kind)


def _require(value: object, kind: type) -> str | None:
    return None if isinstance(value, kind) else f"gives {type(value).__name__} for {kind.__name__}"


def _degrade_again(catalog: DataCatalog) -> str | None:
    """Let the node run again: whatever its index says, the pictures are those that they were."""
    raw, manifest = catalog.load("superres.raw"), catalog.load("superres.manifest")
    planned, _, _ = nodes.crappify(raw, manifest, RECIPE, 42)
    folder = catalog["superres.degraded"]
    assert isinstance(folder, PictureFolder)
    folder.save(planned)
    found = folder.load()
    right = {name: picture() for name, picture in planned.items()}
    return None if {name: found[name] for name in found} == right else "other pictures than before"
