"""The real Set5, where it is at hand: its own files give the published figures of bicubic enlargement."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uncrappify.sources import ArchiveOptions, Layout, Source, fetch, given_pairs, list_pictures

MIRROR = Path(__file__).parents[2].parent / "shared" / "data"
PUBLISHED = {2: 33.66, 3: 30.39, 4: 28.42}
LUMINANCE = np.array([65.481, 128.553, 24.966]) / 255


def psnr_y(picture: Image.Image, target: Image.Image, border: int) -> float:
    difference = (np.asarray(picture, float) - np.asarray(target, float)) @ LUMINANCE
    return float(10 * np.log10(255**2 / np.mean(difference[border:-border, border:-border] ** 2)))


@pytest.mark.skipif(not (MIRROR / "set5.tar").is_file(), reason=f"no set5.tar in {MIRROR}")
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_on_the_files_of_set5_is_what_papers_print(tmp_path: Path, scale: int) -> None:
    archive = ArchiveOptions(
        name="set5",
        file="set5.tar",
        sha256="a3b969f8cd3103c2c7f8d261c42ee97f549cc65b5224b3698617bd9e0277983b",
        size=3031040,
        licence="research use",
        layout=Layout(good=[f"set5/image_SRF_{scale}/*_HR.png"], degraded=[f"set5/image_SRF_{scale}/*_LR.png"]),
        mirror=str(MIRROR),
    )
    source = fetch(Source(kind="archive", archive=archive), tmp_path)
    pairs = given_pairs(source, list_pictures(source))
    assert len(pairs) == 5
    scores = [
        psnr_y(pair().resize(pair.good().size, Image.Resampling.BICUBIC), pair.good(), scale) for pair in pairs.values()
    ]
    assert np.mean(scores) == pytest.approx(PUBLISHED[scale], abs=0.03)
