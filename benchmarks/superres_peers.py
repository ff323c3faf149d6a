"""How good the default super-resolution is, beside plain enlargement and a pretrained network that knows no JPEG.

Each method enlarges the same pictures three times, with the damage that our model was trained for (x3 + JPEG 60) and
without JPEG (x3 alone): the embedded test photographs and, where its archive is given, Set5. Every round times all
methods in turn on the CPU, because timings on a shared machine differ by a factor of three from one minute to the next.
The peer, DAT-light, runs in an environment of its own (dat_light.py), so that neither disturbs the other:

    python -m venv build/dat && build/dat/bin/pip install -r benchmarks/requirements-dat.txt
    export OMP_WAIT_POLICY=PASSIVE
    python benchmarks/superres_peers.py --dat-python build/dat/bin/python --set5 set5.tar --write --sheet
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from peers_sheet import Compared, details
from PIL import Image
from results import rewritten

from uncrappify.degradations import Recipe
from uncrappify.errors import UserError
from uncrappify.evaluation.baselines import enlarge
from uncrappify.evaluation.metrics import psnr
from uncrappify.evaluation.perceptual import feature_distances
from uncrappify.evaluation.protocol import psnr_y
from uncrappify.inference import Restorer
from uncrappify.pictures import read_picture
from uncrappify.sources import EmbeddedOptions, Source, fetch
from uncrappify.sources.unpack import unpack
from uncrappify.training.hardware import describe

ROOT = Path(__file__).parents[1]
PAGE, SHEET = ROOT / "docs" / "how-good.md", ROOT / "docs" / "images" / "peers.jpg"
BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
OURS, PEER = "ours", "DAT-light"
SCALE = 3
SMALLER = Recipe.model_validate([{"resize": {"factor": SCALE, "resample": "bicubic"}}])
DAMAGES = {"x3 + JPEG 60": Recipe.model_validate([{"jpeg": {"quality": 60}}]), "x3": Recipe([])}
"""What happens to a picture that is small already."""

FIGURES = {"PSNR": ".2f", "psnr_y": ".2f", "feature distance": ".3f"}
"""Heading of a metric and how it is written; of feature distances the smallest is the best."""

Pictures = list[Image.Image]


class Case(NamedTuple):
    """A picture, damaged in one way.

    Attributes:
        pictures: The set that it belongs to.
        damage: One of ``DAMAGES``.
        name: Of the picture.
        degraded: What every method gets, RGB.
        target: What it should give back, RGB, three times as wide and high.
    """

    pictures: str
    damage: str
    name: str
    degraded: Image.Image
    target: Image.Image


class Enlarged(NamedTuple):
    """What a method made of all pictures, the seconds from picture to picture, and its network's parameters or 0."""

    pictures: Pictures
    seconds: float
    parameters: int


Method = Callable[[Pictures], Enlarged]


def embedded(scratch: Path) -> dict[str, tuple[Image.Image, Image.Image]]:
    """Take the photographs that the default run tests on: small and target, by name."""
    root = fetch(Source(), scratch).root
    good = {name: read_picture(next(root.glob(f"{name}.*"))) for name in EmbeddedOptions().test}
    return {
        name: (SMALLER.degrade(picture, name, 0), SMALLER.crop_target(picture, name, 0))
        for name, picture in good.items()
    }


def set5(archive: Path, scratch: Path) -> dict[str, tuple[Image.Image, Image.Image]]:
    """Take Set5's own files, whose small pictures MATLAB made: small and target, by name.

    Raises:
        UserError: If the file is missing, or no archive of Set5.
    """
    if not archive.is_file():
        raise UserError(f"--set5 {archive}: there is no such file. Give Set5's archive, or leave the option out.")
    unpack(archive, scratch)
    targets = sorted(scratch.glob(f"**/*_SRF_{SCALE}_HR.png"))
    if not targets:
        raise UserError(f"--set5 {archive}: it has no file like img_001_SRF_{SCALE}_HR.png, as Set5's archive has.")
    small = [file.with_name(file.name.replace("_HR", "_LR")) for file in targets]
    return {file.name: (read_picture(file), read_picture(target)) for file, target in zip(small, targets, strict=True)}


def damaged(pictures: str, pairs: Mapping[str, tuple[Image.Image, Image.Image]]) -> list[Case]:
    """Apply each damage to each of a set's small pictures."""
    return [
        Case(pictures, damage, name, recipe.degrade(small, name, 0), target)
        for damage, recipe in DAMAGES.items()
        for name, (small, target) in pairs.items()
    ]


def by_kernel(kernel: str, pictures: Pictures) -> Enlarged:
    """Enlarge with a kernel of Pillow's."""
    start = time.perf_counter()
    large = [enlarge(picture, (SCALE * picture.width, SCALE * picture.height), kernel) for picture in pictures]
    return Enlarged(large, time.perf_counter() - start, 0)


def by_model(restore: Restorer, pictures: Pictures) -> Enlarged:
    """Enlarge with a model of this project, after one picture that warms up."""
    restore(pictures[0])
    start = time.perf_counter()
    large = [restore(picture) for picture in pictures]
    seconds = time.perf_counter() - start
    return Enlarged(large, seconds, sum(weight.numel() for weight in restore.network.parameters()))


def by_peer(python: Path, pictures: Pictures) -> Enlarged:
    """Enlarge with DAT-light in its own environment.

    Raises:
        UserError: If its Python is missing or fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        small, large = Path(scratch) / "small", Path(scratch) / "large"
        small.mkdir()
        large.mkdir()
        names = [f"{number:03}.png" for number in range(len(pictures))]
        for name, picture in zip(names, pictures, strict=True):
            picture.save(small / name)
        # Isolated: a PYTHONPATH that is set for this environment must not lead into the other.
        command = [str(part) for part in (python, "-I", Path(__file__).with_name("dat_light.py"), small, large)]
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            # Libraries may say something first.
            told = json.loads(said.strip().splitlines()[-1])
        except (OSError, subprocess.CalledProcessError, ValueError, IndexError) as error:
            reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
            raise UserError(
                f"--dat-python {python}: DAT-light did not run ({reason}). Make its environment: "
                "python -m venv build/dat && build/dat/bin/pip install -r benchmarks/requirements-dat.txt"
            ) from error
        return Enlarged([read_picture(large / name) for name in names], told["seconds"], told["parameters"])


def load_ours(weights: Path) -> Restorer:
    """Load our model, onto the CPU as the peer is.

    Raises:
        UserError: If it is no model of this project's, or not one that enlarges three times.
    """
    restore = Restorer.load(weights)
    if restore.scale != SCALE:
        raise UserError(f"--weights {weights}: this model enlarges {restore.scale} times, the benchmark {SCALE} times.")
    restore.network.cpu()
    return restore


def measure(methods: Mapping[str, Method], pictures: Pictures, rounds: int) -> dict[str, list[Enlarged]]:
    """Let all methods work in turn, ``rounds`` times."""
    taken: dict[str, list[Enlarged]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            taken[name].append(method(pictures))
    return taken


def score(cases: Sequence[Case], enlarged: Mapping[str, Pictures]) -> pd.DataFrame:
    """Compare each method's pictures with the targets.

    Args:
        cases: What was enlarged.
        enlarged: Method to pictures, one a case.

    Returns:
        A row a set, damage and method (in the index), with the means of ``FIGURES`` over pictures.
    """
    rows = []
    for number, case in enumerate(cases):
        truth = np.asarray(case.target)
        pixels = {method: np.asarray(pictures[number]) for method, pictures in enlarged.items()}
        distances = feature_distances(list(pixels.values()), truth)
        for (method, mine), distance in zip(pixels.items(), distances, strict=True):
            figures = dict(zip(FIGURES, (psnr(mine, truth), psnr_y(mine, truth, SCALE), distance), strict=True))
            rows.append({"pictures": case.pictures, "damage": case.damage, "method": method, **figures})
    return pd.DataFrame(rows).groupby(["pictures", "damage", "method"], sort=False).mean()


def quality_table(scores: pd.DataFrame) -> str:
    """Write the scores as Markdown, the best figure of each set and damage in bold."""
    rows: list[Sequence[str]] = [("pictures", "damage", "method", *FIGURES), ("---", "---", "---", *("---:",) * 3)]
    for _, group in scores.groupby(["pictures", "damage"], sort=False):
        best = {name: min(group[name]) if name == "feature distance" else max(group[name]) for name in FIGURES}
        for keys, figures in zip(group.index, group.to_dict("records"), strict=True):
            texts = {name: format(figures[name], form) for name, form in FIGURES.items()}
            marked = (f"**{text}**" if figures[name] == best[name] else text for name, text in texts.items())
            rows.append((*keys, *marked))
    return _markdown(rows)


def cost_table(taken: Mapping[str, Sequence[Enlarged]]) -> str:
    """Write size and time of each method as Markdown; the times of a round are compared with each other alone."""
    rows: list[Sequence[str]] = [
        ("method", "parameters", "seconds a megapixel of output", f"time / {OURS}"),
        ("---", "---:", "---:", "---:"),
    ]
    for name, rounds in taken.items():
        megapixels = sum(picture.width * picture.height for picture in rounds[0].pictures) / 1e6
        seconds = statistics.median(mine.seconds for mine in rounds) / megapixels
        ratio = statistics.median(a.seconds / b.seconds for a, b in zip(rounds, taken[OURS], strict=True))
        parameters = f"{rounds[0].parameters:,}" if rounds[0].parameters else ""
        rows.append((name, parameters, f"{seconds:.3g}", f"{ratio:.3g}"))
    return _markdown(rows)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def report(cases: Sequence[Case], taken: Mapping[str, Sequence[Enlarged]]) -> str:
    """Write both tables and what they were measured on."""
    scores = score(cases, {name: rounds[-1].pictures for name, rounds in taken.items()})
    machine = describe()
    note = (
        f"{datetime.now(UTC):%Y-%m-%d}, {machine['cpu']}, {machine['threads']} threads, torch {machine['torch']}; "
        f"times are medians of {len(taken[OURS])} rounds in turn over {len(cases)} pictures"
    )
    return f"{quality_table(scores)}\n\n{cost_table(taken)}\n\n{note}."


def compared(case: Case, number: int, taken: Mapping[str, Sequence[Enlarged]]) -> Compared:
    """Give a case its line of the sheet."""
    versions = {method: taken[method][-1].pictures[number] for method in ("bicubic", OURS, PEER)}
    return Compared(f"{case.name}, {case.damage}", case.degraded, versions, case.target)


def main() -> None:
    """Measure, and show or write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dat-python", type=Path, required=True, help="the Python of DAT-light's environment")
    parser.add_argument("--weights", type=Path, default=ROOT / "data" / "06_models" / "superres" / "model.safetensors")
    parser.add_argument("--set5", type=Path, help="the archive set5.tar; without it, the photographs alone")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that are timed (default 5)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/how-good.md")
    parser.add_argument("--sheet", action="store_true", help="draw docs/images/peers.jpg")
    arguments = parser.parse_args()
    try:
        run(arguments)
    except UserError as error:
        parser.exit(1, f"{error}\n")


def run(arguments: argparse.Namespace) -> None:
    """Do what the command line says."""
    with tempfile.TemporaryDirectory() as scratch:
        cases = damaged("photographs", embedded(Path(scratch) / "raw"))
        photographs = len(cases)
        if arguments.set5:
            cases += damaged("Set5", set5(arguments.set5, Path(scratch) / "set5"))
    methods: dict[str, Method] = {
        **{kernel: partial(by_kernel, kernel) for kernel in ("nearest", "bicubic", "lanczos")},
        OURS: partial(by_model, load_ours(arguments.weights)),
        PEER: partial(by_peer, arguments.dat_python),
    }
    taken = measure(methods, [case.degraded for case in cases], arguments.rounds)
    text = report(cases, taken)
    if arguments.write:
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), text, BEGIN, END), encoding="utf-8")
    else:
        print(text)
    if arguments.sheet:
        # The photographs alone: Set5 is for research, and the sheet is published.
        lines = [compared(case, number, taken) for number, case in enumerate(cases[:photographs])]
        details(lines, (OURS, PEER)).save(SHEET, quality=80, optimize=True)


if __name__ == "__main__":
    main()
