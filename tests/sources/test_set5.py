"""The real Set5, where it is at hand: its own files give the published figures of bicubic enlargement."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uncrappify.evaluation.protocol import psnr_y
from uncrappify.sources import ArchiveOptions, Layout, Source, fetch, find_given_pairs, list_pictures

PUBLISHED = {2: 33.66, 3: 30.39, 4: 28.42}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_on_the_files_of_set5_is_what_papers_print(shared: Path, tmp_path: Path, scale: int) -> None:
    archive = ArchiveOptions(
        name="set5",
        file="set5.tar",
        sha256="a3b969f8cd3103c2c7f8d261c42ee97f549cc65b5224b3698617bd9e0277983b",
        size=3031040,
        licence="research use",
        layout=Layout(good=[f"set5/image_SRF_{scale}/*_HR.png"], degraded=[f"set5/image_SRF_{scale}/*_LR.png"]),
        mirror=str(shared / "data"),
    )
    source = fetch(Source(kind="archive", archive=archive), tmp_path)
    pairs = find_given_pairs(source, list_pictures(source))
    assert len(pairs) == 5
    enlarged = (
        (pair().resize(pair.read_good().size, Image.Resampling.BICUBIC), pair.read_good()) for pair in pairs.values()
    )
    scores = [psnr_y(np.asarray(picture), np.asarray(good), scale) for picture, good in enlarged]
    assert np.mean(scores) == pytest.approx(PUBLISHED[scale], abs=0.03)
