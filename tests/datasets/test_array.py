"""An array is written whole, mapped into memory, and a broken file is told in a sentence."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from kedro.io import DataCatalog, DatasetError

from uncrappify.datasets import Array
from uncrappify.hooks.tracking import LOGGED_LAYERS
from uncrappify.state import BrokenStateError

CATALOG = Path(__file__).parents[2] / "conf/base/catalog.yml"


def test_an_array_comes_back_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    dataset = Array(filepath=str(tmp_path / "deep" / "pixels.npy"))
    assert not dataset.exists()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 1, 8, 8), dtype=np.uint8)
    dataset.save(pixels)
    loaded = dataset.load()
    assert isinstance(loaded, np.memmap)
    np.testing.assert_array_equal(loaded, pixels)
    with pytest.raises(ValueError, match="read-only"):
        loaded[0] = 0
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["pixels.npy"]


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_a_broken_file_says_from_where_to_run_again(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "pixels.npy"
    dataset = Array(filepath=str(file), node="digits.decode")
    dataset.save(np.arange(100))
    file.write_bytes(file.read_bytes()[:-1] if content is None else content)
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    assert isinstance(caught.value.__cause__, BrokenStateError)
    assert str(caught.value.__cause__).startswith(f"{file}: does not hold what it should (")
    assert str(caught.value.__cause__).endswith("Run again from the node digits.decode (--from-nodes digits.decode).")


def test_an_array_of_objects_is_not_written(tmp_path: Path) -> None:
    dataset = Array(filepath=str(tmp_path / "pixels.npy"))
    with pytest.raises(DatasetError, match="allow_pickle"):
        dataset.save(np.array([{}, None]))
    assert not dataset.exists()


def test_pixels_are_not_logged_and_the_counts_of_the_classes_are() -> None:
    catalog = DataCatalog.from_config(yaml.safe_load(CATALOG.read_text(encoding="utf-8")))
    layers = [catalog[f"digits.{name}"].metadata["kedro-viz"]["layer"] for name in ("pixels", "classes")]
    assert [layer in LOGGED_LAYERS for layer in layers] == [False, True]
