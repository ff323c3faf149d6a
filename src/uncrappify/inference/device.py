"""The device that a model is used on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from uncrappify.errors import UserError

if TYPE_CHECKING:
    from torch import nn


def find_device(given: str | None = None) -> str:
    """Find a device of this machine.

    Args:
        given: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; None or ``auto`` for the GPU where there is one.

    Returns:
        Torch's name of it.

    Raises:
        UserError: If there is no such device.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if given in (None, "auto"):
        return "cuda" if gpus else "cpu"
    there = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    if torch.backends.mps.is_available():
        there.append("mps")
    if given not in there:
        wanted = "" if re.fullmatch(r"cpu|mps|cuda(:\d+)?", str(given)) else " (cpu, cuda, cuda:0, mps are known)"
        raise UserError(f"--device {given}: this machine has no such device{wanted}. It has {', '.join(there)}.")
    return str(given)


def device_type_of(network: nn.Module) -> str:
    """Give torch's name of the kind of device that a network is on; ``cpu`` where it has no weights."""
    return next((weights.device.type for weights in network.parameters()), "cpu")
