"""Five hundred damaged files: each is restored, or refused with a reason, and nothing is written anywhere else."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uncrappify.application.batch import run_batch
from uncrappify.application.inputs import Found, plan
from uncrappify.datasets import RestorationDescription
from uncrappify.inference import Restorer
from uncrappify.inference.results import Request
from uncrappify.models import build
from uncrappify.pictures.metadata import Metadata
from uncrappify.pictures.original import read_original
from uncrappify.pictures.saving import Finished, encode_finished

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore::UserWarning:PIL")]
SEED, FILES = 7, 500


def make_seeds(adobe_profile: bytes) -> list[tuple[str, bytes]]:
    """Small sound files of all kinds, with metadata."""
    samples = np.random.default_rng(SEED).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x8769] = 6, {0x9003: "2024:05:01 10:11:12", 0xA002: 16}
    metadata = Metadata(
        exif=exif.tobytes().removeprefix(b"Exif\0\0"), icc=adobe_profile, xmp=b"<x/>", dpi=(72, 72), text={"a": "b"}
    )
    deep = samples.astype(np.uint16) * 257
    seeds = [
        (f".{format.lower()}", encode_finished(Finished(pixels, opacity, metadata), format).content)
        for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
        for pixels, opacity in ((samples, None), (deep, deep[..., 0]))
    ]
    for format in ("GIF", "BMP"):
        file = BytesIO()
        Image.fromarray(samples).save(file, format)
        seeds.append((f".{format.lower()}", file.getvalue()))
    return seeds


def mutate(content: bytes, chance: random.Random) -> bytes:
    """Flip bytes, cut, double or insert parts, or write huge numbers, mostly near the beginning, where headers are."""
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        end = len(damaged) if chance.random() < 0.4 else min(len(damaged), 200)
        place = chance.randrange(max(1, end))
        match chance.randrange(6):
            case 0:
                damaged[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                damaged[place : place + 4] = chance.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"))
            case 2:
                del damaged[chance.randrange(len(damaged) // 4, len(damaged)) :]
            case 3:
                damaged[place:place] = damaged[place : place + chance.randrange(1, 64)]
            case 4:
                del damaged[place : place + chance.randrange(1, 16)]
            case 5:
                damaged[place : place + 2] = chance.choice((b"\xff\xda", b"\xff\xd8", b"II", b"\xff\xff"))
        if not damaged:
            break
    return bytes(damaged)


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    options = {"scale": 2, "channels": 4, "blocks": 1}
    description = RestorationDescription(model="upscaler", options=options, scale=2, recipe=[])
    return Restorer(build("restoration", "upscaler", options), description)


def test_damaged_files_are_restored_or_refused(adobe_profile: bytes, restorer: Restorer, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    seeds = make_seeds(adobe_profile)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(FILES):
        suffix, content = chance.choice(seeds)
        if chance.random() < 0.1:
            suffix = chance.choice([other for other, _ in seeds])
        (folder / f"{number:03}{suffix}").write_bytes(mutate(content, chance))
    found = [Found(path, path.name) for path in sorted(folder.iterdir())]
    jobs = plan(found, out, "", lambda suffix: restorer.name_endings(suffix, Request()))
    done = list(run_batch(jobs, restorer, Request(), out))
    assert [one.job for one in done] == jobs
    written = {one.job.targets[0] for one in done if not one.failure}
    assert set(out.rglob("*")) == written
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}
    for path in written:
        read_original(path)
    # The damage is such that neither all nor none can be read.
    assert FILES // 10 < len(written) < FILES * 9 // 10


@pytest.mark.parametrize("sides", [(2**31 - 1, 2**31 - 1), (100_000, 100_000), (2**31 - 1, 1)])
def test_a_huge_header_is_over_a_limit_at_once(sides: tuple[int, int], restorer: Restorer, tmp_path: Path) -> None:
    chunks = [
        (b"IHDR", struct.pack(">II", *sides) + b"\x08\x02\0\0\0"),
        (b"IDAT", zlib.compress(bytes(9))),
        (b"IEND", b""),
    ]
    content = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    file = tmp_path / "huge.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    (job,) = plan([Found(file, file.name)], tmp_path / "out", "", lambda suffix: (suffix,))
    (done,) = run_batch([job], restorer, Request(), tmp_path / "out")
    assert done.failure.startswith("over a limit: needs")
