"""Short runs in fresh clones, the store's birth included, that are killed at seeded moments and run again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from attacks.mutation import Tally
from attacks.project import PATIENCE, Project

KILLS = 100
COMMAND = ("run", "--pipeline", "superres", "--to-nodes", "superres.train", "--params", "smoke=true")
MODELS = Path("data/smoke/06_models/superres")
SIGNALS = [name for name in ("SIGKILL", "SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def attack(folder: Path, seed: int, share: float) -> Tally:
    """Kill runs; the same command ends each in one run, with the weights of a run that nobody has disturbed."""
    tally, random = Tally("kills"), np.random.default_rng(seed)
    whole = Project.copy(folder / "undisturbed")
    # The first one waits for the fork server's imports.
    whole.run("registry", "list")
    started = time.perf_counter()
    if wrong := whole.run(*COMMAND):
        raise RuntimeError(f"the undisturbed run fails: {wrong}")
    lasts, weights = time.perf_counter() - started, _weights(whole)
    for number in range(max(1, round(KILLS * share))):
        name, moment = SIGNALS[number % len(SIGNALS)], random.uniform(0, lasts)
        attempt = partial(_kill, folder / f"killed{number}", signal.Signals[name], moment, weights)
        tally.count(f"{name} after {moment:.2f} of {lasts:.2f} s", attempt)
    return tally


def _kill(folder: Path, sent: signal.Signals, moment: float, weights: str) -> str | None:
    project = Project.copy(folder)
    process = project.start(*COMMAND)
    process.join(moment)
    assert process.pid
    with suppress(ProcessLookupError):
        os.kill(process.pid, sent)
    process.join(PATIENCE)
    if not _has_ended(project) and (wrong := project.run(*COMMAND)):
        return wrong
    if (states := project.states()) != ["FINISHED"]:
        return f"runs: {states}"
    return None if _weights(project) == weights else "other weights"


def _has_ended(project: Project) -> bool:
    """Say whether the run was through before the signal came, and needs no second one."""
    note = project.root / MODELS / "run.json"
    return note.exists() and json.loads(note.read_text())["finished"] and project.states() == ["FINISHED"]


def _weights(project: Project) -> str:
    weights = load_file(project.root / MODELS / "model.safetensors")
    return hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()
