"""A project of its own for each test, and Kedro's command line as a user has it: a new process each time."""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import multiprocessing
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from uncrappify.tracking.store_file import prepare_store

CHECKOUT = Path(__file__).parents[2]
COMMAND = Path(__file__).with_name("command.py")
FORKS = multiprocessing.get_context("forkserver")
# Nothing of Kedro, which looks at the current folder when it is imported, nor of the project.
FORKS.set_forkserver_preload(
    [
        "IPython",
        "alembic.command",
        "kedro_datasets",
        "lightning.pytorch",
        "mlflow.pyfunc",
        "mlflow.store.tracking.sqlalchemy_store",
        "pandas",
        "plotly.graph_objects",
        "skimage.metrics",
        "timm",
        "torchvision",
    ]
)
PATIENCE = 300

Archives = dict[str, dict[str, Image.Image]]
"""Name of an archive to its pictures by their names."""


class Command:
    """A command that runs in a process, and in a process group, of its own, as a shell has it."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> None:
        self._arguments = arguments
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = tuple(Path(self._folder.name) / name for name in ("stdout", "stderr"))
        for output in self._outputs:
            output.touch()
        said = {"arguments": arguments, "folder": folder, "environment": environment, "outputs": self._outputs}
        with pytest.MonkeyPatch.context() as patched:
            # Read when torch is imported, which the server does.
            patched.setenv("OMP_NUM_THREADS", "1")
            self._process = FORKS.Process(target=runpy.run_path, args=(str(COMMAND), said))
            self._process.start()

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """Wait for the end; give what was written to the two outputs."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self._arguments, timeout)
        stdout, stderr = (output.read_text(encoding="utf-8") for output in self._outputs)
        return stdout, stderr

    def kill(self) -> None:
        """End it with all that it has started, if it still runs."""
        if self.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.join()


@dataclass(frozen=True)
class Project:
    """A copy of the project's configuration in a folder of its own, with a store of its own."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def kedro(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return self._run("kedro", *arguments)

    def uncrappify(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the project's own to its end."""
        return self._run("uncrappify", *arguments)

    def kedro_from_scratch(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end as a shell does, libraries and all."""
        command = [sys.executable, "-m", "kedro", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, cwd=self.root, env=self._variables
        )

    def start(self, *arguments: str) -> Command:
        """Start a command."""
        return Command(("kedro", *arguments), self.root, self._variables)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = Command(arguments, self.root, self._variables)
        try:
            stdout, stderr = command.communicate()
        finally:
            command.kill()
        return subprocess.CompletedProcess(arguments, command.returncode or 0, stdout, stderr)

    def runs(self) -> list[Run]:
        """All runs in the store, the oldest first."""
        experiment = self.client.get_experiment_by_name("uncrappify")
        return self.client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.root / 'mlflow.db'}")

    @property
    def log(self) -> str:
        return (self.root / "uncrappify.log").read_text(encoding="utf-8")

    @property
    def smoke(self) -> Path:
        """The folder in which smoke runs keep everything."""
        return self.root / "data" / "smoke"

    def history(self) -> list[dict[str, Any]]:
        """What a training has measured so far."""
        file = self.root / "data/06_models/superres/checkpoints/history.jsonl"
        lines = file.read_text().splitlines() if file.is_file() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def environment_file(self, name: str, text: str) -> None:
        """Add ``conf/<name>/parameters.yml``."""
        folder = self.root / "conf" / name
        folder.mkdir(exist_ok=True)
        (folder / "parameters.yml").write_text(text, encoding="utf-8")

    def leftovers(self) -> list[Path]:
        """What a process that did not end cleanly leaves below ``data``."""
        return list((self.root / "data").rglob(".*.partial*"))

    @property
    def _variables(self) -> dict[str, str]:
        # Compiled once: a command would else compile the whole package anew.
        own = ("MLFLOW_", "PYTHONDONTWRITEBYTECODE")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        # One thread: tiny networks gain nothing from more, and lose much on a machine that is busy.
        fixed = {"PYTHONPATH": str(CHECKOUT / "src"), "COLUMNS": "100", "OMP_NUM_THREADS": "1"}
        return inherited | fixed | self.environment


@cache
def make_store() -> Path:
    """Make a store without runs, once: MLflow takes two seconds for it."""
    file = Path(tempfile.mkdtemp(prefix="uncrappify-store-")) / "mlflow.db"
    atexit.register(shutil.rmtree, file.parent)
    prepare_store(f"sqlite:///{file}")
    return file


def copy_project(root: Path, *, store: bool = True) -> Project:
    """Copy what a fresh clone has, apart from the code, which stays where it is.

    Args:
        root: The project's folder.
        store: Whether MLflow's store is there already, without runs, as it is not in a fresh clone.
    """
    root.mkdir(exist_ok=True)
    if store:
        shutil.copy(make_store(), root / "mlflow.db")
    for name in (".telemetry", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, root / name)
    shutil.copytree(CHECKOUT / "conf", root / "conf", ignore=shutil.ignore_patterns("local"))
    # Kedro wants the folder; the package comes by PYTHONPATH.
    for folder in ("src", "data", "conf/local"):
        (root / folder).mkdir()
    return Project(root)


@pytest.fixture(scope="session")
def make_project() -> Callable[[Path], Project]:
    """Make projects where a test wants them."""
    return copy_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return copy_project(tmp_path / "project")


@dataclass(frozen=True)
class Finished:
    """A project, and what its run said."""

    project: Project
    stdout: str
    stderr: str
    commit: str


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One smoke run on the embedded photographs, in a git checkout."""
    project = copy_project(tmp_path_factory.mktemp("smoke"), store=False)
    git = ["git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "start"]):
        subprocess.run([*git, *command], cwd=project.root, check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], cwd=project.root, check=True, capture_output=True, text=True)
    done = project.kedro_from_scratch("run", "--pipeline", "superres", "--params", "smoke=true")
    assert done.returncode == 0, done.stderr
    return Finished(project, done.stdout, done.stderr, commit.stdout.strip())


@pytest.fixture
def trained(smoke_run: Finished, tmp_path: Path) -> Project:
    """A copy of the project after its smoke run, to change at will."""
    root = shutil.copytree(smoke_run.project.root, tmp_path / "trained")
    return Project(root)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A user's folder: a name with a space and an umlaut, subfolders, 12 good pictures and four that are not."""
    folder = tmp_path / "meine schönen Bilder"
    (folder / "Süden/1998").mkdir(parents=True)
    for number in range(12):
        places = (folder, folder / "Süden", folder / "Süden/1998")
        draw_picture(number).save(places[number % 3] / f"Bild {number}.png")
    whole = (folder / "Bild 0.png").read_bytes()
    (folder / "empty.jpg").touch()
    (folder / "notes.jpg").write_text("not a picture")
    (folder / "cut short.png").write_bytes(whole[: len(whole) // 2])
    (folder / "once more.png").write_bytes(whole)
    return folder


def draw_picture(seed: int) -> Image.Image:
    """Waves in three colours, 120 x 96."""
    y, x = np.mgrid[0:96, 0:120]
    waves = [np.sin(x * a + y * b) for a, b in np.random.default_rng(seed).uniform(0.05, 0.6, (3, 2))]
    return Image.fromarray((128 + 100 * np.stack(waves, axis=-1)).astype(np.uint8))


@pytest.fixture
def started() -> Iterator[Callable[..., Command]]:
    """Start commands that are ended with the test, whatever happens."""
    commands: list[Command] = []

    def start(project: Project, *arguments: str) -> Command:
        commands.append(project.start(*arguments))
        return commands[-1]

    yield start
    for command in commands:
        command.kill()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object], Command], None]:
    """Wait for something that a running command does; it must not end before."""

    def wait(condition: Callable[[], object], command: Command) -> None:
        while not condition():
            assert command.returncode is None, command.communicate()
            time.sleep(0.1)

    return wait


class Server:
    """`mlflow server` with a store and artifacts of its own, behind one address."""

    def __init__(self, root: Path, store: str | None = None, files: str | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.root = root
        self.store = store or f"sqlite:///{root}/server.db"
        self.files = files or str(root / "files")
        self._process: subprocess.Popen[bytes]

    def start(self) -> Server:
        """Start it, and wait until it answers."""
        store = ["--backend-store-uri", self.store]
        files = ["--artifacts-destination", self.files]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self.port), *store, *files],
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            assert self._process.poll() is None
            try:
                with urlopen(f"{self.address}/version", timeout=5):
                    return self
            except (URLError, TimeoutError, ConnectionError):
                time.sleep(0.2)

    def send(self, what: signal.Signals) -> None:
        """Send a signal to all its processes."""
        os.killpg(self._process.pid, what)
        if what == signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        """End it."""
        self.send(signal.SIGKILL)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.address)

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        experiment = self.client.get_experiment_by_name("uncrappify")
        found = self.client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
        return list(found)


@pytest.fixture
def make_server() -> type[Server]:
    """Make servers where a test wants others than the usual one."""
    return Server


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[Server]:
    """A server that is there."""
    (tmp_path / "server").mkdir()
    made = Server(tmp_path / "server").start()
    yield made
    made.stop()


@pytest.fixture
def mirror(tmp_path: Path) -> Callable[[Archives], Path]:
    def write(archives: Archives) -> Path:
        folder = tmp_path / "mirror"
        folder.mkdir()
        sums = ""
        for file, pictures in archives.items():
            with tarfile.open(folder / file, "w:gz" if file.endswith("gz") else "w") as tar:
                for name, picture in pictures.items():
                    content = io.BytesIO()
                    picture.save(content, "JPEG" if name.endswith("jpg") else "PNG")
                    entry = tarfile.TarInfo(name)
                    entry.size = len(content.getvalue())
                    tar.addfile(entry, io.BytesIO(content.getvalue()))
            sums += f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file}\n"
        (folder / "SHA256SUMS").write_text(sums)
        return folder

    return write
