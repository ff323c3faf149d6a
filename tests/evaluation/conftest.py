"""Real pictures for the figures that only real pictures have."""

import io
import tarfile

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def set5(shared):
    """Set5 by scale: pairs of the small picture, made by MATLAB, and its target."""
    pairs = {2: [], 3: [], 4: []}
    with tarfile.open(shared / "data" / "set5.tar") as archive:

        def picture(name):
            return Image.open(io.BytesIO(archive.extractfile(name).read())).convert("RGB")

        names = sorted(name for name in archive.getnames() if name.endswith("_HR.png"))
        for scale, found in pairs.items():
            wanted = [name for name in names if f"SRF_{scale}_HR" in name]
            found += [(picture(name.replace("_HR", "_LR")), picture(name)) for name in wanted]
    return pairs
