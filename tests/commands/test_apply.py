"""``uncrappify apply`` from weights to a folder of results: what is written, what is said, and what is refused."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from uncrappify.application import batch
from uncrappify.commands import main
from uncrappify.datasets import (
    ClassificationDescription,
    LanguageDescription,
    RestorationDescription,
    SegmentationDescription,
    TrainedModel,
    Weights,
)
from uncrappify.errors import UserError
from uncrappify.inference.predictor import PREDICTORS, Predictor
from uncrappify.inference.results import Request
from uncrappify.inference.results import Result as Result_
from uncrappify.models import build
from uncrappify.pictures.budget import DECODING
from uncrappify.pictures.original import Original
from uncrappify.pictures.saving import Encoded
from uncrappify.text.tokens import MARKS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command sets the limit for its process."""
    before = DECODING.limit
    monkeypatch.setenv("UNCRAPPIFY_DECODING_LIMIT", str(before))
    yield
    DECODING.limit = before


def save(description: Any, path: Path) -> Path:
    torch.manual_seed(0)
    network = build(description.kind, description.model, description.to_build)
    Weights(filepath=str(path)).save(TrainedModel(network.state_dict(), description))
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained upscaler, which is bicubic enlargement."""
    options = {"scale": 2, "channels": 4, "blocks": 1}
    recipe = [{"resize": {"factor": 2}}, {"jpeg": {"quality": [40, 60]}}]
    description = RestorationDescription(model="upscaler", options=options, scale=2, recipe=recipe)
    return save(description, tmp_path_factory.mktemp("weights") / "model.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    (root / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "deep/c.png", "deep/d.png")):
        random = np.random.default_rng(number)
        Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(root / name)
    return root


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["apply", *map(str, arguments)])


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder_becomes_a_folder(weights: Path, folder: Path, tmp_path: Path) -> None:
    done = run(weights, folder, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert written(tmp_path / "out") == ["a.png", "b.png", "deep/c.png", "deep/d.png"]
    assert Image.open(tmp_path / "out" / "deep" / "c.png").size == (60, 40)
    assert "4 pictures written to" in done.output
    assert "on cpu, 4 pictures" in done.output or "on cuda" in done.output
    assert "Tiles of 320 pixels." in done.output


def test_what_is_there_is_skipped_unless_it_is_to_be_overwritten(weights: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "deep").mkdir(parents=True)
    (out / "deep" / "c.png").write_bytes(b"mine")
    done = run(weights, folder, "-o", out)
    assert "3 pictures written" in done.output
    assert "1 there already" in done.output
    assert (out / "deep" / "c.png").read_bytes() == b"mine"
    again = run(weights, folder, "-o", out)
    assert again.output == f"Nothing to do: 4 pictures in {out}/ already (--overwrite makes them again).\n"
    done = run(weights, folder, "-o", out, "--overwrite")
    assert "4 pictures written" in done.output
    assert Image.open(out / "deep" / "c.png").size == (60, 40)


def test_a_broken_picture_is_told_in_the_end_and_stops_nothing(weights: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "aa.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "ab.heic").write_bytes(b"\0\0\0\x18ftypheic")
    done = run(weights, folder, "-o", tmp_path / "out")
    assert done.exit_code == 3
    assert len(written(tmp_path / "out")) == 4
    assert done.output.splitlines()[-2:] == ["  aa.png: truncated", "  ab.heic: not supported: HEIC"]
    assert "2 failed" in done.output


def test_the_home_folder_is_meant_where_the_shell_has_not_put_it_in(
    weights: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    done = run(weights, folder / "a.png", "--output=~/out", "--dry-run")
    assert f"{tmp_path}/out/a.png" in done.output


def test_a_dry_run_writes_nothing(weights: Path, folder: Path, tmp_path: Path) -> None:
    done = run(weights, folder, "-o", tmp_path / "out", "--dry-run", "--format", "webp", "--suffix", "_x")
    assert done.exit_code == 0
    assert f"{folder}/deep/c.png -> {tmp_path}/out/deep/c_x.webp" in done.output
    assert "4 would be written; nothing was" in done.output
    assert not (tmp_path / "out").exists()


def test_results_lie_beside_the_pictures_where_they_have_a_suffix(weights: Path, folder: Path) -> None:
    for _ in range(2):
        assert run(weights, folder, "--suffix", "_x").exit_code == 0
    assert written(folder) == sorted(
        f"{name}{mark}.png" for name in ("a", "b", "deep/c", "deep/d") for mark in ("", "_x")
    )


def test_the_report_shows_before_and_after(weights: Path, folder: Path, tmp_path: Path) -> None:
    done = run(weights, folder, "-o", tmp_path / "out", "--report", tmp_path / "report.png")
    assert done.exit_code == 0, done.output
    sheet = Image.open(tmp_path / "report.png")
    assert sheet.width == 1600
    # Two lines of two pictures, each of coloured noise.
    assert np.asarray(sheet).std() > 20
    assert f"Before and after: {tmp_path / 'report.png'}" in done.output
    again = run(weights, folder, "-o", tmp_path / "out", "--report", tmp_path / "again.png")
    assert "Nothing to do" in again.output
    assert Image.open(tmp_path / "again.png").size == sheet.size
    assert "expected a picture's name" in run(weights, folder, "-o", tmp_path / "o", "--report", "report.txt").output
    before = (folder / "a.png").read_bytes()
    assert "take the place" in run(weights, folder, "-o", tmp_path / "o", "--report", folder / "a.png").output
    assert (folder / "a.png").read_bytes() == before


def test_a_picture_unlike_the_training_gets_one_line(weights: Path, tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    for quality in (95, 50):
        picture.save(tmp_path / f"{quality}.jpg", quality=quality)
    done = run(weights, tmp_path / "95.jpg", tmp_path / "50.jpg", "-o", tmp_path / "out")
    lines = [line for line in done.output.splitlines() if "trained for" in line]
    assert lines == ["95.jpg: trained for x2 and JPEG 40 to 60; this picture has quality 95: expect it too smooth."]


def test_a_hundred_doubts_are_three_lines(weights: Path, folder: Path, tmp_path: Path) -> None:
    done = run(weights, folder, "-o", tmp_path / "out")
    assert done.output.count("trained for") == 3
    assert "... and 1 more like that." in done.output


@pytest.mark.parametrize("option", [("--tile", "64"), ("--tta",), ("--scale-to", "2x"), ("--device", "cpu")])
def test_options_change_no_more_than_they_say(
    option: tuple[str, ...], weights: Path, folder: Path, tmp_path: Path
) -> None:
    run(weights, folder / "a.png", "-o", tmp_path / "plain")
    assert run(weights, folder / "a.png", "-o", tmp_path / "other", *option).exit_code == 0
    first, second = (np.asarray(Image.open(tmp_path / name / "a.png")).astype(int) for name in ("plain", "other"))
    # Bicubic enlargement is the same in all directions.
    assert np.abs(first - second).max() <= 1


def test_a_segmenter_writes_masks_and_overlays(folder: Path, tmp_path: Path) -> None:
    options = {"encoder": "test_resnet", "pretrained": False}
    labels = {"classes": ["dark", "light"], "colours": [[0, 0, 90], [255, 255, 0]], "void": []}
    description = SegmentationDescription.model_validate(
        {"model": "unet", "options": options, "labels": labels, "size": [32, 48]}
    )
    file = save(description, tmp_path / "s.safetensors")
    done = run(file, folder, "-o", tmp_path / "out", "--report", tmp_path / "report.jpg")
    assert done.exit_code == 0, done.output
    assert written(tmp_path / "out")[:4] == ["a.png", "a_overlay.jpg", "b.png", "b_overlay.jpg"]
    mask = Image.open(tmp_path / "out" / "a.png")
    assert (mask.mode, mask.size) == ("P", (30, 20))
    assert set(np.unique(np.asarray(mask))) <= {0, 1}
    assert mask.getpalette()[:6] == [0, 0, 90, 255, 255, 0]
    assert Image.open(tmp_path / "out" / "a_overlay.jpg").size == (30, 20)
    assert (
        "--scale-to has no meaning for weights that segment"
        in run(file, folder, "-o", tmp_path / "o", "--scale-to", "2x").output
    )


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    description = ClassificationDescription(
        model="cnn", options={}, classes=["cat", "dog", "owl", "eel"], size=(28, 28), mean=[0.1], std=[0.3]
    )
    return save(description, tmp_path_factory.mktemp("weights") / "c.safetensors")


def read_table(file: Path) -> dict[str, dict[str, str]]:
    with file.open(newline="") as opened:
        return {row["picture"]: row for row in csv.DictReader(opened)}


def test_a_classifier_writes_a_table_that_goes_on(classifier: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(classifier, folder / "deep", "-o", out).exit_code == 0
    done = run(classifier, folder / "deep", folder / "a.png", "-o", out)
    assert "1 picture written" in done.output
    assert "2 there already" in done.output
    rows = read_table(out / "classes.csv")
    assert list(rows) == ["a.png", "c.png", "d.png"]
    columns = ["picture", "class", "probability", "second_class", "second_probability", "third_class"]
    assert list(rows["a.png"])[:6] == columns
    assert {rows["a.png"][name] for name in ("class", "second_class", "third_class")} < {"cat", "dog", "owl", "eel"}
    first, second, third = (float(rows["a.png"][f"{place}probability"]) for place in ("", "second_", "third_"))
    assert 1 >= first >= second >= third > 0
    assert "--tta has no meaning" in run(classifier, folder, "-o", out, "--tta").output


def test_no_two_pictures_have_one_row(classifier: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "deep" / "a.png").write_bytes((folder / "b.png").read_bytes())
    out = tmp_path / "out"
    done = run(classifier, folder / "a.png", folder / "deep" / "a.png", "-o", out)
    assert done.exit_code == 1
    assert "would have one name in the table, a.png" in done.output
    assert run(classifier, folder, "-o", out).exit_code == 0
    assert list(read_table(out / "classes.csv")) == ["a.png", "b.png", "deep/a.png", "deep/c.png", "deep/d.png"]


def test_a_model_for_texts_says_what_to_use(folder: Path, tmp_path: Path) -> None:
    description = LanguageDescription(model="loop", options={"width": 8}, vocabulary=[*MARKS, "one"], text="numbers")
    done = run(save(description, tmp_path / "l.safetensors"), folder, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "go on writing texts, and apply takes picture files. Use uncrappify count" in done.output


def test_a_new_kind_says_itself_what_it_writes(
    folder: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Measure(Predictor[Any]):
        kind, purpose, instead, table = "classification", "measure pictures", "", "sizes"

        def __call__(self, given: Any, /) -> Any:
            raise NotImplementedError

        @classmethod
        def name_endings(cls, suffix: str, request: Request) -> tuple[str, ...]:
            return (f"{suffix}.txt",)

        def process(self, original: Original, request: Request) -> Result_:
            told = f"{original.size[0]} wide".encode()
            return Result_(files=(lambda: Encoded(told, ()),), row={"width": str(original.size[0])})

    module = types.ModuleType("kind_of_tomorrow")
    module.Measure = Measure  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kind_of_tomorrow", module)
    monkeypatch.setitem(PREDICTORS, "classification", "kind_of_tomorrow:Measure")
    done = run(classifier, folder, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "deep" / "c.png.txt").read_bytes() == b"30 wide"
    assert read_table(tmp_path / "out" / "sizes.csv")["deep/c.png"]["width"] == "30"
    monkeypatch.setattr(Measure, "instead", Predictor.instead)
    message = "These weights measure pictures, and apply takes picture files. Use uncrappify.load in Python."
    assert message in run(classifier, folder, "-o", tmp_path / "other").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scale-to", "big"], "expected 2x"),
        (["--scale-to", "0x"], "expected 2x"),
        (["--scale-to", "17x"], "expected 2x (a factor up to 16), 3000x (a width, from 64 on)"),
        (["--scale-to", "63x"], "expected 2x"),
        (["--scale-to", "1x2x3"], "expected 2x"),
        (["--device", "cuda:99"], "this machine has no such device"),
        (["--device", "toaster"], "cpu, cuda, cuda:0, mps are known"),
        (["--suffix", "../x"], "has no slash"),
    ],
)
def test_a_wrong_option_is_said(
    arguments: list[str], message: str, weights: Path, folder: Path, tmp_path: Path
) -> None:
    done = run(weights, folder, "-o", tmp_path / "out", *arguments)
    assert done.exit_code == 1
    assert message in done.output
    assert not (tmp_path / "out").exists()


def test_without_a_place_for_results_nothing_is_done(weights: Path, folder: Path, classifier: Path) -> None:
    assert "Give --output, or a --suffix" in run(weights, folder).output
    assert "Give --output, a folder" in run(classifier, folder, "--suffix", "_x").output


def test_weights_that_are_no_safetensors_are_never_unpickled(folder: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "evil"),)

    torch.save(Evil(), tmp_path / "model.pt")
    done = run(tmp_path / "model.pt", folder, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "not a whole safetensors file" in done.output or "not a weights file of this project" in done.output
    assert not (tmp_path / "evil").exists()


def test_outside_the_project_a_missing_file_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("nothing.safetensors", folder, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "nothing.safetensors: there is no such file" in done.output


def test_a_link_in_the_output_folder_leads_nowhere(weights: Path, folder: Path, tmp_path: Path) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (out / "deep").symlink_to(outside)
    done = run(weights, folder, "-o", out)
    assert done.exit_code == 3
    assert "leads out of the output folder by a link" in done.output
    assert written(outside) == []


def test_a_full_disk_keeps_what_is_done_and_names_the_rest(weights: Path, folder: Path, small_disk: Path) -> None:
    for number in range(8):
        random = np.random.default_rng(number)
        Image.fromarray(random.integers(0, 256, (400, 400, 3), dtype=np.uint8)).save(folder / f"big{number}.png")
    done = run(weights, folder, "-o", small_disk / "out")
    assert done.exit_code == 1
    assert "the disk is full" in done.output
    names = written(small_disk / "out")
    assert names[:2] == ["a.png", "b.png"]
    assert f"{len(names)} of 12 pictures are done and stay. Not done: big" in done.output
    for name in names:
        Image.open(small_disk / "out" / name).load()


def test_a_stopped_batch_goes_on(weights: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = batch.read_original

    def stop(path: Path) -> Any:
        if path.name == "c.png":
            raise KeyboardInterrupt
        return read(path)

    monkeypatch.setattr(batch, "read_original", stop)
    done = run(weights, folder, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "stopped; the same command goes on from here" in done.output
    monkeypatch.setattr(batch, "read_original", read)
    before = written(tmp_path / "out")
    assert all(not name.startswith(".") for name in before)
    assert f"{4 - len(before)} picture" in run(weights, folder, "-o", tmp_path / "out").output
    assert len(written(tmp_path / "out")) == 4


def test_memory_that_ends_at_the_smallest_tile_is_a_failure_of_its_picture(
    weights: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from uncrappify.inference import restorer

    def end(*_: object) -> int:
        raise UserError("Memory does not suffice to restore a picture in tiles of 64 pixels.")

    monkeypatch.setattr(restorer, "predict", end)
    done = run(weights, folder, "-o", tmp_path / "out")
    assert done.exit_code == 3
    assert "a.png: Memory does not suffice to restore a picture in tiles of 64 pixels." in done.output


def test_a_result_that_no_memory_holds_is_refused_before_it_is_begun(
    weights: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 60 x 40 x 3 bytes, and twice 240 x 160 x 3.
    monkeypatch.setattr(psutil, "virtual_memory", lambda: types.SimpleNamespace(available=237_599))
    assert run(weights, folder / "a.png", "-o", tmp_path / "out").exit_code == 0
    done = run(weights, folder / "b.png", "-o", tmp_path / "out", "--scale-to", "8x")
    assert done.exit_code == 3
    assert "b.png: not enough memory for its result" in done.output


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process")
def test_smaller_tiles_are_taken_where_a_process_may_not_have_more_memory(weights: Path, tmp_path: Path) -> None:
    options = {"scale": 2, "channels": 128, "blocks": 1}
    description = RestorationDescription(model="upscaler", options=options, scale=2, recipe=[])
    file = save(description, tmp_path / "wide.safetensors")
    Image.fromarray(np.zeros((500, 500, 3), np.uint8)).save(tmp_path / "a.png")
    # 500 x 500 pixels of 128 channels take 130 MB, several times.
    code = (
        "import resource, sys, torch\n"
        "from uncrappify.commands import main\n"
        "import uncrappify.inference, uncrappify.application.batch, uncrappify.pictures.saving\n"
        "torch.set_num_threads(1)\n"
        "torch.nn.Conv2d(3, 8, 3)(torch.zeros(1, 3, 8, 8))\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 350_000_000,) * 2)\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code, "apply", file, tmp_path / "a.png", "-o", tmp_path / "out", "--tile", "500"]
    done = subprocess.run([*map(str, command), "--device", "cpu"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    tile = int(done.stdout.split("Tiles of ")[1].split()[0])
    assert 64 <= tile < 500
    assert np.asarray(Image.open(tmp_path / "out" / "a.png")).shape == (1000, 1000, 3)
