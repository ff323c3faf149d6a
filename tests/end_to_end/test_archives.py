"""The lesson's and the benchmark's settings, on tiny archives in the layout of the real ones."""

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def photograph(seed: int, width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x * a + y * b) for a, b in np.random.default_rng(seed).uniform(0.05, 0.6, (3, 2))]
    return Image.fromarray((128 + 100 * np.stack(waves, axis=-1)).astype(np.uint8))


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    servers = []

    def serve(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_lesson_runs_on_an_archive_in_the_layout_of_pets(project, mirror, served):
    pets = {f"images/Abyssinian_{number}.jpg": photograph(number, 160, 120) for number in range(8)}
    url = served(mirror({"images.tar.gz": pets}))
    without_downloaded_weights(project)
    done = project.kedro("run", "--env", "lesson", "--pipeline", "superres", "--params", f"smoke=true,mirror={url}")
    assert done.returncode == 0, done.stderr
    assert len(list((project.smoke / "01_raw/oxford_iiit_pet/images").iterdir())) == 8
    degraded = sorted((project.smoke / "02_intermediate/superres/degraded/images").iterdir())
    assert {Image.open(file).size for file in degraded} == {(128, 96)}
    history = pd.read_parquet(project.smoke / "06_models/superres/history.parquet")
    assert set(history["stage"]) == {0, 1, 2, 3}


def without_downloaded_weights(project):
    """Change the lesson's networks and sizes, and nothing else of it: tests have no network, and two cores."""
    file = project.root / "conf/lesson/parameters/superres.yml"
    tree = yaml.safe_load(file.read_text())
    tree["superres"]["model"]["unet"] |= {"encoder": "test_resnet", "pretrained": False}
    for stage in tree["superres"]["training"]["stages"]:
        assert stage["loss"] == [{"l1": 4.4}, {"feature": {"backend": "vgg16_bn"}}]
        stage |= {"size": stage["size"] // 2, "batch_size": 2, "loss": [{"l1": 4.4}, {"feature": 1.0}]}
    file.write_text(yaml.safe_dump(tree))


def test_the_lesson_without_its_weights_says_what_to_do_before_it_downloads_anything(project, tmp_path):
    project.environment.update(TORCH_HOME=str(tmp_path), HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    lesson = ("run", "--env", "lesson", "--pipeline", "superres")
    done = project.kedro(*lesson)
    assert done.returncode == 1
    assert "The feature loss with vgg16_bn needs torchvision's ImageNet weights" in done.stderr
    # Only looked for, before they are read.
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    (tmp_path / "hub/checkpoints/vgg16_bn-6c64b313.pth").touch()
    done = project.kedro(*lesson)
    assert done.returncode == 1
    assert "the ImageNet weights of resnet34.tv_in1k are not here and cannot be had" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.root / "data/01_raw").exists()


def test_the_benchmark_tests_on_the_files_of_set5_at_the_one_scale_that_is_given(project, mirror):
    bsds = {
        f"bsds/{part}/{n}.jpg": photograph(n, 90, 80) for part, n in zip(["train"] * 3 + ["val"], range(4), strict=True)
    }
    set5 = {
        f"set5/image_SRF_{scale}/img_00{number}_SRF_{scale}_{side}.png": Image.new("RGB", size, (number, 0, blue))
        for scale in (2, 3, 4)
        for number in range(1, 6)
        for side, size, blue in (("HR", (60, 48), 200), ("LR", (60 // scale, 48 // scale), 255))
    }
    folder = mirror({"bsds.tar": bsds, "set5.tar": set5})
    values = f"smoke=true,superres.model.upscaler.scale=2,mirror={folder}"
    done = project.kedro("run", "--env", "benchmark", "--pipeline", "superres", "--params", values)
    assert done.returncode == 0, done.stderr
    assert not [name for name in project.runs()[-1].data.params if "mirror" in name]
    split = pd.read_parquet(project.smoke / "05_model_input/superres/split.parquet")
    assert split["split"].value_counts().to_dict() == {"test": 5, "train": 3, "valid": 1}
    given = project.smoke / "02_intermediate/superres/degraded/test_source/set5/image_SRF_2"
    assert [Image.open(file).size for file in given.iterdir()] == [(30, 24)] * 5
    assert Image.open(next(given.glob("img_003_SRF_2_HR-*.png"))).getpixel((0, 0)) == (3, 0, 255)


def test_the_benchmark_without_a_mirror_says_what_to_do(project):
    done = project.kedro("run", "--env", "benchmark", "--pipeline", "superres")
    assert done.returncode == 1
    assert "source.archive: bsds.tar has no url to download it from." in done.stderr
    assert "--params mirror=<folder or URL>" in done.stderr
    assert "Traceback" not in done.stderr
