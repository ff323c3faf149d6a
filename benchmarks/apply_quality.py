"""What `uncrappify apply` does to pictures where it should do little: seams of tiles, and pictures without damage.

    kedro run --pipeline superres
    python benchmarks/apply_quality.py seams WEIGHTS [--tile 256]
    python benchmarks/apply_quality.py undamaged WEIGHTS [--pictures FOLDER]

`seams` compares a picture in tiles with the same picture in one: on a flat grey, where nothing hides a seam, and on a
photograph. It prints the largest difference, and the step that the tiles add between neighbours at the edges of tiles
beside that which they add elsewhere. `undamaged` gives good pictures: at scale 1 as they are; at a larger scale reduced
by Pillow's bicubic, without JPEG, beside its enlargement.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from uncrappify.evaluation.metrics import psnr
from uncrappify.inference import Restorer, load_predictor
from uncrappify.inference.tiled import predict_picture
from uncrappify.parameters.delivery import find_trained_weights
from uncrappify.training.hardware import describe

SIDE = 1024
SUFFIXES = (".png", ".jpg", ".tif")


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["seams", "undamaged"])
    parser.add_argument("weights")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--pictures", type=Path, help="default: chelsea and coffee, which no default run trains on")
    arguments = parser.parse_args()
    print(describe())
    restorer = load_predictor(find_trained_weights(arguments.weights))
    assert isinstance(restorer, Restorer)
    if arguments.what == "seams":
        measure_seams(restorer, arguments.tile)
    else:
        measure_undamaged(restorer, list(read_pictures(arguments.pictures).items()))


def read_pictures(folder: Path | None) -> dict[str, Image.Image]:
    """Read good pictures."""
    if folder:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        return {path.name: Image.open(path).convert("RGB") for path in files}
    shipped = {"chelsea": data.chelsea, "coffee": data.coffee}
    return {name: Image.fromarray(load()) for name, load in shipped.items()}  # type: ignore[no-untyped-call]


def measure_seams(restorer: Restorer, tile: int) -> None:
    """Compare tiles with the whole on a flat and on a textured picture."""
    coffee = read_pictures(None)["coffee"].resize((SIDE, SIDE * 2 // 3), Image.Resampling.BICUBIC)
    pictures = {"flat": Image.new("RGB", coffee.size, (128, 128, 128)), "coffee": coffee}
    for name, picture in pictures.items():
        whole, tiled = (
            np.asarray(predict_picture(restorer.network, picture, side)).astype(int) for side in (2 * SIDE, tile)
        )
        added = np.abs(np.diff(tiled, axis=1)).astype(int) - np.abs(np.diff(whole, axis=1))
        step = tile * restorer.scale
        edges = np.arange(step - 1, added.shape[1], step)
        elsewhere = np.delete(added, edges, axis=1)
        print(
            f"{name}, tiles of {tile}: largest difference to untiled {np.abs(tiled - whole).max()}/255, mean "
            f"{np.abs(tiled - whole).mean():.3f}/255; step at the edges of tiles {added[:, edges].mean():+.3f}/255 in "
            f"the mean, {added[:, edges].max()} at most, elsewhere {elsewhere.mean():+.3f}, {elsewhere.max()} at most"
        )


def measure_undamaged(restorer: Restorer, pictures: list[tuple[str, Image.Image]]) -> None:
    """Compare what comes of undamaged pictures with the pictures themselves."""
    scores = []
    for name, picture in pictures:
        scale = restorer.scale
        good = picture.crop((0, 0, picture.width // scale * scale, picture.height // scale * scale))
        small = good.resize((good.width // scale, good.height // scale), Image.Resampling.BICUBIC)
        target = np.asarray(good)
        restored = psnr(np.asarray(restorer(small)), target)
        plain = psnr(np.asarray(small.resize(good.size, Image.Resampling.BICUBIC)), target)
        scores.append((restored, plain))
        beside = f", bicubic {plain:.2f} dB" if scale > 1 else ""
        print(f"{name}: {restored:.2f} dB{beside}")
    means = np.array(scores).mean(0)
    print(f"mean of {len(scores)}: {means[0]:.2f} dB" + (f", bicubic {means[1]:.2f} dB" if restorer.scale > 1 else ""))


if __name__ == "__main__":
    main()
