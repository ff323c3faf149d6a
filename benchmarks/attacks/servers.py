"""An MLflow server that misbehaves: a run is told to be unsent, in time, and is there once when the server is well.

The server is MLflow's own, in this process, behind a listener that answers one kind of question in a way of its own.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import DatasetInput, LoggedModelOutput, LoggedModelStatus, Metric, Run
from werkzeug.test import Client

from attacks.mutation import Tally
from uncrappify.errors import UserError
from uncrappify.tracking import run_copy, server
from uncrappify.tracking.artifacts import Refused
from uncrappify.tracking.run_copy import LOCAL_RUN, RunCopy
from uncrappify.tracking.sent import Sent

TIMEOUT = 2
"""Seconds for an answer, as long as the server misbehaves."""

PATIENCE = 30
"""Seconds for an answer of a sound one, on a busy machine."""

CALLS = {
    "version": r"/version$",
    "experiments": r"/experiments/search$",
    "experiment by name": r"/experiments/get-by-name$",
    "new experiment": r"/experiments/create$",
    "runs": r"/runs/search$",
    "new run": r"/runs/create$",
    "run": r"/runs/get$",
    "batch": r"/runs/log-batch$",
    "inputs": r"/runs/log-inputs$",
    "history": r"/metrics/get-history$",
    "end": r"/runs/update$",
    "models": r"/logged-models/search$",
    "new model": r"/logged-models$",
    "model": r"/logged-models/m-[^/]*$",
    "outputs": r"/runs/outputs$",
    "file": r"/mlflow-artifacts/artifacts/.+",
    "files": r"/mlflow-artifacts/artifacts$",
    "anything": "",
}
"""What is asked for, to its path."""


def _answer(handler: Any, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def _say(body: bytes, status: int = 200, **headers: str) -> Callable[[Any], None]:
    return lambda handler: _answer(handler, body, status, **headers)


def _drip_headers(handler: Any) -> None:
    for sign in b"HTTP/1.0 200 OK\r\nX-Drip: " + b"." * 10_000:
        handler.wfile.write(bytes([sign]))
        time.sleep(0.1)


def _drip_body(handler: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(10_000):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def _talk(handler: Any, piece: bytes, **headers: str) -> None:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    while True:
        handler.wfile.write(piece)


def _close(handler: Any) -> None:
    handler.close_connection = True


def _cut(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"run": {')


ANSWERS: dict[str, Callable[[Any], None]] = {
    "drips headers": _drip_headers,
    "drips": _drip_body,
    "hangs": lambda _: time.sleep(3 * TIMEOUT),
    "closes at once": _close,
    "stops in the middle": _cut,
    "never stops talking": lambda handler: _talk(handler, b"9" * (1 << 20)),
    "sends a bomb": _say(gzip.compress(bytes(1 << 30), 1), Content_Encoding="gzip"),
    "sends broken gzip": _say(b"{}", Content_Encoding="gzip"),
    "shows a page": _say(b"<html>Please log in</html>", Content_Type="text/html"),
    "says nothing": _say(b""),
    "says {}": _say(b"{}", Content_Type="application/json"),
    "says a list": _say(b"[1, 2]", Content_Type="application/json"),
    "says wrong types": _say(
        b'{"run": 1, "runs": {}, "experiment": [], "model": "x", "files": 3, "metrics": 7}',
        Content_Type="application/json",
    ),
    "says garbage": _say(bytes(range(256))),
    "says deep JSON": _say(b"[" * 100_000, Content_Type="application/json"),
    "says what a terminal obeys": _say(b"\x1b]0;owned\x07\x1b[2J\nline", 400),
    "lets nobody in": _say(b"no", 401),
    "forbids it": _say(b"no", 403),
    "knows nothing": _say(b"", 404),
    "is busy": _say(b"later", 429, Retry_After="86400"),
    "is broken": _say(b"Traceback", 500),
    "is away": _say(b"", 503, Retry_After="86400"),
    "sends on to itself": lambda handler: _answer(handler, b"", 307, Location=handler.path),
    "sends on to a file": _say(b"", 302, Location="file:///etc/passwd"),
    "sends on to another host": _say(b"", 302, Location="http://127.0.0.1:9/login"),
    "moves without a place": _say(b"", 302),
    "says not modified": _say(b"", 304),
}
"""Ways of answering that need no knowledge of the question."""

FOLDERS = {
    "a file:": "file://{outside}",
    "a FILE:": "FILE://{outside}",
    "a file: of a host": "file://localhost{outside}",
    "a path": "{outside}",
    "a relative path": "./outside",
    "no folder": "",
    "another run": "runs:/0123456789abcdef/x",
    "a model": "models:/m-0123456789abcdef",
    "a scheme of nobody": "nobody://{outside}",
    "another way up": "mlflow-artifacts:/../../../../../{outside}",
}
"""What a server may name for files."""


@dataclass
class Strange:
    """A listener before MLflow's server.

    Attributes:
        sound: MLflow's server.
        asked: Which paths are answered in another way, while there is one.
        answer: Gives the other answer.
        change: Changes MLflow's answers instead.
    """

    sound: Client
    asked: str | None = None
    answer: Callable[[Any], None] | None = None
    change: Callable[[bytes], bytes] | None = None
    address: str = field(init=False)

    def handle(self, handler: Any) -> None:
        """Answer a question."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        strange = self.asked is not None and re.search(self.asked, handler.path.partition("?")[0])
        if strange and self.answer:
            self.answer(handler)
            return
        kept = {name: value for name, value in handler.headers.items() if name != "Content-Length"}
        given = self.sound.open(handler.path, method=handler.command, data=body, headers=kept)
        content = given.get_data()
        if strange and self.change:
            content = self.change(content)
        _answer(handler, content, given.status_code, Content_Type=given.headers.get("Content-Type", "text/plain"))


@contextmanager
def serve(folder: Path) -> Iterator[Strange]:
    """Serve MLflow from a folder.

    Args:
        folder: For its store and files.

    Yields:
        The server, which behaves until it is told not to.
    """
    names = ("_MLFLOW_SERVER_FILE_STORE", "_MLFLOW_SERVER_ARTIFACT_DESTINATION", "_MLFLOW_SERVER_ARTIFACT_ROOT")
    values = (f"sqlite:///{folder}/server.db", str(folder / "files"), "mlflow-artifacts:/")
    given = dict(zip(names, values, strict=True)) | {"_MLFLOW_SERVER_SERVE_ARTIFACTS": "true"}
    before = {name: os.environ.get(name) for name in given}
    os.environ |= given
    from mlflow.server import app, handlers

    handlers._tracking_store = handlers._artifact_repo = None
    strange = Strange(Client(app))

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            with suppress(OSError):
                strange.handle(self)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the library's names

        def log_message(self, *arguments: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    strange.address = f"http://127.0.0.1:{listener.server_port}"
    Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield strange
    finally:
        listener.shutdown()
        listener.server_close()
        handlers._tracking_store = handlers._artifact_repo = None
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def make_run(store: str, folder: Path, name: str) -> Run:
    """Make a run with all that a training logs, small.

    Args:
        store: Address of the store.
        folder: For its files.
        name: Of its experiment.
    """
    import pandas as pd

    client = MlflowClient(store)
    experiment = client.create_experiment(name, artifact_location=(folder / "artifacts" / name).as_uri())
    run_id = client.create_run(experiment, run_name=name, tags={"env": "local"}).info.run_id
    client.log_param(run_id, "seed", 42)
    points = [Metric("train_loss", 1 / (1 + step), 1_800_000_000_000 + step, step) for step in range(5)]
    client.log_batch(run_id, metrics=points)
    data = from_pandas(pd.DataFrame({"name": ["a"]}), name="split")
    client.log_inputs(run_id, [DatasetInput(data._to_mlflow_entity())])
    client.log_text(run_id, "a: 1", "parameters.yml")
    client.log_text(run_id, "weights", "models/model.txt")
    model = client.create_logged_model(experiment, "model", run_id)
    (folder / "weights").write_text("1 2 3")
    client.log_model_artifact(model.model_id, str(folder / "weights"))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
    client.set_terminated(run_id)
    return client.get_run(run_id)


def find_fault(here: Run, store: str, there: Path) -> str | None:
    """Say what of a run is not on the server, or is there twice, or in nobody's way.

    Args:
        here: The run in the project's store.
        store: Address of that.
        there: The server's folder.
    """
    client = MlflowClient(f"sqlite:///{there}/server.db")
    experiment = client.get_experiment_by_name(here.info.run_name)
    if experiment is None:
        return "nothing is there"
    runs = client.search_runs([experiment.experiment_id])
    if len(runs) != 1:
        return f"there are {len(runs)} runs"
    (run,) = runs
    losses = [
        [(point.value, point.timestamp, point.step) for point in one.get_metric_history(run_id, "train_loss")]
        for one, run_id in ((MlflowClient(store), here.info.run_id), (client, run.info.run_id))
    ]
    models = client.search_logged_models([experiment.experiment_id])
    files = sorted(path.name for path in (there / "files" / experiment.experiment_id).rglob("*") if path.is_file())
    expected = {
        "tag": (run.data.tags.get(LOCAL_RUN), here.info.run_id),
        "status": (run.info.status, "FINISHED"),
        "parameters": (run.data.params, {"seed": "42"}),
        "metrics": tuple(losses),
        "data": (len(run.inputs.dataset_inputs if run.inputs else []), 1),
        "models": ([one.status for one in models], [LoggedModelStatus.READY]),
        "outputs": (len(run.outputs.model_outputs if run.outputs else []), 1),
        "files": (files, ["model.txt", "parameters.yml", "weights"]),
    }
    return next((f"{name}: {found}, not {right}" for name, (found, right) in expected.items() if found != right), None)


def _all_attacks(outside: Path) -> dict[str, tuple[str, Callable[[Any], None] | None, Callable[[bytes], bytes] | None]]:
    """Give name to what is asked for, another answer to it, and a change of MLflow's."""
    found: dict[str, Any] = {}
    for way, answer in ANSWERS.items():
        for call in ("anything", "file"):
            found[f"{call}: {way}"] = CALLS[call], answer, None
    for call, asked in CALLS.items():
        for way in ("closes at once", "says {}", "says wrong types"):
            found[f"{call}: {way}"] = asked, ANSWERS[way], None
    for call in ("version", "experiments", "new run", "batch", "end"):
        found[f"{call}: drips"] = CALLS[call], ANSWERS["drips"], None
    for way in ("never stops talking", "shows a page", "is busy", "is broken", "sends on to another host"):
        found[f"version: {way}"] = CALLS["version"], ANSWERS[way], None
    for name, uri in FOLDERS.items():
        named = json.dumps(uri.format(outside=outside)).encode()
        change = partial(re.sub, rb'("artifact_(?:uri|location)":\s*)"[^"]*"', rb"\1" + named.replace(b"\\", b"\\\\"))
        found[f"files belong in {name}"] = r"/runs/(get|create|search)$|/logged-models", None, change
    endless = b'{"metrics": [{"key": "train_loss", "value": 1, "timestamp": 1, "step": 1}], "next_page_token": "more"}'
    found["history: has no last page"] = CALLS["history"], _say(endless, Content_Type="application/json"), None
    for version in ("9" * 5000 + ".0", "3.0" + "9" * 100_000, "3.\x1b[2J", "2.9.2", "-3.1", "3.\n1"):
        found[f"version: {version[:6]!a}"] = CALLS["version"], _say(version.encode()), None
    return found


def attack(folder: Path, seed: int, share: float) -> Tally:
    """Let a server misbehave in each of many ways.

    Args:
        folder: For stores and files.
        seed: Chooses the ways.
        share: Of the ways.
    """
    tally = Tally("ways of a server")
    store, outside = f"sqlite:///{folder}/store.db", folder / "outside"
    ways = _all_attacks(outside)
    chosen = np.random.default_rng(seed).permutation(list(ways))[: max(1, round(share * len(ways)))]
    before, variables = mlflow.get_tracking_uri(), {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
    variables |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(PATIENCE)}
    kept = {name: os.environ.get(name) for name in variables}
    os.environ |= variables
    limits = server.TIMEOUT, run_copy.HISTORY_SECONDS
    server.TIMEOUT, run_copy.HISTORY_SECONDS, place = TIMEOUT, 4 * TIMEOUT, Path.cwd()
    mlflow.set_tracking_uri(store)
    # Making the tables takes seconds.
    MlflowClient(store).search_experiments()
    shutil.copy(folder / "store.db", folder / "server.db")
    (folder / "here").mkdir()
    os.chdir(folder / "here")
    try:
        with serve(folder) as strange:
            for number, name in enumerate(chosen):
                run = make_run(store, folder, f"run {number}")
                tally.count(name, partial(_try, strange, ways[name], run, store, folder))
    finally:
        os.chdir(place)
        server.TIMEOUT, run_copy.HISTORY_SECONDS = limits
        mlflow.set_tracking_uri(before)
        for variable, value in kept.items():
            os.environ.pop(variable)
            if value is not None:
                os.environ[variable] = value
    return tally


def _try(strange: Strange, way: tuple[Any, Any, Any], run: Run, store: str, folder: Path) -> str | None:
    note = folder / "sent" / f"{run.info.run_id}.json"

    def copy() -> RunCopy:
        return RunCopy(run.info.run_id, store, strange.address, note)

    strange.asked, strange.answer, strange.change = way
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(TIMEOUT)
    started = time.monotonic()
    told: list[str] = []
    try:
        told.append(server.why_away(strange.address) or "")
    except UserError as error:
        told.append(str(error))
    asking = time.monotonic() - started
    first = copy()
    first.begin()
    try:
        first.send()
    except Refused as error:
        told.append(str(error))
    except Exception as error:
        told.append(server.in_short(error))
    took = time.monotonic() - started
    strange.asked = None
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(PATIENCE)
    noted = Sent.model_validate_json(note.read_bytes())
    if noted.complete and (fault := find_fault(run, store, folder)):
        return f"is said to be sent, but {fault}"
    if not noted.complete and len(told) == 1:
        return "is not sent, and that is not said"
    if asking > 2 * TIMEOUT + 2 or took > 12 * TIMEOUT:
        return f"took {asking:.1f} s and {took:.1f} s"
    if any(not line.isprintable() or len(line) > 500 for line in told):
        return f"tells {told}"
    if (folder / "outside").exists() or any((folder / "here").iterdir()):
        return "writes where a server says"
    copy().send()
    return find_fault(run, store, folder)
