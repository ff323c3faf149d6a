"""Broken and hostile weights files: each is loaded and used, or refused in one sentence, in 1 GB and 5 s."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from attacks.mutation import Tally, mutate
from uncrappify.datasets import RestorationDescription, SegmentationDescription
from uncrappify.datasets.weights import METADATA_KEY
from uncrappify.errors import UserError
from uncrappify.models import build
from uncrappify.pictures.masks import Labels

MUTATED, AT_ONCE = 45, 40
SECONDS, MEGABYTES = 5.0, 1024
UPSCALER = {"scale": 2, "channels": 4, "blocks": 1}
UNET = {"encoder": "test_resnet", "pretrained": False}
ELSEWHERE = "elsewhere.safetensors"
"""A file that nothing may open."""

#: Changes of a description, most of them of what builds the network.
HOSTILE: dict[str, dict[str, Any]] = {
    "channels 30000": {"options": UPSCALER | {"channels": 30000}},
    "channels within bounds": {"options": UPSCALER | {"channels": 512, "blocks": 64}},
    "blocks 10**9": {"options": UPSCALER | {"blocks": 10**9}},
    "channels 10**400": {"options": UPSCALER | {"channels": 10**400}},
    "channels negative": {"options": UPSCALER | {"channels": -4}},
    "channels zero": {"options": UPSCALER | {"channels": 0}},
    "channels a text": {"options": UPSCALER | {"channels": "many"}},
    "channels a list": {"options": UPSCALER | {"channels": [4]}},
    "channels a fraction": {"options": UPSCALER | {"channels": 4.5}},
    "channels null": {"options": UPSCALER | {"channels": None}},
    "an unknown option": {"options": UPSCALER | {"depth": 10**9}},
    "self as an option": {"options": UPSCALER | {"self": 1}},
    "options a list": {"options": [1, 2]},
    "options null": {"options": None},
    "scale 10**6": {"scale": 10**6},
    "both scales 10**6": {"scale": 10**6, "options": UPSCALER | {"scale": 10**6}},
    "scale zero": {"scale": 0},
    "another scale": {"scale": 3},
    "scale null": {"scale": None},
    "recipe a text": {"recipe": "jpeg"},
    "recipe of 100000 steps": {"recipe": [{"jpeg": {}}] * 100000},
    "an unknown model": {"model": "diffuser"},
    "a model of a module": {"model": "os:system"},
    "a model that is a list": {"model": ["upscaler"]},
    "an empty model": {"model": ""},
    "an unknown kind": {"kind": "cooking"},
    "a kind that is a list": {"kind": ["restoration"]},
    "a kind that is a mapping": {"kind": {"a": 1}},
    "the other kind": {"kind": "segmentation"},
    "metrics a list": {"metrics": [1]},
    "data a text": {"data": "pictures"},
    "a long name": {"model": "x" * 500_000},
    "a U-Net of an upscaler's weights": {"model": "unet", "options": UNET | {"scale": 2}},
    "pretrained": {"model": "unet", "options": {"encoder": "resnet34", "pretrained": True, "scale": 2}},
    "pretrained by default": {"model": "unet", "options": {"encoder": "resnet34", "scale": 2}},
    "weights elsewhere": {"model": "unet", "options": UNET | {"weights": ELSEWHERE, "scale": 2}},
    "an encoder of the hub": {"model": "unet", "options": {"encoder": "hf-hub:someone/model", "scale": 2}},
    "an encoder of a folder": {"model": "unet", "options": {"encoder": "local-dir:/tmp", "scale": 2}},
    "an encoder that is a path": {"model": "unet", "options": {"encoder": "../../etc/passwd", "scale": 2}},
    "a huge encoder": {"model": "unet", "options": {"encoder": "convnextv2_huge", "scale": 2}},
    "an encoder that is no convolutional one": {"model": "unet", "options": {"encoder": "vit_base_patch16_224"}},
    "an overlay of timm's": {"model": "unet", "options": UNET | {"pretrained_cfg_overlay": {"file": ELSEWHERE}}},
    "an encoder that is a number": {"model": "unet", "options": {"encoder": 34}},
    "an unknown norm": {"model": "unet", "options": UNET | {"norm": "huge"}},
}
#: The same of a segmentation.
HOSTILE_LABELS: dict[str, dict[str, Any]] = {
    "size (10**9, 1)": {"size": [10**9, 1]},
    "size zero": {"size": [0, 0]},
    "size of three": {"size": [32, 32, 32]},
    "size infinite": {"size": [float("inf"), 32]},
    "100000 classes": {"labels": {"classes": [f"c{number}" for number in range(100000)]}},
    "one class": {"labels": {"classes": ["all"]}},
    "classes twice": {"labels": {"classes": ["a", "a"]}},
    "labels a list": {"labels": ["a", "b"]},
    "more classes than the network": {"labels": {"classes": ["a", "b", "c"]}},
    "out_channels 10**9": {"options": UNET | {"out_channels": 10**9}},
    "in_channels 10**9": {"options": UNET | {"in_channels": 10**9}},
    "segmentation, pretrained": {"options": UNET | {"pretrained": True}},
}
#: Texts in the place of a description.
TEXTS = {
    "not JSON": "{",
    "empty": "",
    "a number": "1",
    "null": "null",
    "deep": "[" * 200_000 + "]" * 200_000,
    "deep in place": '{"model": ' + '{"a": ' * 20_000 + "1" + "}" * 20_001,
    "huge": '{"model": "' + "x" * 5_000_000 + '"}',
    "a number of 100000 digits": '{"scale": ' + "9" * 100_000 + "}",
    "keys twice": '{"model": "upscaler", "model": "unet", "options": {}, "scale": 2, "recipe": []}',
    "not a number": '{"model": "upscaler", "options": {"channels": NaN}, "scale": Infinity, "recipe": []}',
    "a NUL": '{"model": "ups\\u0000caler", "options": {}, "scale": 2, "recipe": []}',
    "half a surrogate": '{"model": "\\ud800", "options": {}, "scale": 2, "recipe": []}',
}


def attack(folder: Path, seed: int, share: float) -> Tally:
    """Make broken files and load them in processes of their own, several in each.

    Args:
        folder: For the files.
        seed: Of the mutations.
        share: How many of the attacks.
    """
    (folder / ELSEWHERE).write_bytes(b"")
    files = dict(_write_all(folder, seed))
    chosen = list(files.items())[:: max(1, round(1 / share))]
    tally = Tally("weights files")
    for first in range(0, len(chosen), AT_ONCE):
        part = chosen[first : first + AT_ONCE]
        done = subprocess.run(
            [sys.executable, "-c", "from attacks.weights import load_all; load_all()"],
            input="\n".join(str(path) for _, path in part),
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
        )
        results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"said"')]
        for (name, _), result in zip(part, results, strict=False):
            tally.tried += 1
            tally.seconds = max(tally.seconds, result["seconds"])
            if wrong := _judge(result):
                tally.failures.append(f"{name}: {wrong}")
        if len(results) < len(part):
            tally.tried += 1
            tally.failures.append(f"{part[len(results)][0]}: ended its process: {done.stderr[-500:]}")
    return tally


def load_all() -> None:
    """Load the files that standard input names, and say of each what came of it, in a line of JSON."""
    import uncrappify

    touched: list[str] = []
    status = Path("/proc/self/status")
    sys.addaudithook(lambda event, given: touched.append(event) if _is_forbidden(event, given) else None)
    # What any file needs is not this file's: torch, timm, the parts of the package.
    build("segmentation", "unet", UNET | {"out_channels": 2})
    picture = np.zeros((16, 16, 3), np.uint8)
    for line in sys.stdin.read().splitlines():
        started = time.perf_counter()
        try:
            uncrappify.load(line)(picture)
            said = "loaded"
        except UserError as error:
            said = f"said: {error}"
        except BaseException as error:
            said = f"raised {type(error).__name__}: {error}"
        # Not getrusage: that counts what the process had that has started this one.
        (peak,) = (int(row.split()[1]) // 1024 for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        result = {"said": said, "seconds": time.perf_counter() - started, "megabytes": peak, "touched": touched}
        print(json.dumps(result), flush=True)
        touched.clear()


def _is_forbidden(event: str, given: tuple[Any, ...]) -> bool:
    return event in ("socket.connect", "socket.getaddrinfo") or (event == "open" and str(given[0]).endswith(ELSEWHERE))


def _judge(result: dict[str, Any]) -> str | None:
    said: str = result["said"]
    if said.startswith("raised") or len(said) > 1000 or "\n" in said:
        return said[:300]
    if result["seconds"] > SECONDS or result["megabytes"] > MEGABYTES:
        return f"took {result['seconds']:.1f} s and {result['megabytes']} MB"
    return f"touched {result['touched']}" if result["touched"] else None


def _write_all(folder: Path, seed: int) -> Iterator[tuple[str, Path]]:
    torch.manual_seed(seed)
    weights = dict(build("restoration", "upscaler", UPSCALER).state_dict())
    known = RestorationDescription(model="upscaler", options=UPSCALER, scale=2, recipe=[]).model_dump(mode="json")
    labels = Labels(classes=["a", "b"])
    classes = UNET | {"out_channels": 2}
    street = SegmentationDescription(model="unet", options=classes, labels=labels, size=(32, 32)).model_dump(
        mode="json"
    )
    segmentation = dict(build("segmentation", "unet", classes).state_dict())
    contents = {f"{way} {number}": damaged for number, (way, damaged) in _mutated(weights, known, seed)}
    contents |= {name: _make(weights, json.dumps(known | change)) for name, change in HOSTILE.items()}
    contents |= {name: _make(segmentation, json.dumps(street | change)) for name, change in HOSTILE_LABELS.items()}
    contents |= {f"description {name}": _make(weights, text) for name, text in TEXTS.items()}
    contents |= {name: _make(state, json.dumps(known)) for name, state in _strange(weights)}
    contents |= _headers(json.dumps(known))
    for number, (name, content) in enumerate(contents.items()):
        path = folder / f"{number}.safetensors"
        path.write_bytes(content)
        yield name, path


def _mutated(weights: dict[str, torch.Tensor], known: dict[str, Any], seed: int) -> Iterator[tuple[int, Any]]:
    yield from enumerate(mutate(_make(weights, json.dumps(known)), seed, MUTATED))


def _make(state: dict[str, torch.Tensor], text: str) -> bytes:
    content: bytes = save({name: tensor.contiguous() for name, tensor in state.items()}, {METADATA_KEY: text})
    return content


def _strange(weights: dict[str, torch.Tensor]) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """Weights of the right description that are not right."""
    name, tensor = next(iter(weights.items()))
    for value in (float("nan"), float("inf"), 3e38):
        yield f"weights of {value}", weights | {name: torch.full_like(tensor, value)}
    for kind in (torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.int64, torch.bool, torch.float8_e5m2):
        yield f"weights of {kind}", {key: value.to(kind) for key, value in weights.items()}
    yield "one missing", {key: value for key, value in weights.items() if key != name}
    yield "one too many", weights | {"more": torch.zeros(1)}
    yield "another shape", weights | {name: tensor[:1]}
    yield "the same number in another shape", weights | {name: tensor.flatten()}
    yield "an empty one", weights | {name: torch.zeros(0)}
    yield "none", {}
    yield "50 MB besides", weights | {"more": torch.zeros(50 << 18)}


def _headers(text: str) -> dict[str, bytes]:
    """Make files whose header lies about the rest."""
    metadata = {"__metadata__": {METADATA_KEY: text}}
    headers: dict[str, Any] = {
        "shapes that overflow": metadata | {"a": {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 8]}},
        "shapes beyond the end": metadata | {"a": {"dtype": "F32", "shape": [10**6], "data_offsets": [0, 4 * 10**6]}},
        "negative shapes": metadata | {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 8]}},
        "offsets the wrong way round": metadata | {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
        "an unknown type": metadata | {"a": {"dtype": "F1", "shape": [2], "data_offsets": [0, 8]}},
        "metadata of numbers": {"__metadata__": {METADATA_KEY: 1}},
        "metadata a list": {"__metadata__": [1]},
        "a header that is a list": [1],
        "100000 tensors": metadata
        | {f"t{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(100_000)},
    }
    made = {name: json.dumps(header).encode() for name, header in headers.items()}
    made["a deep header"] = b'{"__metadata__":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    made["a header of 60 MB"] = b'{"__metadata__": {"a": "' + b"x" * (60 << 20) + b'"}}'
    files = {name: struct.pack("<Q", len(header)) + header + bytes(8) for name, header in made.items()}
    files["a header of 2**63 bytes"] = struct.pack("<Q", 2**63) + b"{}"
    return files
