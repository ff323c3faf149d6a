"""Broken notes of what a server has taken: the run is sent again, into the same run, and is there once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run

from attacks.mutation import Tally, mutate
from attacks.servers import find_fault, make_run, serve
from uncrappify.addresses import without_password
from uncrappify.tracking.run_copy import RunCopy, unsent

MUTATED = 90
"""Notes that are damaged by chance."""


def attack(folder: Path, seed: int, share: float) -> Tally:
    """Break the note of a run that the server has, wholly or in part, and send what is unsent.

    Args:
        folder: For stores and files.
        seed: Of the damage.
        share: Of the attacks.
    """
    tally = Tally("notes of what was sent")
    store, before, place = f"sqlite:///{folder}/store.db", mlflow.get_tracking_uri(), Path.cwd()
    variables = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    kept = {name: os.environ.get(name) for name in variables}
    os.environ |= variables
    mlflow.set_tracking_uri(store)
    MlflowClient(store).search_experiments()
    shutil.copy(folder / "store.db", folder / "server.db")
    os.chdir(folder)
    try:
        with serve(folder) as sound:
            run = make_run(store, folder, "run")
            whole = _sound_note(run, store, sound.address, folder)
            attacks = [*_by_types(whole), *mutate(whole, seed, MUTATED)]
            chosen = np.random.default_rng(seed).permutation(len(attacks))[: max(1, round(share * len(attacks)))]
            for number in chosen:
                name, content = attacks[number]
                tally.count(name, partial(_try, content, run, store, sound.address, folder))
    finally:
        os.chdir(place)
        mlflow.set_tracking_uri(before)
        for name, value in kept.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
    return tally


def _note(run: Run, folder: Path) -> Path:
    return folder / "sent" / f"{run.info.run_id}.json"


def _sound_note(run: Run, store: str, address: str, folder: Path) -> bytes:
    """Send a run, and give its note as one that is not complete: as if the process had been killed then."""
    copy = RunCopy(run.info.run_id, store, address, _note(run, folder))
    copy.send()
    copy.begin()
    return _note(run, folder).read_bytes()


def _by_types(whole: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Break a note by what it holds; ``None`` is a folder in its place."""
    noted = json.loads(whole)
    wrong: list[Any] = [None, 7, "", "x", [], {}, True, "\u202e", "../..", {"a": "b"}, "a" * 10_000]
    for key in noted:
        for value in wrong:
            changed = {**noted, key: value}
            # A checksum that fits is another matter: who can write notes can write runs.
            if changed != noted and not (key == "checksum" and value is None):
                yield f"{key} is {str(value)[:10]!a}", json.dumps(changed).encode()
        yield f"no {key}", json.dumps({name: value for name, value in noted.items() if name != key}).encode()
    yield "a folder", None
    yield "UTF-16", whole.decode().encode("utf-16")
    yield "a list", b"[]"
    yield "one more field", json.dumps({**noted, "more": 1}).encode()
    yield "deep", b"[" * 100_000


def _try(content: bytes | None, run: Run, store: str, address: str, folder: Path) -> str | None:
    note = _note(run, folder)
    note.unlink(missing_ok=True)
    if content is None:
        note.mkdir()
    else:
        note.write_bytes(content)
    waiting = unsent(note.parent, store, address)
    if [copy.run_id for copy in waiting] != [run.info.run_id]:
        return "is forgotten"
    waiting[0].send()
    if unsent(note.parent, store, address):
        return "is never sent"
    server = RunCopy(run.info.run_id, store, address, note).sent.server
    if server != without_password(address):
        return f"names {server}"
    return find_fault(run, store, folder)
