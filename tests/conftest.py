"""Small synthetic pictures that several rooms' tests share."""

import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run
from PIL import Image

from uncrappify.datasets import PicturePairs
from uncrappify.degradations import Recipe
from uncrappify.sources import PictureSource
from uncrappify.tracking.run_copy import RunCopy


def pytest_configure() -> None:
    """Heed Ctrl-C, which the background jobs of a shell ignore, with all that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest first, whole commands and attacks: a worker takes a file at a time."""
    items.sort(key=lambda item: not {"benchmarks", "end_to_end"} & set(item.path.parts))


def synthetic(seed: int, width: int, height: int) -> Image.Image:
    """Coloured waves and a sharp edge, another picture for every seed."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x * a + y * b) for a, b in random.uniform(0.05, 0.6, (3, 2))]
    pixels = 128 + 60 * np.stack(waves, axis=-1)
    pixels[height // 3 :, width // 2 :] += random.uniform(-60, 60, 3)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def build_profile(gamma: float = 2.19921875, grey: bool = False) -> bytes:
    """An ICC profile of version 2: Adobe RGB (1998), or one of greys, with another gamma if so wished."""
    curve = b"curv" + struct.pack(">IIH2x", 0, 1, round(gamma * 256))
    columns = {b"r": (0.60974, 0.31111, 0.01947), b"g": (0.20528, 0.62567, 0.06087), b"b": (0.14919, 0.06322, 0.74457)}
    white = (0.9642, 1.0, 0.8249)

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ " + struct.pack(">I3i", 0, *(round(value * 65536) for value in values))

    name = b"Test"
    tags = {
        b"desc": b"desc" + struct.pack(">II", 0, len(name) + 1) + name + b"\0" + bytes(79),
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": xyz(white),
    }
    if grey:
        tags[b"kTRC"] = curve
    else:
        tags |= {key + b"XYZ": xyz(values) for key, values in columns.items()} | {
            key + b"TRC": curve for key in columns
        }
    place, table, content = 128 + 4 + 12 * len(tags), b"", b""
    for tag, value in tags.items():
        value += bytes(-len(value) % 4)
        table += tag + struct.pack(">II", place + len(content), len(value))
        content += value
    size = place + len(content)
    space = b"GRAY" if grey else b"RGB "
    head = struct.pack(">I4sI4s4s4s12s4s", size, b"test", 0x02400000, b"mntr", space, b"XYZ ", bytes(12), b"acsp")
    head = head.ljust(68, b"\0") + xyz(white)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


@pytest.fixture(scope="session")
def adobe_profile() -> bytes:
    """Adobe RGB (1998)."""
    return build_profile()


@pytest.fixture(scope="session")
def grey_profile() -> bytes:
    """Greys of gamma 1.8."""
    return build_profile(1.8, grey=True)


@pytest.fixture
def picture_source(tmp_path: Path) -> PictureSource:
    """Six pictures on disk: two for training, one to watch and three for the test, of sizes that 3 does not divide."""
    root = tmp_path / "good"
    root.mkdir()
    for number, name in enumerate("abcdef"):
        synthetic(number, 64 + number, 50 + 2 * number).save(root / f"{name}.png")
    return PictureSource(name="good", root=root, licence="CC0", own_split={"valid": ["c"], "test": ["d", "e", "f"]})


@pytest.fixture
def pairs() -> PicturePairs:
    """Four pictures in memory, degraded by factor 3 and JPEG 60."""
    recipe = Recipe.model_validate([{"resize": {"factor": 3}}, {"jpeg": {"quality": 60}}])
    targets = {name: synthetic(number, 60, 48) for number, name in enumerate("abcd")}
    degraded = {name: recipe.degrade(picture, name, 0) for name, picture in targets.items()}
    return PicturePairs(degraded, targets, list(targets), 3, pixels=2 * 4 * 60 * 48)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tensors as tiny as those of the tests are not worth a second thread, least of all on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of an MLflow store without runs, to copy: making its tables takes seconds."""
    file = tmp_path_factory.mktemp("empty") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture(scope="session")
def sqlite_store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URI of an MLflow store for all tests."""
    return f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('store') / 'mlflow.db')}"


@pytest.fixture
def experiment(sqlite_store: str, tmp_path: Path) -> Iterator[str]:
    """Id of a fresh experiment in the store, whose artifacts lie in the test's folder; nothing is left active."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(sqlite_store)
    identifier = mlflow.create_experiment(tmp_path.name, artifact_location=(tmp_path / "artifacts").as_uri())
    yield identifier
    mlflow.end_run()
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with data and weights for development, beside the repository or where UNCRAPPIFY_SHARED says."""
    folder = Path(os.environ.get("UNCRAPPIFY_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no data for development in {folder}; UNCRAPPIFY_SHARED names another folder")
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def server(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A second store, for the server that runs are copied to."""
    # A store without a server keeps files below the current folder.
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{shutil.copy(empty_store, tmp_path / 'server.db')}"


@pytest.fixture
def make_copy(sqlite_store: str, server: str, tmp_path: Path) -> Callable[[Run], RunCopy]:
    """What a process makes of what is noted; another one each time."""

    def make(run: Run) -> RunCopy:
        return RunCopy(run.info.run_id, sqlite_store, server, tmp_path / "sent" / f"{run.info.run_id}.json")

    return make
