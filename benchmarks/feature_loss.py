"""What the feature loss costs: a step with it beside the sum of its parts, each measured alone.

The parts are a step with L1, the targets' way through the feature network, and the predictions' way through it and
back. Every round measures all of them in turn, because timings on a shared machine differ by a factor of three from one
minute to the next; only the ratio within a round means anything. At most 1.1 means that the loss adds nothing to what
has to be computed, such as gradients of the feature network's own weights.

    python benchmarks/feature_loss.py
    python benchmarks/feature_loss.py --backend vgg16_bn --size 128
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from uncrappify.losses import WeightedLoss
from uncrappify.losses.feature import FeatureLoss
from uncrappify.losses.parameters import FeatureOptions
from uncrappify.models.upscaler import Upscaler

WHOLE, SUM = "step with L1 and feature loss", "sum of the parts"
HIGHEST_RATIO = 1.1


def parts(options: FeatureOptions, size: int, batch_size: int) -> dict[str, Callable[[], None]]:
    """Give the whole step and its parts, each ready to be called again and again."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = torch.channels_last
    inputs = torch.rand(batch_size, 3, size // 3, size // 3, device=device).to(memory_format=layout)
    target = torch.rand(batch_size, 3, size, size, device=device).to(memory_format=layout)
    network = Upscaler(scale=3, channels=32, blocks=4).to(device).to(memory_format=layout)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6)
    feature = FeatureLoss(**options.model_dump(exclude={"weight"})).to(device)
    alone, both = WeightedLoss([("l1", 1.0)]), WeightedLoss([("l1", 1.0), ("feature", options)])
    with torch.no_grad():
        wanted = feature.compute_activations(target)
        prediction = network(inputs)
    prediction.requires_grad_()

    def step(loss: WeightedLoss) -> None:
        optimizer.zero_grad()
        backward(loss(network(inputs), target))
        optimizer.step()

    def watch_target() -> None:
        with torch.no_grad():
            feature.compute_activations(target)

    def watch_prediction() -> None:
        prediction.grad = None
        backward(feature.compute_terms(feature.compute_activations(prediction), wanted))

    return {
        "step with L1": lambda: step(alone),
        "targets through the feature network": watch_target,
        "predictions through it and back": watch_prediction,
        WHOLE: lambda: step(both),
    }


def backward(terms: dict[str, Tensor]) -> None:
    """Compute gradients of the sum, as a training does."""
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]


def seconds(work: Callable[[], None], steps: int) -> float:
    """Wall time of one call, mean of several."""
    start = time.perf_counter()
    for _ in range(steps):
        work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


def measure(work: dict[str, Callable[[], None]], rounds: int, steps: int) -> dict[str, list[float]]:
    """Time everything in turn, ``rounds`` times, after one round that warms the caches."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds + 1):
        for name, call in work.items():
            times[name].append(seconds(call, steps))
    return {name: taken[1:] for name, taken in times.items()}


def report(times: dict[str, list[float]], title: str) -> Table:
    """Medians, and the median over rounds of the whole step over the sum of its parts in the same round."""
    table = Table("", "ms", title=title)
    for name, taken in times.items():
        table.add_row(name, f"{1000 * statistics.median(taken):.1f}")
    sums = [sum(round_) for round_ in zip(*(taken for name, taken in times.items() if name != WHOLE), strict=True)]
    ratio = statistics.median(whole / total for whole, total in zip(times[WHOLE], sums, strict=True))
    table.add_row(SUM, f"{1000 * statistics.median(sums):.1f}")
    table.add_row(f"whole / sum (wanted: at most {HIGHEST_RATIO})", f"{ratio:.3f}")
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="efficientnet_lite0", choices=["efficientnet_lite0", "vgg16_bn"])
    parser.add_argument("--size", type=int, default=72, help="side of the crops (default 72)")
    parser.add_argument("--batch-size", type=int, default=16, help="crops a step (default 16)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds that are counted (default 15)")
    parser.add_argument("--steps", type=int, default=4, help="steps a measurement (default 4)")
    arguments = parser.parse_args()
    options = FeatureOptions.model_validate({"backend": arguments.backend})
    work = parts(options, arguments.size, arguments.batch_size)
    title = f"{arguments.backend}, {arguments.batch_size} crops of {arguments.size}, {arguments.rounds} rounds"
    Console().print(report(measure(work, arguments.rounds, arguments.steps), title))


if __name__ == "__main__":
    main()
