"""Picture, Folder and FolderReference: what is saved comes back, and kedro-viz gets something to show."""

import base64
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError
from PIL import Image

from uncrappify.datasets import Folder, FolderReference, JsonFile, Picture
from uncrappify.sources import PictureSource


def test_a_picture_comes_back_pixel_for_pixel(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    dataset = Picture(filepath=str(tmp_path / "deep" / "a.png"))
    assert not dataset.exists()
    dataset.save(Image.fromarray(pixels))
    assert dataset.exists()
    assert np.array_equal(dataset.load(), pixels)
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["a.png"]


@pytest.mark.parametrize(("size", "shown_as"), [((40, 30), (40, 30)), ((1600, 4000), (480, 1200))])
def test_a_pictures_preview_is_as_large_as_a_page_can_use(tmp_path: Path, size, shown_as) -> None:
    dataset = Picture(filepath=str(tmp_path / "a.png"))
    dataset.save(Image.new("RGB", size, "red"))
    shown = Image.open(BytesIO(base64.b64decode(dataset.preview(), validate=True)))
    assert shown.size == shown_as
    assert shown.convert("RGB").getpixel((3, 3))[0] > 250


def test_a_folder_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    dataset = Folder(path=str(tmp_path / "a" / "checkpoints"))
    assert not dataset.exists()
    assert dataset.load() == tmp_path / "a" / "checkpoints"
    assert dataset.load().is_dir()
    assert dataset.exists()


def test_a_folder_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="input only"):
        Folder(path=str(tmp_path)).save(tmp_path)


def test_a_folders_preview_is_its_first_png_if_there_is_one(tmp_path: Path) -> None:
    dataset = Folder(path=str(tmp_path))
    assert dataset.preview() == ""
    for name in ("b", "a"):
        Image.new("RGB", (20, 20), "blue" if name == "a" else "red").save(tmp_path / f"{name}.png")
    shown = Image.open(BytesIO(base64.b64decode(dataset.preview(), validate=True)))
    assert shown.getpixel((0, 0)) == (0, 0, 255)


def test_a_folder_reference_comes_back_whole(tmp_path: Path) -> None:
    source = PictureSource(
        name="höliday",
        root=tmp_path / "my pictures",
        licence="CC0",
        own_split={"valid": ["a"], "test": ["b"]},
        groups={"c": "scene", "d": "scene"},
    )
    dataset = FolderReference(filepath=str(tmp_path / "raw" / "superres.json"))
    assert not dataset.exists()
    dataset.save(source)
    assert dataset.load() == source
    assert json.loads(dataset.preview())["name"] == "höliday"


def test_plain_values_come_back_and_are_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = JsonFile(filepath=str(tmp_path / "state.json"))
    assert not dataset.exists()
    dataset.save({"run_id": "1", "finished": False})
    assert dataset.load() == {"run_id": "1", "finished": False}
    assert json.loads(dataset.preview()) == dataset.load()

    def full(path: Path, content: bytes) -> None:
        path.write_text(content.decode()[:5])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DatasetError, match="the disk is full"):
        dataset.save({"run_id": "2", "finished": True})
    assert dataset.load() == {"run_id": "1", "finished": False}
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]
