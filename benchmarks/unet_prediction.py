"""How fast the U-Net predicts, beside segmentation_models.pytorch's with the same encoder.

    python -m venv build/unet && build/unet/bin/pip install . -r benchmarks/requirements-unet.txt
    export OMP_WAIT_POLICY=PASSIVE
    build/unet/bin/python benchmarks/unet_prediction.py [--rounds 15]

One picture of CamVid's size, 360x480 pixels, 11 classes, without gradients; each network as its users run it: ours as
this project's inference does (channels_last, and what it frees is kept meanwhile), and the peer's padded to a multiple
of 32, which it asks for. All are called in turn, because timings on a shared machine differ by a factor of three from
one minute to the next.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import pandas as pd
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uncrappify.memory import freed_is_kept
from uncrappify.models.unet import DynamicUNet
from uncrappify.training.hardware import describe

HEIGHT, WIDTH = 360, 480
CLASSES = 11
#: Name of an encoder here to its name there.
ENCODERS = {"efficientnet_lite0": "tu-tf_efficientnet_lite0", "resnet34": "resnet34"}
STRIDE = 32


def main() -> None:
    """Predict in turn, and print the seconds and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    print(describe())
    networks = {key: network.eval() for encoder in ENCODERS for key, network in built(encoder).items()}
    picture = torch.rand(1, 3, HEIGHT, WIDTH)
    ways: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {"ours": predict, "smp": predict_padded}
    rows = []
    with torch.inference_mode():
        # The first round warms up.
        for number in range(arguments.rounds + 1):
            for (encoder, name), network in networks.items():
                started = time.perf_counter()
                assert ways[name](network, picture).shape == (1, CLASSES, HEIGHT, WIDTH)
                rows.append({"round": number, "encoder": encoder, "by": name, "s": time.perf_counter() - started})
    seconds = pd.DataFrame(rows).query("round > 0").pivot(index=["round", "encoder"], columns="by", values="s")
    for encoder in ENCODERS:
        table = seconds.xs(encoder, level="encoder")
        for name in ways:
            millions = sum(parameter.numel() for parameter in networks[encoder, name].parameters()) / 1e6
            print(f"{encoder}, {name}: {millions:.2f} million parameters, median {table[name].median():.3f} s")
        print(f"{encoder}, ours over smp, seconds, median of the rounds: {(table['ours'] / table['smp']).median():.2f}")


def built(encoder: str) -> dict[tuple[str, str], nn.Module]:
    """Build both networks with an encoder; their weights do not matter here."""
    theirs = smp.Unet(encoder_name=ENCODERS[encoder], encoder_weights=None, classes=CLASSES)
    ours = DynamicUNet(encoder=encoder, pretrained=False, out_channels=CLASSES)
    return {(encoder, "ours"): ours.to(memory_format=torch.channels_last), (encoder, "smp"): theirs}


def predict(network: nn.Module, picture: Tensor) -> Tensor:
    """Call ours, which takes any size."""
    with freed_is_kept("cpu"):
        result: Tensor = network(picture.contiguous(memory_format=torch.channels_last))
    return result


def predict_padded(network: nn.Module, picture: Tensor) -> Tensor:
    """Call a network that takes multiples of its stride only."""
    height, width = picture.shape[-2:]
    result: Tensor = network(F.pad(picture, (0, -width % STRIDE, 0, -height % STRIDE)))
    return result[..., :height, :width]


if __name__ == "__main__":
    main()
